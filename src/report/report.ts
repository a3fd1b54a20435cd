import type { Collector, ServiceLevel } from './collector.js';
import { courseOf, type Findings, findings } from './findings.js';
import { occurring, partPercentiles } from './latency-parts.js';
import { type Distribution, distribution } from './statistics.js';
import type { Course } from './verdict.js';

/** Simulated worker time, and what a worker costs. */
export interface WorkerUse {
  /** What workers, routers and caches did, by section of the report. */
  sections: Record<string, ReportValue>;
  /** Prompt tokens that passes computed, and those computed again after preemptions. */
  committedPrefillTokens: number;
  prefillSeconds: number;
  decodeSeconds: number;
  prefillGpus: number;
  decodeGpus: number;
}

/** A value of the report: sections hold values of their own. */
export type ReportValue = number | string | object | null;

/** The report under the reference's keys, and ours beside them. Times in milliseconds unless the key says otherwise. */
export interface Report {
  [key: string]: ReportValue;
}

/** Keys whose values are counts and are written without a decimal point. */
export const COUNT_KEYS: ReadonlySet<string> = new Set([
  'num_requests',
  'completed_requests',
  'rejected_requests',
  'failed_requests',
  'unfinished_requests',
  'preempted_requests',
  'preemptions',
  'total_input_tokens',
  'total_output_tokens',
  'prefill_gpus_per_worker',
  'decode_gpus_per_worker',
  'goodput_completed_requests',
  'planner_ticks',
  'processed_tokens',
  'bypassed_requests',
  'committed_prefill_tokens',
  'num_ttft_samples',
  'num_tpot_samples',
  'num_e2e_latency_samples',
]);

const MIN_SECONDS = 1e-9;

/**
 * Builds the report of a run.
 * @param wallTimeMs host time of the simulation itself
 * @param isOpenLoop whether requests arrived without regard to those in flight
 */
export function buildReport(
  collector: Collector,
  use: WorkerUse,
  wallTimeMs: number,
  warnings: readonly string[],
  isOpenLoop: boolean,
): { report: Report; course: Course } {
  const seconds = Math.max(collector.durationMs / 1000, MIN_SECONDS);
  const { completed, inputTokens, outputTokens } = collector;
  const perWall = (tokens: number) => (wallTimeMs > 0 ? (tokens / wallTimeMs) * 1000 : 0);
  const ofInput = (tokens: number) => (inputTokens > 0 ? tokens / inputTokens : 0);
  const report: Report = {
    num_requests: collector.arrived,
    completed_requests: completed,
    rejected_requests: collector.rejected,
    failed_requests: collector.failed,
    unfinished_requests: collector.arrived - completed - collector.rejected - collector.failed,
    preempted_requests: collector.preemptedRequests,
    preemptions: collector.preemptions,
    total_input_tokens: inputTokens,
    total_output_tokens: outputTokens,
    duration_ms: collector.durationMs,
    wall_time_ms: wallTimeMs,
    request_throughput_rps: completed / seconds,
    input_throughput_tok_s: inputTokens / seconds,
    output_throughput_tok_s: outputTokens / seconds,
    total_throughput_tok_s: (inputTokens + outputTokens) / seconds,
    prefill_worker_seconds: use.prefillSeconds,
    decode_worker_seconds: use.decodeSeconds,
    prefill_gpus_per_worker: use.prefillGpus,
    decode_gpus_per_worker: use.decodeGpus,
    gpu_hours: (use.prefillSeconds * use.prefillGpus + use.decodeSeconds * use.decodeGpus) / 3600,
    processed_tokens: inputTokens + outputTokens,
    processed_tokens_per_s: perWall(inputTokens + outputTokens),
    processed_output_tokens_per_s: perWall(outputTokens),
    prefix_cache_reused_ratio: ofInput(collector.reusedTokens),
    first_admission_prefix_cache_reused_ratio: ofInput(collector.firstReusedTokens),
  };
  if (collector.level) {
    report.goodput_completed_requests = collector.goodRequests;
    report.goodput_request_throughput_rps = collector.goodRequests / seconds;
    report.goodput_output_throughput_tok_s = collector.goodOutputTokens / seconds;
  }
  addDistributions(report, collector);
  report.latency_parts_ms = occurring(collector.latencyParts.means);
  if (collector.keepsRecords) report.latency_part_percentiles_ms = partPercentiles(collector.records);
  Object.assign(report, use.sections);
  if (collector.level) report.sla = attainment(collector, collector.level);
  const course = courseOf(report, collector, isOpenLoop);
  Object.assign(report, findings(report, course) satisfies Findings);
  if (warnings.length > 0) report.warnings = [...warnings];
  return { report, course };
}

/** Part of all that arrived that kept the goals, and each of them alone. */
function attainment({ arrived, goodRequests, kept }: Collector, { ttftMs, itlMs, e2eMs }: ServiceLevel) {
  const share = (count: number) => (arrived > 0 ? count / arrived : 0);
  return {
    goals: {
      ...(ttftMs !== undefined && { ttft_ms: ttftMs }),
      ...(itlMs !== undefined && { itl_ms: itlMs }),
      ...(e2eMs !== undefined && { e2e_ms: e2eMs }),
    },
    attainment: share(goodRequests),
    ...(ttftMs !== undefined && { ttft: share(kept.ttft) }),
    ...(itlMs !== undefined && { itl: share(kept.itl) }),
    ...(e2eMs !== undefined && { e2e: share(kept.e2e) }),
  };
}

/** What the reference reports since release 1.6. */
export function addCurrentKeys(report: Report, collector: Collector, use: WorkerUse): void {
  report.kv_eviction_policy = 'lru';
  report.committed_prefill_tokens = use.committedPrefillTokens;
  report.num_ttft_samples = collector.ttftMs.sorted().length;
  report.num_tpot_samples = collector.tpotMs.sorted().length;
  report.num_e2e_latency_samples = collector.e2eMs.sorted().length;
  report.power_w = null;
  report.power_coverage = null;
}

function addDistributions(report: Report, collector: Collector): void {
  addDistribution(report, 'ttft_ms', distribution(collector.ttftMs.sorted()));
  addDistribution(report, 'ttst_ms', distribution(collector.ttstMs.sorted()));
  addDistribution(report, 'tpot_ms', distribution(collector.tpotMs.sorted()));
  addDistribution(report, 'e2e_latency_ms', distribution(collector.e2eMs.sorted()));
  const { gaps, rates } = collector.gaps.statistics();
  addDistribution(report, 'itl_ms', gaps);
  addDistribution(report, 'output_token_throughput_per_user', rates);
  report.itl_percentiles = collector.gaps.isExact ? 'exact' : 'within 0.1 %';
}

function addDistribution(report: Report, name: string, values: Distribution): void {
  for (const [statistic, value] of Object.entries(values)) report[`${statistic}_${name}`] = value as number;
}

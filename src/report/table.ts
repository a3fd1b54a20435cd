import Table from 'cli-table3';
import pc from 'picocolors';
import type { Report } from './report.js';
import { grouped } from './words.js';

const STATISTICS = ['mean', 'min', 'max', 'p99', 'p90', 'p75', 'std'] as const;

const DISTRIBUTIONS: readonly [title: string, name: string][] = [
  ['Time to First Token (ms)', 'ttft_ms'],
  ['Time to Second Token (ms)', 'ttst_ms'],
  ['Time per Output Token (ms)', 'tpot_ms'],
  ['Request Latency (ms)', 'e2e_latency_ms'],
  ['Inter Token Latency (ms)', 'itl_ms'],
  ['Output Token Throughput Per User (tokens/sec/user)', 'output_token_throughput_per_user'],
];

const TOTALS: readonly [title: string, key: string][] = [
  ['Output Token Throughput (tokens/sec)', 'output_throughput_tok_s'],
  ['Request Throughput (requests/sec)', 'request_throughput_rps'],
  ['Request Count (requests)', 'completed_requests'],
];

const amount = { format: (value: number) => grouped(value, 2) };
const count = { format: (value: number) => grouped(value) };

/** The summary that a replay prints. @param isColored whether the output is a terminal */
export function summaryTable(report: Report, isColored: boolean): string {
  const color = pc.createColors(isColored);
  const table = new Table({
    head: ['Metric', 'avg', 'min', 'max', 'p99', 'p90', 'p75', 'std'].map((title) => color.bold(title)),
    colAligns: ['left', ...STATISTICS.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const [title, name] of DISTRIBUTIONS)
    table.push([
      title,
      ...STATISTICS.map((statistic) => amount.format(report[`${statistic}_${name}`] as number)),
    ]);
  for (const [title, key] of TOTALS)
    table.push([title, amount.format(report[key] as number), ...STATISTICS.slice(1).map(() => 'N/A')]);
  const lines = [color.bold('dynosim | LLM Metrics'), table.toString(), ...notes(report)];
  return `${lines.join('\n')}\n`;
}

function notes(report: Report): string[] {
  const number = (key: string) => report[key] as number;
  const failed = number('failed_requests');
  const notes = [
    `Requests: ${count.format(number('completed_requests'))} completed, ${count.format(number('rejected_requests'))} rejected, ${count.format(number('unfinished_requests'))} unfinished, ${count.format(number('preempted_requests'))} preempted${failed > 0 ? `, ${count.format(failed)} failed` : ''}`,
    `Simulated Time (s): ${amount.format(number('duration_ms') / 1000)}   GPU Hours: ${amount.format(number('gpu_hours'))}`,
    `Wall Time (ms): ${amount.format(number('wall_time_ms'))}`,
    `Prefix Cache Reused Ratio: ${amount.format(number('prefix_cache_reused_ratio'))}`,
    `First Admission Prefix Cache Reused Ratio: ${amount.format(number('first_admission_prefix_cache_reused_ratio'))}`,
  ];
  if ('bypassed_requests' in report)
    notes.push(`Computed by decode workers alone: ${count.format(number('bypassed_requests'))} requests`);
  if ('goodput_completed_requests' in report)
    notes.push(
      `Goodput: ${count.format(number('goodput_completed_requests'))} requests, ${amount.format(number('goodput_request_throughput_rps'))} requests/sec, ${amount.format(number('goodput_output_throughput_tok_s'))} tokens/sec`,
    );
  const parts = report.latency_parts_ms as Record<string, number> | undefined;
  if (parts)
    notes.push(
      `Mean Latency (ms): ${Object.entries(parts)
        .map(([part, ms]) => `${part.replaceAll('_', ' ')} ${amount.format(ms)}`)
        .join(', ')}`,
    );
  for (const stage of ['', 'prefill_', 'decode_']) notes.push(...poolNotes(report, stage));
  return [...notes, ...findingNotes(report)];
}

type Found = readonly { text: string; remedies: readonly { text: string }[] }[];

/** What a run comes to, what holds it back and what is wrong with it. */
function findingNotes(report: Report): string[] {
  const { state, evidence } = report.verdict as { state: string; evidence: readonly string[] };
  const lines = (title: string, found: Found) =>
    found.flatMap(({ text, remedies }) => [
      `${title}: ${text}`,
      ...remedies.map((remedy) => `  helps: ${remedy.text}`),
    ]);
  const tried = (report.advice as { tried_changes: number } | undefined)?.tried_changes ?? 0;
  return [
    `Verdict: ${state}; ${evidence.join('; ')}`,
    ...lines('Bottleneck', report.bottlenecks as Found),
    ...lines('Anomaly', report.anomalies as Found),
    ...(tried > 0
      ? [`Each remedy was measured by a run with it; ${count.format(tried)} changes were tried`]
      : []),
  ];
}

/** Lines on what workers, router and cache tiers of a fleet, or of one of its stages, did. */
function poolNotes(report: Report, stage: string): string[] {
  const title = (name: string) => (stage === '' ? name : `${stage.slice(0, -1)} ${name.toLowerCase()}`);
  const workers = report[`${stage}workers`] as readonly Record<string, number>[] | undefined;
  const router = report[`${stage}router`] as Record<string, number> | undefined;
  const tiers = report[`${stage}kv_tiers`] as TierSection | undefined;
  const lines: string[] = [];
  if (workers) {
    const durationMs = report.duration_ms as number;
    const busy = workers.map(({ busy_ms }) => (durationMs > 0 ? (100 * busy_ms) / durationMs : 0));
    const peaks = workers.map((worker) => (100 * worker.kv_peak_blocks) / worker.kv_blocks);
    const evicted = workers.reduce((sum, worker) => sum + worker.kv_evicted_blocks, 0);
    lines.push(
      `${title('Workers')}: ${count.format(workers.length)}, busy ${range(busy, percent)}, requests ${range(
        workers.map(({ requests }) => requests),
        count,
      )}; KV peak ${range(peaks, percent)}, ${count.format(evicted)} blocks evicted`,
    );
  }
  if (router)
    lines.push(
      `${title('Router')}: ${amount.format(router.overlap_ratio)} of the input cached where it went, ${count.format(router.queued_requests)} requests held back (${amount.format(router.mean_queue_ms)} ms each, ${amount.format(router.max_queue_ms)} at most)`,
    );
  if (tiers) {
    const { g2, g3, g4 } = tiers.onboarded_blocks;
    lines.push(
      `${title('Cache tiers')}: ${count.format(tiers.offloaded_blocks)} blocks moved down; back from G2 ${count.format(g2)}, G3 ${count.format(g3)}, G4 ${count.format(g4)}`,
      ...Object.entries(tiers.links).map(
        ([name, link]) =>
          `  ${name.replaceAll('_', ' ')}: ${amount.format(link.bytes / 1e9)} GB, busy ${amount.format(link.busy_ms / 1000)} s, queueing ${amount.format(link.mean_queue_ms)} ms each, ${amount.format(link.max_queue_ms)} at most`,
      ),
    );
  }
  return lines;
}

type TierSection = {
  offloaded_blocks: number;
  onboarded_blocks: { g2: number; g3: number; g4: number };
  links: Record<string, { bytes: number; busy_ms: number; mean_queue_ms: number; max_queue_ms: number }>;
};

const percent = { format: (value: number) => `${value.toFixed(0)} %` };

/** The least and the most of some values. */
function range(values: readonly number[], { format }: { format(value: number): string }): string {
  const low = format(values.reduce((a, b) => Math.min(a, b)));
  const high = format(values.reduce((a, b) => Math.max(a, b)));
  return low === high ? low : `${low} to ${high}`;
}

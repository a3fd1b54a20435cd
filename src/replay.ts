import { idleSettings } from './config/idle-settings.js';
import { overheadsJson } from './config/overheads.js';
import { planReplay, type ReplayOptions, type ReplayPlan } from './config/replay-options.js';
import { Collector } from './report/collector.js';
import type { RequestOutcome } from './report/outcome.js';
import { buildPictures } from './report/pictures.js';
import { buildReport, type Report } from './report/report.js';
import { WorkerSeries, type WorkerWatch } from './report/worker-series.js';
import { type ResolvedEngines, resolveEngines } from './setup/engines.js';
import { ENGINES } from './setup/kinds.js';
import { CoupledError } from './simulation/independent.js';
import { RunError } from './simulation/run-error.js';
import { simulate, simulateSplit } from './simulation/simulate.js';
import { AicError } from './timing/aic/aic-error.js';
import { FrontendSource } from './workload/frontend.js';
import { loadWorkload, type Workload } from './workload/load.js';

export interface ReplayResult {
  report: Report;
  /** Outcomes by arrival, when `records` was set. */
  records: RequestOutcome[];
  /** Latencies of the requests that completed, ascending; in milliseconds. */
  latencies: { ttftMs: Float64Array; tpotMs: Float64Array; e2eMs: Float64Array };
}

/** Makes what hears of the passes of a stage, whose name is empty where there is one only. */
export type WatchStage = (stage: '' | 'prefill' | 'decode') => WorkerWatch;

/**
 * Replays a trace, or synthetic load, through a simulated fleet.
 * @param watchStage asked for somebody who hears of every pass; not with `pictures`, which has its own
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function replay(options: ReplayOptions, watchStage?: WatchStage): Promise<ReplayResult> {
  const plan = planReplay(options, ENGINES);
  const warnings = idleSettings(plan);
  const engines = resolveEngines(plan, warnings);
  const attempt = async (together: boolean) => {
    const workload = await loadWorkload(plan);
    try {
      return runPlan(plan, engines, workload, warnings, together, watchStage);
    } finally {
      workload.close();
    }
  };
  try {
    return await attempt(false).catch((error) => {
      if (error instanceof CoupledError) return attempt(true);
      throw error;
    });
  } catch (error) {
    throw error instanceof AicError ? new RunError(error.message) : error;
  }
}

function runPlan(
  plan: ReplayPlan,
  { stages, routing }: ResolvedEngines,
  workload: Workload,
  warnings: string[],
  together: boolean,
  watchStage: WatchStage | undefined,
): ReplayResult {
  const { options, topology, overheads } = plan;
  const { source } = workload;
  if (plan.bypass && !options.beyondReference)
    warnings.push(
      'conditional_disagg_enabled has no effect, as in the reference; --beyond-reference makes it work',
    );
  const ignoresCap = source.isGraph && !options.beyondReference;
  if (ignoresCap && plan.capMs !== Number.POSITIVE_INFINITY)
    warnings.push(
      '--max-sim-time-seconds has no effect on traces of dependent requests, as in the reference; --beyond-reference makes it work',
    );
  const keepsRecords = options.records !== undefined || options.pictures === true;
  const collector = new Collector(serviceLevel(options), keepsRecords);
  const pools = poolsOf(plan, stages, watchStage);
  const { onProgress } = options;
  const { frontendMs, tokenizeMsPerToken } = overheads;
  const isDelayed = frontendMs > 0 || tokenizeMsPerToken > 0;
  const run = {
    overheads,
    rules: plan.rules,
    routing,
    source: isDelayed
      ? new FrontendSource(source, (tokens) => frontendMs + tokenizeMsPerToken * tokens)
      : source,
    collector,
    isOpenLoop: options.replayConcurrency === undefined,
    capMs: ignoresCap ? Number.POSITIVE_INFINITY : plan.capMs,
    checks: options.check ?? false,
    namesSessions: workload.namesSessions,
    recordsUnfinished: options.records === 'all',
    onProgress: onProgress && ((ended: number) => onProgress(ended, source.total)),
  };
  const startedMs = performance.now();
  const use =
    topology.kind === 'aggregated'
      ? simulate({ ...run, ...pools[0], together })
      : simulateSplit({
          ...run,
          prefillsAllOutput: workload.plansOutput && !options.singleTokenPrefill,
          bypass: options.beyondReference ? plan.bypass : undefined,
          prefill: pools[0],
          decode: pools[1],
        });
  const wallTimeMs = performance.now() - startedMs;
  const records = collector.records.sort((a, b) => a.arrivalMs - b.arrivalMs || a.row - b.row);
  if (options.overheads !== undefined) use.sections.overheads = overheadsJson(overheads);
  const report = buildReport(collector, use, wallTimeMs, warnings, run.isOpenLoop);
  if (options.pictures) {
    const drawn = pools.map(({ stage, watch, args }) => ({
      stage,
      series: watch as WorkerSeries,
      kvBlocks: args.gpuBlocks * args.ranks,
      ranks: args.ranks,
    }));
    report.pictures = buildPictures({ collector, records, pools: drawn });
  }
  const { ttftMs, tpotMs, e2eMs } = collector;
  return {
    report,
    records,
    latencies: { ttftMs: ttftMs.view(), tpotMs: tpotMs.view(), e2eMs: e2eMs.view() },
  };
}

/** The stages of the fleet with their sizes, and what hears of their passes, if asked for. */
function poolsOf(
  { topology, options }: ReplayPlan,
  stages: ResolvedEngines['stages'],
  watchStage: WatchStage | undefined,
) {
  const sizes =
    topology.kind === 'aggregated'
      ? [{ stage: '' as const, workers: topology.workers }]
      : [
          { stage: 'prefill' as const, workers: topology.prefillWorkers },
          { stage: 'decode' as const, workers: topology.decodeWorkers },
        ];
  return sizes.map((size, index) => ({
    ...stages[index],
    ...size,
    watch: options.pictures ? new WorkerSeries(size.workers) : watchStage?.(size.stage),
  }));
}

function serviceLevel(options: ReplayOptions) {
  const { slaTtftMs: ttftMs, slaItlMs: itlMs, slaE2eMs: e2eMs } = options;
  return ttftMs === undefined && itlMs === undefined && e2eMs === undefined
    ? undefined
    : { ttftMs, itlMs, e2eMs };
}

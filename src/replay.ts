import type { EngineArgs } from './config/engine-args.js';
import { InputError } from './config/input-error.js';
import { planReplay, type ReplayOptions, type ReplayPlan, type Topology } from './config/replay-options.js';
import { GridTiming } from './engine/timing/grid.js';
import { polynomialTiming, type TimingModel } from './engine/timing/timing-model.js';
import { Collector, type RequestOutcome } from './report/collector.js';
import { buildReport, type Report } from './report/report.js';
import { simulate, simulateSplit } from './simulation/simulate.js';
import { loadWorkload } from './workload/load.js';

export interface ReplayResult {
  report: Report;
  /** Outcomes by arrival, when `records` was set. */
  records: RequestOutcome[];
}

/**
 * Replays a trace, or synthetic load, through a simulated fleet.
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const plan = planReplay(options);
  const warnings: string[] = [];
  const timings = loadTimings(plan.topology, warnings);
  const workload = await loadWorkload(plan);
  try {
    return runPlan(plan, timings, workload, warnings);
  } finally {
    workload.close();
  }
}

function runPlan(
  plan: ReplayPlan,
  timings: readonly TimingModel[],
  workload: Awaited<ReturnType<typeof loadWorkload>>,
  warnings: string[],
): ReplayResult {
  const { options, topology } = plan;
  const { source } = workload;
  if (source.isGraph && plan.capMs !== Number.POSITIVE_INFINITY)
    warnings.push(
      '--max-sim-time-seconds has no effect on traces of dependent requests, as in the reference',
    );
  const collector = new Collector(serviceLevel(options), options.records !== undefined);
  const { onProgress } = options;
  const run = {
    router: plan.router,
    routerSeed: options.routerSeed,
    source,
    collector,
    isOpenLoop: options.replayConcurrency === undefined,
    capMs: source.isGraph ? Number.POSITIVE_INFINITY : plan.capMs,
    checks: options.check ?? false,
    namesSessions: workload.namesSessions,
    recordsUnfinished: options.records === 'all',
    onProgress: onProgress && ((ended: number) => onProgress(ended, source.total)),
  };
  const startedMs = performance.now();
  const use =
    topology.kind === 'aggregated'
      ? simulate({ ...run, args: topology.engine, timing: timings[0], workers: topology.workers })
      : simulateSplit({
          ...run,
          prefillsAllOutput: workload.plansOutput,
          prefill: { args: topology.prefill, timing: timings[0], workers: topology.prefillWorkers },
          decode: { args: topology.decode, timing: timings[1], workers: topology.decodeWorkers },
        });
  const wallTimeMs = performance.now() - startedMs;
  const records = collector.records.sort((a, b) => a.arrivalMs - b.arrivalMs || a.row - b.row);
  return { report: buildReport(collector, use, wallTimeMs, warnings), records };
}

function serviceLevel(options: ReplayOptions) {
  const { slaTtftMs: ttftMs, slaItlMs: itlMs, slaE2eMs: e2eMs } = options;
  return ttftMs === undefined && itlMs === undefined && e2eMs === undefined
    ? undefined
    : { ttftMs, itlMs, e2eMs };
}

/** The timing models of the engines of a fleet, those of prefill first. */
function loadTimings(topology: Topology, warnings: string[]): TimingModel[] {
  const engines = topology.kind === 'aggregated' ? [topology.engine] : [topology.prefill, topology.decode];
  return engines.map((engine) => loadTiming(engine, warnings));
}

/** The timing model of an engine; like the reference, a grid that cannot be used gives way to the polynomial. */
function loadTiming(engine: EngineArgs, warnings: string[]): TimingModel {
  const path = engine.timingGridPath;
  if (path === undefined) return polynomialTiming;
  if (!path.endsWith('.npz'))
    throw new InputError(
      `planner_profile_data: ${path} is not an .npz timing grid (folders of a profiler are not read)`,
    );
  try {
    return GridTiming.load(path);
  } catch (error) {
    warnings.push(
      `planner_profile_data ${path} cannot be used, default timing is: ${(error as Error).message}`,
    );
    return polynomialTiming;
  }
}

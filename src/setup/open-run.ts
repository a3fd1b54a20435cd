import { idleSettings } from '../config/idle-settings.js';
import { overheadsJson } from '../config/overheads.js';
import { planReplay, type ReplayOptions, type ReplayPlan } from '../config/replay-options.js';
import { Collector } from '../report/collector.js';
import { buildPictures } from '../report/pictures.js';
import { buildReport, type WorkerUse } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import type { Course } from '../report/verdict.js';
import { WorkerSeries, type WorkerWatch } from '../report/worker-series.js';
import { fleetRun, splitRun } from '../simulation/fleet-runs.js';
import { CoupledError } from '../simulation/lone-workers.js';
import type { FleetRun, Run } from '../simulation/run.js';
import { mayRunApart, runApart } from '../simulation/run-apart.js';
import { RunError } from '../simulation/run-error.js';
import type { StageName } from '../simulation/views.js';
import { AicError } from '../timing/aic/aic-error.js';
import type { Excerpt } from '../workload/excerpt.js';
import { FrontendSource } from '../workload/frontend.js';
import { loadWorkload, type Workload } from '../workload/load.js';
import { type ResolvedEngines, resolveEngines } from './engines.js';
import { ENGINES } from './kinds.js';

/** Makes what hears of the passes of a stage. */
export type WatchStage = (stage: StageName) => WorkerWatch;

export interface RunSettings {
  /** Whether every pass is measured, for `lastPass` of a rank and what a window tells of passes. */
  observesPasses?: boolean;
  /** Whether the fleet will be scaled: then a single worker follows the rules of many from the start, and has a name. */
  scales?: boolean;
  /** Asked for somebody who hears of every pass; not with `pictures`, which has its own. */
  watchStage?: WatchStage | undefined;
  /** Part of the workload that is run by itself, in closed loop. */
  excerpt?: Excerpt | undefined;
  /** The host's clock in milliseconds, for the report's figures on the simulation itself. */
  hostMs?: () => number;
}

/**
 * Opens a simulation that is advanced step by step.
 * @throws {InputError} when an option or the trace is wrong
 */
export async function openRun(options: ReplayOptions, settings: RunSettings = {}): Promise<Run> {
  const opening = new Opening(options, settings);
  return opening.stepped(await loadWorkload(opening.plan));
}

/**
 * Runs a simulation to its end, each worker alone where none looks at another.
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function runThrough(options: ReplayOptions, settings: RunSettings): Promise<ReplayResult> {
  const opening = new Opening(options, settings);
  try {
    try {
      return opening.runThrough(await loadWorkload(opening.plan, settings.excerpt));
    } catch (error) {
      if (!(error instanceof CoupledError)) throw error;
      return opening.runTogether(await loadWorkload(opening.plan, settings.excerpt));
    }
  } catch (error) {
    throw error instanceof AicError ? new RunError(error.message) : error;
  }
}

/** A plan with its engines, around which runs are made. */
class Opening {
  readonly plan: ReplayPlan;
  private readonly engines: ResolvedEngines;
  private readonly warnings: string[];

  constructor(
    options: ReplayOptions,
    private readonly settings: RunSettings,
  ) {
    this.plan = planReplay(options, ENGINES);
    this.warnings = [...idleSettings(this.plan)];
    this.engines = resolveEngines(this.plan, this.warnings);
    if (this.plan.bypass && !options.beyondReference)
      this.warnings.push(
        'conditional_disagg_enabled has no effect, as in the reference; --beyond-reference makes it work',
      );
  }

  runThrough(workload: Workload): ReplayResult {
    const { options, pools } = this.parts(workload);
    if (this.plan.topology.kind !== 'aggregated') return this.runTogether(workload);
    const fleet = { ...options, ...pools[0], countsTraffic: false };
    if (!mayRunApart(fleet)) return this.runTogether(workload);
    try {
      return options.resultOf(options.collector, runApart(fleet));
    } finally {
      workload.close();
    }
  }

  runTogether(workload: Workload): ReplayResult {
    const run = this.stepped(workload, false);
    run.until(Number.POSITIVE_INFINITY);
    return run.result();
  }

  stepped(workload: Workload, countsTraffic = true): FleetRun {
    const { options: common, pools } = this.parts(workload);
    const options = { ...common, countsTraffic };
    const { plan } = this;
    if (plan.topology.kind === 'aggregated') return fleetRun({ ...options, ...pools[0] });
    return splitRun({
      ...options,
      prefillsAllOutput: workload.plansOutput && !plan.options.singleTokenPrefill,
      bypass: plan.options.beyondReference ? plan.bypass : undefined,
      prefill: pools[0],
      decode: pools[1],
    });
  }

  private parts(workload: Workload) {
    const { plan, settings, engines } = this;
    const { options, overheads } = plan;
    const { source } = workload;
    const warnings = [...this.warnings];
    const ignoresCap = source.isGraph && !options.beyondReference;
    if (ignoresCap && plan.capMs !== Number.POSITIVE_INFINITY)
      warnings.push(
        '--max-sim-time-seconds has no effect on traces of dependent requests, as in the reference; --beyond-reference makes it work',
      );
    const { onProgress } = options;
    const { frontendMs, tokenizeMsPerToken } = overheads;
    const isDelayed = frontendMs > 0 || tokenizeMsPerToken > 0;
    const isOpenLoop = options.replayConcurrency === undefined;
    const pools = poolsOf(plan, engines.stages, settings.watchStage);
    const startMs = settings.hostMs?.() ?? 0;
    const resultOf = (collector: Collector, use: WorkerUse) => {
      const wallTimeMs = (settings.hostMs?.() ?? 0) - startMs;
      if (options.overheads !== undefined) use.sections.overheads = overheadsJson(overheads);
      const { report, course } = buildReport(collector, use, wallTimeMs, warnings, isOpenLoop);
      return resultWith(report, collector, course, options.pictures ? pools : undefined);
    };
    return {
      pools,
      options: {
        overheads,
        rules: plan.rules,
        routing: engines.routing,
        source: isDelayed
          ? new FrontendSource(source, (tokens) => frontendMs + tokenizeMsPerToken * tokens)
          : source,
        collector: new Collector(serviceLevel(options), {
          ended: keepsRecords(options),
          unfinished: options.records === 'all',
        }),
        isOpenLoop,
        capMs: ignoresCap ? Number.POSITIVE_INFINITY : plan.capMs,
        checks: options.check ?? false,
        namesSessions: workload.namesSessions,
        onProgress: onProgress && ((ended: number) => onProgress(ended, source.total)),
        metersPasses: settings.observesPasses ?? false,
        scales: settings.scales ?? false,
        executesAll: false,
        close: () => workload.close(),
        resultOf,
      },
    };
  }
}

type Pools = ReturnType<typeof poolsOf>;

function resultWith(
  report: ReplayResult['report'],
  collector: Collector,
  course: Course,
  drawn: Pools | undefined,
): ReplayResult {
  const records = [...collector.records].sort((a, b) => a.arrivalMs - b.arrivalMs || a.row - b.row);
  if (drawn)
    report.pictures = buildPictures({
      collector,
      records,
      pools: drawn.map(({ stage, watch, args }) => ({
        stage,
        series: watch as WorkerSeries,
        kvBlocks: args.gpuBlocks * args.ranks,
        ranks: args.ranks,
      })),
    });
  const { ttftMs, tpotMs, e2eMs } = collector;
  return {
    report,
    records,
    course,
    latencies: { ttftMs: ttftMs.sorted(), tpotMs: tpotMs.sorted(), e2eMs: e2eMs.sorted() },
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

function keepsRecords({ records, pictures }: ReplayOptions): boolean {
  return records !== undefined || pictures === true;
}

function serviceLevel({ slaTtftMs: ttftMs, slaItlMs: itlMs, slaE2eMs: e2eMs }: ReplayOptions) {
  return ttftMs === undefined && itlMs === undefined && e2eMs === undefined
    ? undefined
    : { ttftMs, itlMs, e2eMs };
}

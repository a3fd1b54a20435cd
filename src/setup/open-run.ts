import { InputError } from '../config/input-error.js';
import { ExactJson } from '../config/json.js';
import { overheadsJson } from '../config/overheads.js';
import type { ReplayOptions, RunControls } from '../config/scenario/options.js';
import { type Scenario, type ServiceLevel, scenarioJson } from '../config/scenario/scenario.js';
import { Collector } from '../report/collector.js';
import type { RequestOutcome } from '../report/outcome.js';
import { buildPictures } from '../report/pictures.js';
import { addCurrentKeys, buildReport, type WorkerUse } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import type { Course } from '../report/verdict.js';
import { WorkerSeries, type WorkerWatch } from '../report/worker-series.js';
import { fleetRun, splitRun } from '../simulation/fleet-runs.js';
import { CoupledError } from '../simulation/lone-workers.js';
import type { FleetRun, Run } from '../simulation/run.js';
import { mayRunApart, runApart } from '../simulation/run-apart.js';
import { RunError } from '../simulation/run-error.js';
import { RUN_RULES } from '../simulation/run-rules.js';
import type { StageName } from '../simulation/views.js';
import { AicError } from '../timing/aic/aic-error.js';
import type { Excerpt } from '../workload/excerpt.js';
import { FrontendSource } from '../workload/frontend.js';
import type { Workload } from '../workload/load.js';
import { ResendingSource } from '../workload/resending.js';
import type { Shelf } from '../workload/shelf.js';
import { type ResolvedEngines, resolveEngines } from './engines.js';
import { scenarioOf } from './scenario.js';
import { substitutionWarning } from './table-timing.js';
import { openWorkload } from './workload.js';

/** Makes what hears of the passes of a stage. */
type WatchStage = (stage: StageName) => WorkerWatch;

/** How a scenario is run, and what is kept of it. */
export interface RunSettings extends RunControls {
  /** Whether every pass is measured, for `lastPass` of a rank and what a window tells of passes. */
  observesPasses?: boolean;
  /** Whether the fleet will be scaled: then a single worker follows the rules of many from the start, and has a name. */
  scales?: boolean;
  /** Asked for somebody who hears of every pass; not with `pictures`, which has its own. */
  watchStage?: WatchStage | undefined;
  /** Part of the workload that is run by itself. */
  excerpt?: Excerpt | undefined;
  /** Where timing models and traces are kept that other runs may ask for; what is told of gaps in tables is then about all of these runs. */
  shelf?: Shelf | undefined;
  /** Told of every request that ends, or is left unfinished at the end. */
  onOutcome?: (outcome: RequestOutcome) => void;
  /** The host's clock in milliseconds, for the report's figures on the simulation itself. */
  hostMs?: () => number;
}

/**
 * Opens a simulation that is advanced step by step.
 * @throws {InputError} when an option or the trace is wrong
 */
export async function openRun(described: ReplayOptions | Scenario, settings: RunSettings = {}): Promise<Run> {
  return (await openFleet(described, settings)).run;
}

/**
 * Opens a simulation, and says what its stages are made of.
 * @throws {InputError} when an option or the trace is wrong
 */
export async function openFleet(
  described: ReplayOptions | Scenario,
  settings: RunSettings,
): Promise<{ run: Run; scenario: Scenario; stages: ResolvedEngines['stages'] }> {
  const opening = openingOf(described, settings);
  const { scenario, engines } = opening;
  return { run: opening.stepped(await openWorkload(scenario, settings)), scenario, stages: engines.stages };
}

/**
 * Runs a simulation to its end, each worker alone where none looks at another.
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function runThrough(
  described: ReplayOptions | Scenario,
  settings: RunSettings,
): Promise<ReplayResult> {
  const opening = openingOf(described, settings);
  try {
    try {
      return opening.runThrough(await openWorkload(opening.scenario, settings));
    } catch (error) {
      if (!(error instanceof CoupledError)) throw error;
      return opening.runTogether(await openWorkload(opening.scenario, settings));
    }
  } catch (error) {
    throw error instanceof AicError ? new RunError(error.message) : error;
  }
}

function openingOf(described: ReplayOptions | Scenario, settings: RunSettings): Opening {
  const { scenario, controls } = describedRun(described, settings);
  return new Opening(scenario, controls);
}

/** A scenario and how it is run, from options, which say both, or from a scenario. @throws {InputError} */
export function describedRun(
  described: ReplayOptions | Scenario,
  settings: RunSettings,
): { scenario: Scenario; controls: RunSettings } {
  if ('given' in described) return { scenario: described, controls: settings };
  const { records, pictures, onProgress } = described;
  return { scenario: scenarioOf(described), controls: { records, pictures, onProgress, ...settings } };
}

/** What a simulated clock cannot run says so, rather than being ignored. */
function refuseUnavailable({ control }: Scenario): void {
  if (control.replayMode === 'online')
    throw new InputError('--replay-mode online runs in real time; here a simulated clock is advanced');
}

/** Whether workers may be lost, so that requests are sent again. */
function disturbs({ control }: Scenario): boolean {
  return control.planner !== undefined && control.disturbances !== undefined;
}

/** A scenario with its engines, around which runs are made. */
class Opening {
  readonly engines: ResolvedEngines;
  private readonly warnings: string[];

  constructor(
    readonly scenario: Scenario,
    private readonly settings: RunSettings,
  ) {
    refuseUnavailable(scenario);
    this.warnings = [...scenario.warnings];
    this.engines = resolveEngines(scenario, this.warnings, settings.shelf);
    if (scenario.router.settings.bypass && !scenario.liberties.bypasses)
      this.warnings.push(
        'conditional_disagg_enabled has no effect, as in the reference; --beyond-reference makes it work',
      );
  }

  runThrough(workload: Workload): ReplayResult {
    const { options, pools } = this.parts(workload);
    if (pools.length > 1) return this.runTogether(workload);
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
    const { singleTokenPrefill, liberties, router, rules } = this.scenario;
    if (pools.length === 1) return fleetRun({ ...options, ...pools[0] });
    return splitRun({
      ...options,
      prefillsAllOutput:
        workload.plansOutput && !singleTokenPrefill && RUN_RULES[rules.semantics].prefillsAllOutput,
      bypass: liberties.bypasses ? router.settings.bypass : undefined,
      prefill: pools[0],
      decode: pools[1],
    });
  }

  private parts(workload: Workload) {
    const { scenario, settings, engines } = this;
    const { overheads } = scenario;
    const { replayConcurrency, maxSimTimeSeconds: capSeconds } = scenario.workload;
    const { source } = workload;
    const warnings = [...this.warnings, ...workload.warnings];
    const ignoresCap = source.isGraph && !scenario.liberties.capsAgents;
    if (ignoresCap && capSeconds !== undefined)
      warnings.push(
        '--max-sim-time-seconds has no effect on traces of dependent requests, as in the reference; --beyond-reference makes it work',
      );
    const { onProgress, records, pictures } = settings;
    const { frontendMs, tokenizeMsPerToken } = overheads;
    const isDelayed = frontendMs > 0 || tokenizeMsPerToken > 0;
    const isOpenLoop = replayConcurrency === undefined;
    const delayed = isDelayed
      ? new FrontendSource(source, (tokens) => frontendMs + tokenizeMsPerToken * tokens)
      : source;
    const pools = poolsOf(scenario, engines.stages, settings);
    const startMs = settings.hostMs?.() ?? 0;
    const resultOf = (collector: Collector, use: WorkerUse) => {
      const wallTimeMs = (settings.hostMs?.() ?? 0) - startMs;
      if (scenario.given.has('overheads')) use.sections.overheads = overheadsJson(overheads);
      use.sections.ttft_parts_ms = collector.latencyParts.firstTokenParts(overheads.clientMs);
      const substituted = engines.stages.flatMap(({ substitutions }) => substitutions?.() ?? []);
      const told = substituted.length > 0 ? [...warnings, substitutionWarning(substituted)] : warnings;
      if (substituted.length > 0) use.sections.timing = { substituted };
      const { report, course } = buildReport(collector, use, wallTimeMs, told, isOpenLoop);
      if (scenario.rules.semantics === 'dynamo-1.6') addCurrentKeys(report, collector, use);
      report.scenario = new ExactJson(scenarioJson(scenario));
      return resultWith(report, collector, course, pictures ? pools : undefined);
    };
    return {
      pools,
      options: {
        overheads,
        rules: scenario.rules,
        routing: engines.routing,
        source: disturbs(scenario) ? new ResendingSource(delayed) : delayed,
        collector: new Collector(
          serviceLevel(scenario.goals),
          { ended: records !== undefined || pictures === true, unfinished: records === 'all' },
          settings.onOutcome,
        ),
        isOpenLoop,
        capMs: ignoresCap || capSeconds === undefined ? Number.POSITIVE_INFINITY : capSeconds * 1000,
        checks: scenario.checks,
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
  scenario: Scenario,
  stages: ResolvedEngines['stages'],
  { pictures, watchStage }: RunSettings,
) {
  return scenario.stages.map(({ name: stage, workers }, index) => ({
    ...stages[index],
    ...{ stage, workers },
    watch: pictures ? new WorkerSeries(workers) : watchStage?.(stage),
  }));
}

/** Goals as the collector takes them; undefined without any. */
export function serviceLevel({ slaTtftMs: ttftMs, slaItlMs: itlMs, slaE2eMs: e2eMs }: ServiceLevel) {
  return ttftMs === undefined && itlMs === undefined && e2eMs === undefined
    ? undefined
    : { ttftMs, itlMs, e2eMs };
}

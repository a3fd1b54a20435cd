import { checkBypass, checkFleet, type Engines } from './check-fleet.js';
import { parseEngineArgs } from './engine-args.js';
import type { EngineArgs, EngineType } from './engine-type.js';
import { InputError } from './input-error.js';
import { type Overheads, parseOverheads } from './overheads.js';
import { type BypassSettings, parseRouterConfig, type RouterSettings } from './router-config.js';
import { type Rules, SEMANTICS, type Semantics } from './rules.js';
import { type AicArgs, estimatorArgs } from './timing-args.js';
import type { TraceFormat } from './trace-formats.js';

/** What to replay and on which fleet; the fields mirror the flags of `dynosim replay`. */
export interface ReplayOptions {
  traceFiles?: readonly string[] | undefined;
  traceFormat?: TraceFormat | undefined;
  /** Tokens per hash id; 512 unless the format embeds it. */
  traceBlockSize?: number | undefined;
  traceSharedPrefixRatio?: number | undefined;
  traceNumPrefixGroups?: number | undefined;

  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  requestCount?: number | undefined;
  requestRate?: number | undefined;
  arrivalIntervalMs?: number | undefined;
  arrivalSeed?: bigint | undefined;
  turnsPerSession?: number | undefined;
  sharedPrefixRatio?: number | undefined;
  numPrefixGroups?: number | undefined;
  interTurnDelayMs?: number | undefined;

  replayConcurrency?: number | undefined;
  arrivalSpeedupRatio?: number | undefined;
  replayMode?: 'offline' | 'online' | undefined;
  maxSimTimeSeconds?: number | undefined;

  /** JSON text of engine arguments. */
  extraEngineArgs?: string | undefined;
  /** JSON text of the timing of all engines that name none. */
  timing?: string | undefined;
  prefillEngineArgs?: string | undefined;
  decodeEngineArgs?: string | undefined;
  /** Whether a prefill worker stops after the first token, rather than generating the whole output as the reference does. */
  singleTokenPrefill?: boolean | undefined;
  /** Whether the cache tiers below the GPU's are simulated; the published reference leaves them out. */
  kvOffload?: boolean | undefined;
  /** Release of the reference whose behaviour is simulated. */
  semantics?: Semantics | undefined;
  /** Allows what the reference refuses, and lets settings work that it reads and ignores. */
  beyondReference?: boolean | undefined;
  numWorkers?: number | undefined;
  numPrefillWorkers?: number | undefined;
  numDecodeWorkers?: number | undefined;
  routerMode?: 'round_robin' | 'kv_router' | undefined;
  routerConfig?: string | undefined;
  routerPolicyConfig?: string | undefined;
  /** Seed of the KV router's choices among equals, and of its sampling. */
  routerSeed?: bigint | undefined;
  modelName?: string | undefined;
  /** Timing database of the router's prefill-load estimator, by flag name without `aic-`. */
  aic?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** Folder of AI Configurator tables (a `systems` folder). */
  aicSystems?: string | undefined;
  plannerConfig?: string | undefined;
  benchmarkGranularity?: number | undefined;

  /** JSON text of the time spent around the GPUs. */
  overheads?: string | undefined;

  slaTtftMs?: number | undefined;
  slaItlMs?: number | undefined;
  slaE2eMs?: number | undefined;

  /** Which outcomes are kept: of requests that ended, or of all, unfinished ones included. */
  records?: 'ended' | 'all' | undefined;
  /** Whether what pictures show is kept in the report: workers over time, and requests. */
  pictures?: boolean | undefined;
  /** Checks conservation laws after every pass. */
  check?: boolean | undefined;
  onProgress?: ((ended: number, total: number) => void) | undefined;
}

/** A replay whose options have been checked, defaults filled in. */
export interface ReplayPlan {
  options: ReplayOptions;
  isSynthetic: boolean;
  traceFormat: TraceFormat;
  topology: Topology;
  router: RouterSettings;
  /** Types of engines that there are. */
  types: readonly EngineType[];
  rules: Rules;
  /** Conditional disaggregation, behind either kind of router, for runs beyond the reference; undefined without. */
  bypass: BypassSettings | undefined;
  /** What the router's prefill load is estimated with. */
  routerAic: AicArgs | undefined;
  overheads: Overheads;
  arrivalSpeedup: number;
  capMs: number;
}

/** The fleet: workers that serve requests from prompt to last token, or prefill and decode workers. */
type Topology =
  | { kind: 'aggregated'; engine: EngineArgs; workers: number }
  | {
      kind: 'split';
      prefill: EngineArgs;
      decode: EngineArgs;
      prefillWorkers: number;
      decodeWorkers: number;
    };

/** Checks the options as a whole, in the reference's order. @throws {InputError} for the first problem */
export function planReplay(options: ReplayOptions, types: readonly EngineType[]): ReplayPlan {
  checkUsage(options);
  const engines = readEngines(options, types);
  const router = parseRouterConfig(options.routerConfig, options.routerPolicyConfig, options.modelName);
  checkEstimatorFlags(options);
  if (options.plannerConfig !== undefined) checkPlanner(options);
  checkUnsigned(options);
  checkTopologyFlags(options);
  checkEstimator(options, router);
  if (options.modelName === '') throw new InputError('--model-name: must not be empty');
  checkCap(options);
  checkLevels(options);
  if (options.replayConcurrency === 0)
    throw new InputError('--replay-concurrency: must be at least 1, found 0');
  checkFleet(options, engines);
  if (options.beyondReference) checkBypass(engines, router);
  refuseUnavailable(options);
  const isSynthetic = asksForSynthetic(options);
  const traceFormat = options.traceFormat ?? 'mooncake';
  if (!isSynthetic) checkFormat(options, traceFormat);
  const arrivalSpeedup = options.arrivalSpeedupRatio ?? 1;
  if (isSynthetic) checkSynthetic(options);
  if (options.replayConcurrency === undefined && !(arrivalSpeedup > 0 && Number.isFinite(arrivalSpeedup)))
    throw new InputError(
      `--arrival-speedup-ratio: must be a finite positive number, found ${arrivalSpeedup}`,
    );
  const cap = options.maxSimTimeSeconds;
  return {
    options,
    isSynthetic,
    traceFormat,
    topology: topologyOf(options, engines),
    router,
    types,
    rules: {
      semantics: options.semantics ?? SEMANTICS[0],
      beyondReference: options.beyondReference === true,
    },
    bypass: router.bypass,
    routerAic: estimatorArgs(options.aic ?? {}),
    overheads: parseOverheads(options.overheads),
    arrivalSpeedup,
    capMs: cap === undefined ? Number.POSITIVE_INFINITY : cap * 1000,
  };
}

function topologyOf(options: ReplayOptions, { aggregated, prefill, decode }: Engines): Topology {
  if (!prefill || !decode)
    return { kind: 'aggregated', engine: aggregated, workers: options.numWorkers ?? 1 };
  return {
    kind: 'split',
    prefill,
    decode,
    prefillWorkers: options.numPrefillWorkers ?? 1,
    decodeWorkers: options.numDecodeWorkers ?? 1,
  };
}

function asksForSynthetic(options: ReplayOptions): boolean {
  const { inputTokens, outputTokens, requestCount } = options;
  return (
    inputTokens !== undefined ||
    outputTokens !== undefined ||
    requestCount !== undefined ||
    (options.turnsPerSession ?? 1) !== 1 ||
    (options.sharedPrefixRatio ?? 0) !== 0 ||
    (options.numPrefixGroups ?? 0) !== 0 ||
    (options.interTurnDelayMs ?? 0) !== 0
  );
}

function checkUsage(options: ReplayOptions): void {
  const files = options.traceFiles ?? [];
  const format = options.traceFormat ?? 'mooncake';
  const isSynthetic = asksForSynthetic(options);
  const { inputTokens, outputTokens, requestCount, replayConcurrency, requestRate, arrivalIntervalMs } =
    options;
  const refuse = (problem: string): never => {
    throw new InputError(problem);
  };
  if (format === 'dynamo' && files.length === 0)
    refuse('--trace-format dynamo needs at least one trace file');
  if (format !== 'dynamo' && files.length > 1)
    refuse(`--trace-format ${format} takes one trace file, found ${files.length}`);
  if (files.length > 0 === isSynthetic)
    refuse('give either a trace file or all of --input-tokens, --output-tokens and --request-count');
  if (isSynthetic) {
    if (inputTokens === undefined || outputTokens === undefined || requestCount === undefined)
      refuse('synthetic load needs all of --input-tokens, --output-tokens and --request-count');
    const controllers = [replayConcurrency, requestRate, arrivalIntervalMs].filter(
      (value) => value !== undefined,
    );
    if (controllers.length !== 1)
      refuse(
        'synthetic load needs exactly one of --replay-concurrency, --request-rate and --arrival-interval-ms',
      );
  } else if (requestRate !== undefined || arrivalIntervalMs !== undefined)
    refuse('--request-rate and --arrival-interval-ms apply to synthetic load only');
  if (format === 'applied_compute_agentic' && replayConcurrency === undefined)
    refuse(
      '--trace-format applied_compute_agentic needs --replay-concurrency, as its traces hold no start times',
    );
  const isPlanned = options.plannerConfig !== undefined;
  if (options.maxSimTimeSeconds !== undefined && isPlanned)
    refuse('--max-sim-time-seconds cannot be used with --planner-config');
  if (options.maxSimTimeSeconds !== undefined && isSynthetic)
    refuse('--max-sim-time-seconds applies to trace replay only');
}

function readEngines(options: ReplayOptions, types: readonly EngineType[]): Engines {
  const read = (source: string | undefined, flag: string) => {
    if (source === undefined) return undefined;
    const engine = parseEngineArgs(source, flag, types, options.timing);
    // The documentation of the reference says so; its code fails.
    if (options.beyondReference && engine.transfer.gigabytesPerSecond === 0)
      engine.transfer.gigabytesPerSecond = undefined;
    return engine;
  };
  return {
    aggregated: read(options.extraEngineArgs ?? '{}', '--extra-engine-args')!,
    prefill: read(options.prefillEngineArgs, '--prefill-engine-args'),
    decode: read(options.decodeEngineArgs, '--decode-engine-args'),
  };
}

function checkEstimatorFlags(options: ReplayOptions): void {
  const aic = options.aic ?? {};
  if (Object.values(aic).every((value) => value === undefined)) return;
  const missing = ['backend', 'system', 'model-path'].filter((name) => aic[name] === undefined);
  if (missing.length > 0)
    throw new InputError(
      `timing from AI Configurator also needs ${missing.map((name) => `--aic-${name}`).join(', ')}`,
    );
}

function checkPlanner(options: ReplayOptions): void {
  if (options.replayMode === 'online') throw new InputError('--planner-config needs --replay-mode offline');
  const format = options.traceFormat ?? 'mooncake';
  if (format !== 'mooncake' && format !== 'dynamo')
    throw new InputError(`--planner-config needs --trace-format mooncake or dynamo, found ${format}`);
}

function checkUnsigned(options: ReplayOptions): void {
  const flags: Record<string, number | bigint | undefined> = {
    '--num-workers': options.numWorkers,
    '--num-prefill-workers': options.numPrefillWorkers,
    '--num-decode-workers': options.numDecodeWorkers,
    '--trace-block-size': options.traceBlockSize,
    '--trace-num-prefix-groups': options.traceNumPrefixGroups,
    '--replay-concurrency': options.replayConcurrency,
    '--arrival-seed': options.arrivalSeed,
    '--input-tokens': options.inputTokens,
    '--output-tokens': options.outputTokens,
    '--request-count': options.requestCount,
    '--turns-per-session': options.turnsPerSession,
    '--num-prefix-groups': options.numPrefixGroups,
  };
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const limit = flag === '--arrival-seed' ? (1n << 64n) - 1n : 2147483647;
    if (value < 0 || value > limit)
      throw new InputError(`${flag}: must be from 0 to ${limit}, found ${value}`);
  }
}

function checkTopologyFlags(options: ReplayOptions): void {
  const { extraEngineArgs, prefillEngineArgs, decodeEngineArgs } = options;
  const isSplit = prefillEngineArgs !== undefined || decodeEngineArgs !== undefined;
  if (isSplit && extraEngineArgs !== undefined)
    throw new InputError(
      '--extra-engine-args cannot be combined with --prefill-engine-args or --decode-engine-args',
    );
  if (isSplit && (prefillEngineArgs === undefined || decodeEngineArgs === undefined))
    throw new InputError('--prefill-engine-args and --decode-engine-args must be given together');
  if (isSplit && (options.numWorkers ?? 1) !== 1)
    throw new InputError(
      '--num-workers is for aggregated fleets; use --num-prefill-workers and --num-decode-workers',
    );
  if (!isSplit && ((options.numPrefillWorkers ?? 1) !== 1 || (options.numDecodeWorkers ?? 1) !== 1))
    throw new InputError(
      '--num-prefill-workers and --num-decode-workers need a disaggregated fleet; use --num-workers',
    );
}

function checkEstimator(options: ReplayOptions, { loadModel }: RouterSettings): void {
  const isGiven = Object.values(options.aic ?? {}).some((value) => value !== undefined);
  const isKvRouter = options.routerMode === 'kv_router';
  if (isGiven && !isKvRouter) throw new InputError('the --aic-* flags need --router-mode kv_router');
  if (isGiven && loadModel !== 'aic')
    throw new InputError('the --aic-* flags need router_prefill_load_model "aic" in --router-config');
  if (!isGiven && isKvRouter && loadModel === 'aic')
    throw new InputError('router_prefill_load_model "aic" needs the --aic-* flags');
}

function checkCap(options: ReplayOptions): void {
  const cap = options.maxSimTimeSeconds;
  if (cap === undefined) return;
  if (!(cap >= 0 && Number.isFinite(cap)))
    throw new InputError(`--max-sim-time-seconds: must be finite and not negative, found ${cap}`);
  if (options.replayMode === 'online')
    throw new InputError('--max-sim-time-seconds needs --replay-mode offline');
}

function checkLevels(options: ReplayOptions): void {
  const levels = { ttft: options.slaTtftMs, itl: options.slaItlMs, e2e: options.slaE2eMs };
  for (const [name, value] of Object.entries(levels))
    if (value !== undefined && !(value >= 0 && Number.isFinite(value)))
      throw new InputError(`--sla-${name}-ms: must be finite and not negative, found ${value}`);
}

/** Parts of the program that are still to come say so, rather than being ignored. */
function refuseUnavailable(options: ReplayOptions): void {
  const missing: [boolean, string][] = [
    [options.plannerConfig !== undefined, 'the planner (--planner-config)'],
    [options.replayMode === 'online', 'live replay (--replay-mode online)'],
  ];
  for (const [isAsked, what] of missing) if (isAsked) throw new InputError(`${what} is not available yet`);
}

function checkFormat(options: ReplayOptions, format: TraceFormat): void {
  if (options.traceBlockSize === 0) throw new InputError('--trace-block-size: must be greater than 0');
  const hint = '; --beyond-reference allows it';
  if (
    !options.beyondReference &&
    (format === 'agentic_mooncake' || format === 'mooncake-delta') &&
    options.prefillEngineArgs !== undefined
  )
    throw new InputError(`--trace-format ${format} is not supported for a disaggregated fleet${hint}`);
  if (!options.beyondReference && format === 'agentic_mooncake' && options.replayConcurrency !== undefined)
    throw new InputError(`--trace-format agentic_mooncake cannot be used with --replay-concurrency${hint}`);
  const ratio = options.traceSharedPrefixRatio ?? 0;
  if (format === 'applied_compute_agentic' && !(ratio >= 0 && ratio <= 1))
    throw new InputError(`--trace-shared-prefix-ratio: must be from 0 to 1, found ${ratio}`);
}

function checkSynthetic(options: ReplayOptions): void {
  const { requestRate, arrivalIntervalMs } = options;
  if (requestRate !== undefined && !(requestRate > 0 && Number.isFinite(requestRate)))
    throw new InputError(`--request-rate: must be a finite positive number, found ${requestRate}`);
  if (arrivalIntervalMs !== undefined && !(arrivalIntervalMs >= 0 && Number.isFinite(arrivalIntervalMs)))
    throw new InputError(
      `--arrival-interval-ms: must be finite and not negative, found ${arrivalIntervalMs}`,
    );
  const lengths = {
    '--input-tokens': options.inputTokens,
    '--output-tokens': options.outputTokens,
    '--request-count': options.requestCount,
  };
  for (const [flag, value] of Object.entries(lengths))
    if (value === 0) throw new InputError(`${flag}: must be at least 1, found 0`);
  const turns = options.turnsPerSession ?? 1;
  const ratio = options.sharedPrefixRatio ?? 0;
  const delay = options.interTurnDelayMs ?? 0;
  const isSessions = turns > 1 || ratio > 0 || (options.numPrefixGroups ?? 0) > 0 || delay > 0;
  if (!isSessions) return;
  if (turns < 1) throw new InputError(`--turns-per-session: must be at least 1, found ${turns}`);
  if (!(delay >= 0 && Number.isFinite(delay)))
    throw new InputError(`--inter-turn-delay-ms: must be finite and not negative, found ${delay}`);
  if (!(ratio >= 0 && ratio <= 1))
    throw new InputError(`--shared-prefix-ratio: must be from 0 to 1, found ${ratio}`);
}

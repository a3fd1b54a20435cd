import { InputError } from '../../config/input-error.js';
import { type JsonValue, parseJson } from '../../config/json.js';
import type {
  Mean,
  PlannerView,
  RankPass,
  StageName,
  StageView,
  Traffic,
  WorkerCapacity,
} from '../planner.js';
import { type PlannerConfig, readPlannerConfig } from '../reference/config.js';
import type { BootstrapPass } from '../reference/reference-planner.js';
import { JsonView } from './json-view.js';

/** What a planner saw at one tick, and what it decided. */
interface TranscriptTick {
  readonly view: PlannerView;
  readonly decision: Decision | undefined;
}

/** Absolute targets, as the runtime got them; null for as it is. */
export interface Decision {
  readonly prefill: number | null;
  readonly decode: number | null;
}

/** Everything that a planner saw in a run. */
export interface Transcript {
  readonly config: PlannerConfig;
  readonly prefill: WorkerCapacity | undefined;
  readonly decode: WorkerCapacity;
  readonly bootstrap: {
    readonly prefill: readonly BootstrapPass[];
    readonly decode: readonly BootstrapPass[];
  };
  readonly ticks: readonly TranscriptTick[];
}

/** @param json the parsed file @throws {InputError} naming the place */
export function readTranscript(json: JsonValue, where: string): Transcript {
  const file = JsonView.of(json, where);
  const config = readPlannerConfig(configJson(file), `${where}: planner_config`);
  const isSplit = config.mode === 'disagg';
  const capabilities = JsonView.of(file.raw('capabilities'), `${where}: capabilities`);
  const decode = readCapacity(JsonView.of(capabilities.raw('decode'), `${capabilities.where}: decode`));
  const prefillView = capabilities.optional('prefill');
  const bootstrap = file.optional('bootstrap');
  const passes = (name: string) => bootstrap?.objects(name).map(readPass) ?? [];
  const prefill = prefillView && readCapacity(prefillView);
  return {
    config,
    prefill,
    decode,
    bootstrap: isSplit
      ? { prefill: passes('prefill'), decode: passes('decode') }
      : { prefill: [], decode: passes('agg') },
    ticks: file.objects('ticks').map((tick) => ({
      view: readView(JsonView.of(tick.raw('snapshot'), `${tick.where}: snapshot`), isSplit, {
        prefill,
        decode,
      }),
      decision: readDecision(tick.optional('decision')),
    })),
  };
}

function configJson(file: JsonView): JsonValue {
  const given = file.raw('planner_config');
  if (typeof given !== 'string') return given ?? null;
  try {
    return parseJson(given);
  } catch (error) {
    throw new InputError(`${file.where}: planner_config: ${(error as Error).message}`);
  }
}

function readCapacity(view: JsonView): WorkerCapacity {
  return {
    gpus: view.optionalNumber('num_gpu') ?? 1,
    maxBatchedTokens: view.optionalNumber('max_num_batched_tokens'),
    maxRequests: view.optionalNumber('max_num_seqs'),
    kvTokens: view.optionalNumber('max_kv_tokens'),
    contextTokens: view.optionalNumber('context_length'),
    draftTokens: view.optionalNumber('speculative_nextn'),
  };
}

function readPass(view: JsonView): BootstrapPass {
  const count = (name: string) => view.optionalNumber(name) ?? 0;
  return {
    wallSeconds: view.number('wall_time'),
    prefillRequests: count('num_prefill_requests'),
    prefillTokens: count('sum_prefill_tokens'),
    prefillCachedTokens: count('sum_prefill_kv_tokens'),
    decodeRequests: count('num_decode_requests'),
    decodeTokens: count('sum_decode_kv_tokens'),
    queuedPrefillRequests: count('num_queued_prefill'),
    queuedPrefillTokens: count('sum_queued_prefill_tokens'),
    queuedDecodeRequests: count('num_queued_decode'),
    queuedDecodeTokens: count('sum_queued_decode_kv_tokens'),
  };
}

function readRankPass(view: JsonView): RankPass {
  return { worker: view.number('worker_id'), rank: view.number('dp_rank'), ...readPass(view) };
}

function readView(
  view: JsonView,
  isSplit: boolean,
  capacities: { prefill: WorkerCapacity | undefined; decode: WorkerCapacity },
): PlannerView {
  const stage = (name: StageName, side: 'prefill' | 'decode'): StageView => {
    const passes = view.objects(`${side}_fpm_snapshots`).map(readRankPass);
    const sum = (value: (pass: RankPass) => number) => passes.reduce((total, pass) => total + value(pass), 0);
    const ids = (state: string) => view.numbers(`${state}_${side}_ids`);
    const active = ids('active');
    const capacity = capacities[side] ?? capacities.decode;
    const kvTokens = (capacity.kvTokens ?? Number.POSITIVE_INFINITY) * Math.max(1, active.length);
    return {
      name,
      capacity,
      active,
      starting: ids('starting'),
      draining: ids('draining'),
      passes,
      waitingRequests: sum((pass) => pass.queuedPrefillRequests + pass.queuedDecodeRequests),
      runningRequests: sum((pass) => pass.prefillRequests + pass.decodeRequests),
      kvUse: Math.min(1, sum((pass) => pass.decodeTokens) / kvTokens),
      loads: [],
    };
  };
  return {
    nowMs: view.number('now_ms'),
    traffic: readTraffic(view.optional('traffic')),
    stages: isSplit ? [stage('prefill', 'prefill'), stage('decode', 'decode')] : [stage('agg', 'decode')],
  };
}

function readTraffic(view: JsonView | undefined): Traffic {
  const mean = (value: string, count: string): Mean => ({
    value: view?.optionalNumber(value) ?? 0,
    count: view?.optionalNumber(count) ?? view?.optionalNumber('num_req') ?? 0,
  });
  return {
    seconds: view?.optionalNumber('duration_s') ?? 0,
    requests: view?.optionalNumber('num_req') ?? 0,
    inputTokens: mean('avg_isl', 'shape_count'),
    outputTokens: mean('avg_osl', 'shape_count'),
    ttftMs: mean('avg_ttft_ms', 'ttft_count'),
    itlMs: mean('avg_itl_ms', 'itl_count'),
    hitRate: mean('avg_kv_hit_rate', 'hit_rate_count'),
    acceptLength: view?.optionalNumber('avg_accept_length'),
    forwards: view?.optionalNumber('accept_length_forward_count') ?? 0,
  };
}

function readDecision(view: JsonView | undefined): Decision | undefined {
  if (!view) return undefined;
  return {
    prefill: view.optionalNumber('target_prefill') ?? null,
    decode: view.optionalNumber('target_decode') ?? null,
  };
}

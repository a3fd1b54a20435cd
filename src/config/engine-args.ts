import type { EngineArgs, EngineType, OffloadArgs, WorkerType } from './engine-type.js';
import { type FieldRules, type FieldValues, readFields } from './fields.js';
import { InputError } from './input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from './json.js';
import type { Liberties } from './scenario/liberties.js';
import { fixedTiming, MIXED, readAic, readTiming, TIMING_FIELDS } from './timing-args.js';

const unset = 'unset';
const DTYPES = [
  'aic_gemm_dtype',
  'aic_moe_dtype',
  'aic_fmha_dtype',
  'aic_kv_cache_dtype',
  'aic_comm_dtype',
] as const;

const count = { type: 'uint', null: unset } as const;
const bandwidth = { type: 'float', min: 0, null: unset } as const;
const port = { type: 'uint', max: 65535, null: unset } as const;
const fraction = { type: 'float', min: 0, max: 1, null: unset } as const;
const text = { type: 'string', null: unset } as const;
const token = { type: 'uint', max: 0xffffffff } as const;

/** Arguments that all types of engines accept. */
const COMMON_FIELDS: FieldRules = {
  num_gpu_blocks: { type: 'uint', min: 1, null: unset },
  block_size: { type: 'uint' },
  max_model_len: { type: 'uint', min: 1, null: unset },
  max_num_seqs: { type: 'uint', min: 1, null: unset },
  max_num_batched_tokens: { type: 'uint', min: 1, null: unset },
  enable_prefix_caching: { type: 'bool' },
  enable_chunked_prefill: { type: 'bool' },
  g1_backend: { type: 'choice', choices: ['kvbm', 'native'] },
  speedup_ratio: { type: 'float', min: 0 },
  decode_speedup_ratio: { type: 'float', min: 0 },
  dp_size: { type: 'uint', min: 1, max: 0xffffffff },
  startup_time: { type: 'float', min: 0, null: unset },
  worker_type: { type: 'choice', choices: ['aggregated', 'prefill', 'decode'], null: unset },
  is_prefill: { type: 'bool' },
  is_decode: { type: 'bool' },
  planner_profile_data: text,
  aic_backend: text,
  aic_system: text,
  aic_backend_version: text,
  aic_model_path: text,
  aic_tp_size: count,
  aic_moe_tp_size: count,
  aic_moe_ep_size: count,
  aic_attention_dp_size: count,
  ...Object.fromEntries(DTYPES.map((name) => [name, text])),
  aic_nextn: { type: 'uint', min: 1, max: 5, null: unset },
  aic_nextn_accept_rates: text,
  aic_mtp_seed: { type: 'u64' },
  aic_mixed: MIXED,
  gpu_memory_utilization: fraction,
  mem_fraction_static: fraction,
  free_gpu_memory_fraction: fraction,
  enable_local_indexer: { type: 'bool' },
  bootstrap_port: port,
  zmq_kv_events_port: port,
  zmq_replay_port: port,
  handoff_session_timeout_ms: { type: 'uint', min: 1 },
  kv_bytes_per_token: count,
  kv_transfer_bandwidth: bandwidth,
  kv_transfer_timing_mode: { type: 'choice', choices: ['full_prompt', 'destination_missing'], anyCase: true },
  num_g2_blocks: count,
  num_g3_blocks: count,
  enable_g4_storage: { type: 'bool' },
  offload_batch_size: count,
  bandwidth_g1_to_g2_gbps: bandwidth,
  bandwidth_g2_to_g1_gbps: bandwidth,
  bandwidth_g2_to_g3_gbps: bandwidth,
  bandwidth_g3_to_g2_gbps: bandwidth,
  bandwidth_g2_to_g4_gbps: bandwidth,
  bandwidth_g4_to_g2_gbps: bandwidth,
  reasoning: {
    type: 'object',
    null: unset,
    fields: {
      start_thinking_token_id: token,
      end_thinking_token_id: token,
      thinking_ratio: { type: 'float' },
    },
    required: ['start_thinking_token_id', 'end_thinking_token_id', 'thinking_ratio'],
  },
  response_replay_trace_path: text,
  router_queue_policy: { type: 'choice', choices: ['fcfs', 'lcfs', 'wspt'], null: unset },
  ...TIMING_FIELDS,
  has_perf_model: { type: 'any' },
};

/** The fields of engine arguments. @param types those that there are */
export function engineFields(types: readonly EngineType[]): FieldRules {
  return {
    engine_type: { type: 'choice', choices: types.map(({ name }) => name), anyCase: true },
    ...COMMON_FIELDS,
    ...Object.assign({}, ...types.map(({ fields }) => fields)),
  };
}

/** Keys by which an engine names its timing. */
const TIMING_KEYS = ['timing', 'timing_model', 'aic_backend', 'planner_profile_data'];
const DEFAULT_ACCEPT_RATES = '0.85,0.3,0,0,0';

interface Reading {
  /** Types of engines that there are, the default one first. */
  types: readonly EngineType[];
  liberties: Liberties;
  /** The timing that holds where the engine names none. */
  timing: { json: JsonValue; where: string } | undefined;
}

/**
 * Reads engine arguments.
 * @param where their name, for messages
 * @throws {InputError} one line with the field, what was found and what is allowed
 */
export function readEngineArgs(
  given: JsonValue,
  where: string,
  { types, liberties, timing }: Reading,
): EngineArgs {
  if (!(given instanceof Map)) throw new InputError(`${where}: expected a JSON object`);
  checkRoles(given, where, liberties);
  if (!liberties.takesAnyValue) checkWords(given, where);
  const namesTiming = TIMING_KEYS.some((name) => (given.get(name) ?? null) !== null);
  const shared = namesTiming ? undefined : timing;
  const said = liberties.contradicts ? withoutVoid(given) : given;
  const json = shared ? new Map([...said, ['timing', shared.json] as const]) : said;
  const values = readFields(json, engineFields(types), where, false, liberties.takesAnyValue);
  const type = types.find(({ name }) => name === values.engine_type) ?? types[0];
  const ofTiming = shared?.where ?? `${where}: timing`;
  const { contradicts } = liberties;
  const args = resolve(values, type, json, { where, ofTiming, contradicts });
  if (shared) delete args.given.timing;
  checkCombinations(args, where, liberties);
  return args;
}

/** An engine without what says nothing: no size of blocks, and a policy of SGLang that is no word. */
function withoutVoid(json: JsonObject): JsonObject {
  const said: JsonObject = new Map(json);
  if (said.get('block_size') === null) said.delete('block_size');
  const sglang = said.get('sglang');
  if (!(sglang instanceof Map) || typeof sglang.get('schedule_policy') === 'string') return said;
  return said.set('sglang', new Map([...sglang].filter(([key]) => key !== 'schedule_policy')));
}

/** Looks for words in upper case. */
function checkWords(json: Map<string, JsonValue>, where: string): void {
  for (const name of ['kv_transfer_timing_mode', 'preemption_mode']) {
    const word = json.get(name);
    if (typeof word === 'string' && word !== word.toLowerCase())
      throw new InputError(`${where}: ${name}: must be in lower case, found ${word}`);
  }
}

function checkRoles(json: Map<string, JsonValue>, where: string, { contradicts }: Liberties): void {
  if ((json.get('worker_type') ?? null) !== null && (json.has('is_prefill') || json.has('is_decode')))
    throw new InputError(`${where}: worker_type cannot be combined with is_prefill or is_decode`);
  if (json.get('is_prefill') === true && json.get('is_decode') === true)
    throw new InputError(`${where}: is_prefill and is_decode cannot both be true`);
  const attention = json.get('aic_attention_dp_size');
  const ranks = json.get('dp_size');
  const attentionRanks = attention instanceof JsonNumber ? attention.value : 1;
  if (contradicts) return;
  const isMeasured = (json.get('aic_backend') ?? null) !== null || (attention ?? null) !== null;
  if (isMeasured && ranks instanceof JsonNumber && ranks.value > 1 && ranks.value !== attentionRanks)
    throw new InputError(
      `${where}: dp_size must match aic_attention_dp_size (got dp_size=${ranks.text}, aic_attention_dp_size=${attentionRanks})`,
    );
}

function resolve(
  values: FieldValues,
  type: EngineType,
  json: Map<string, JsonValue>,
  { where, ofTiming, contradicts }: { where: string; ofTiming: string; contradicts: boolean },
): EngineArgs {
  const pick = <T>(name: string, fallback: T): T => (values[name] as T | undefined) ?? fallback;
  const nullable = (name: string, fallback: number) =>
    json.get(name) === null ? Infinity : pick(name, fallback);
  const blockTokens = pick('block_size', 0) || type.blockTokens(values);
  const offload: OffloadArgs = {
    g2Blocks: pick('num_g2_blocks', 0),
    g3Blocks: pick('num_g3_blocks', 0),
    g4: pick('enable_g4_storage', false),
    batchBlocks: pick('offload_batch_size', 0) || 32,
    g1ToG2: pick('bandwidth_g1_to_g2_gbps', 14),
    g2ToG1: pick('bandwidth_g2_to_g1_gbps', 14),
    g2ToG3: pick('bandwidth_g2_to_g3_gbps', 7),
    g3ToG2: pick('bandwidth_g3_to_g2_gbps', 7),
    g2ToG4: pick('bandwidth_g2_to_g4_gbps', 4),
    g4ToG2: pick('bandwidth_g4_to_g2_gbps', 4),
    blockBytes: undefined,
  };
  const offloads = offload.g2Blocks > 0 || offload.g3Blocks > 0 || offload.g4;
  const role = values.is_prefill ? 'prefill' : values.is_decode ? 'decode' : 'aggregated';
  const timing = readTiming(values, json.get('timing'), ofTiming) ?? fixedTiming(values);
  const attentionRanks =
    timing?.type === 'roofline' ? timing.attentionDataParallel : pick('aic_attention_dp_size', 1);
  return {
    given: values,
    type,
    workerType: pick<WorkerType>('worker_type', role),
    gpuBlocks: pick('num_gpu_blocks', 16384),
    blockTokens,
    maxSequences: nullable('max_num_seqs', 256),
    maxBatchedTokens: nullable('max_num_batched_tokens', 8192),
    maxModelTokens: values.max_model_len as number | undefined,
    prefixCaching: pick('enable_prefix_caching', true),
    chunkedPrefill: pick('enable_chunked_prefill', true),
    pool: pick<'native' | 'kvbm'>('g1_backend', offloads && !type.traits.hasRadixTree ? 'kvbm' : 'native'),
    ranks:
      attentionRanks > 1 && !(contradicts && values.dp_size !== undefined)
        ? attentionRanks
        : pick('dp_size', 1),
    tensorParallel: timing?.type === 'roofline' ? timing.tensorParallel : pick('aic_tp_size', 1) || 1,
    speedup: pick('speedup_ratio', 1),
    decodeSpeedup: pick('decode_speedup_ratio', 1),
    acceptRates: acceptRates(values, where),
    speculationSeed: pick('aic_mtp_seed', 42n),
    timingGridPath: values.planner_profile_data as string | undefined,
    timing,
    aic: readAic(values),
    estimatesBlocks:
      (values.aic_backend !== undefined || timing?.type === 'roofline') &&
      values.num_gpu_blocks === undefined,
    routerQueuePolicy: values.router_queue_policy as EngineArgs['routerQueuePolicy'],
    transfer: {
      gigabytesPerSecond: values.kv_transfer_bandwidth as number | undefined,
      bytesPerToken: values.kv_bytes_per_token as number | undefined,
      countsMissing: values.kv_transfer_timing_mode === 'destination_missing',
    },
    offload,
  };
}

function acceptRates(values: FieldValues, where: string): number[] | undefined {
  const drafts = values.aic_nextn as number | undefined;
  const given = values.aic_nextn_accept_rates as string | undefined;
  if (given === undefined && drafts === undefined) return undefined;
  const field = `${where}: aic_nextn_accept_rates`;
  const rates = (given?.trim() || DEFAULT_ACCEPT_RATES).split(',').map((part, index) => {
    const rate = part.trim() === '' ? Number.NaN : Number(part);
    if (!(rate >= 0 && rate <= 1))
      throw new InputError(
        `${field}: entry ${index + 1} must be a number from 0 to 1, found "${part.trim()}"`,
      );
    return rate;
  });
  if (drafts === undefined) throw new InputError(`${field}: needs aic_nextn`);
  return Array.from({ length: drafts }, (_, index) => rates[index] ?? 0);
}

function checkCombinations(args: EngineArgs, where: string, liberties: Liberties): void {
  const refuse = (problem: string): never => {
    throw new InputError(`${where}: ${problem}`);
  };
  const sources = [
    args.given.timing && 'timing',
    args.given.timing_model && 'timing_model',
    args.aic && 'aic_backend',
    args.timingGridPath && 'planner_profile_data',
  ];
  const given = sources.filter((source) => source !== undefined);
  if (args.timing && given.length > 1) refuse(`${given.join(' and ')} exclude each other`);
  if (args.blockTokens === 0) refuse('block_size must be greater than 0');
  args.type.check(args, refuse, liberties);
  if (args.maxModelTokens !== undefined && !args.type.traits.limitsLength && !liberties.limitsAnyEngine)
    refuse(`max_model_len is supported only for engine_type=vllm, found ${args.type.name}`);
  for (const key of ['prefill_schedule_interval', 'prefill_decode_interval'])
    if (args.given[key] !== undefined && !liberties.spacesPrefills)
      refuse(`${key} needs semantics dynamo-1.6 or beyond_reference`);
  const { g2Blocks, g3Blocks, g4 } = args.offload;
  if (g3Blocks > 0 && g2Blocks === 0)
    refuse('num_g3_blocks needs num_g2_blocks, because G3 is staged through G2');
  if (g4 && g2Blocks === 0) refuse('enable_g4_storage needs num_g2_blocks, because G4 is staged through G2');
  if (args.acceptRates && args.decodeSpeedup !== 1)
    refuse(`aic_nextn needs decode_speedup_ratio=1, found ${args.decodeSpeedup}`);
  const policy = (args.given.trtllm as FieldValues | undefined)?.capacity_scheduler_policy;
  if (policy !== undefined && policy !== 'guaranteed_no_evict')
    refuse(
      `trtllm.capacity_scheduler_policy: only guaranteed_no_evict is supported, found ${String(policy)}`,
    );
}

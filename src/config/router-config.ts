import { type FieldRules, type FieldValues, readFields } from './fields.js';
import { InputError } from './input-error.js';
import type { JsonObject, JsonValue } from './json.js';
import type { PolicyProfile } from './router-policy.js';
import type { Liberties } from './scenario/liberties.js';

const unset = 'unset';
const atLeastZero = { type: 'float', min: 0 } as const;
const ratio = { type: 'float', min: 0, max: 1 } as const;
const flag = { type: 'bool' } as const;

/** Fields of the KV router's configuration, in the order in which a JSON list would give them. */
export const ROUTER_FIELDS: FieldRules = {
  overlap_score_credit: atLeastZero,
  overlap_score_credit_decay: atLeastZero,
  prefill_load_scale: atLeastZero,
  decode_active_request_weight: atLeastZero,
  overlap_score_weight: { type: 'float', min: 0, null: unset },
  host_cache_hit_weight: ratio,
  disk_cache_hit_weight: ratio,
  router_temperature: atLeastZero,
  use_kv_events: flag,
  durable_kv_events: flag,
  router_replica_sync: flag,
  router_track_active_blocks: flag,
  router_track_output_blocks: flag,
  router_assume_kv_reuse: flag,
  router_track_prefill_tokens: flag,
  router_tracking_hash: { type: 'choice', choices: ['public-xxh3-v1', 'keyed-xxh3-v1'] },
  router_tracking_key_file: { type: 'string', null: unset },
  router_tracking_key_id: { type: 'string', null: unset },
  router_prefill_load_model: { type: 'choice', choices: ['none', 'aic', 'ais'] },
  router_snapshot_threshold: { type: 'uint', max: 0xffffffff, null: unset },
  router_reset_states: flag,
  router_ttl_secs: atLeastZero,
  router_queue_threshold: { type: 'float', min: 0, null: unset },
  router_policy_config: { type: 'string', null: unset },
  router_event_threads: { type: 'uint', min: 1, max: 0xffffffff },
  skip_initial_worker_wait: flag,
  router_queue_policy: { type: 'choice', choices: ['fcfs', 'lcfs', 'wspt'] },
  use_remote_indexer: flag,
  serve_indexer: flag,
  shared_cache_multiplier: ratio,
  shared_cache_type: { type: 'choice', choices: ['none', 'hicache'] },
  router_predicted_ttl_secs: { type: 'float', min: 0, null: unset },
  conditional_disagg_enabled: flag,
  conditional_disagg_policy: { type: 'choice', choices: ['isl_bounding', 'prefill_load', 'isl_or_load'] },
  conditional_disagg_eff_isl_threshold: { type: 'uint' },
  conditional_disagg_eff_isl_ratio_threshold: ratio,
  conditional_disagg_prefill_busy_threshold: { type: 'float', min: 0, null: unset },
  conditional_disagg_decode_busy_threshold: { type: 'float', min: 0, null: unset },
};

/** What only the newest release reads: it concerns sessions of live deployments. */
const NEW_FIELDS: FieldRules = { enable_session_prefix_index: flag };

/** What releases of the reference differ in. */
type RouterLiberties = Pick<Liberties, 'takesAnyValue' | 'takesNewWords' | 'contradicts'>;

/** When a request skips the prefill workers and is computed by its decode worker. */
export interface BypassSettings {
  policy: 'isl_bounding' | 'prefill_load' | 'isl_or_load';
  /** Uncached prompt tokens, and their part of the prompt, up to which a prompt is short. */
  mostTokens: number;
  mostPart: number;
  /** Part of a pass's tokens above which a prefill worker is busy; undefined where load does not count. */
  prefillBusy: number | undefined;
  /** Part of its blocks above which a decode worker takes no prompts. */
  decodeBusy: number | undefined;
}

/** The KV router as the user described it, defaults filled in. */
export interface RouterSettings {
  overlapCredit: number;
  overlapCreditDecay: number;
  prefillLoadScale: number;
  activeRequestWeight: number;
  /** Credit of blocks in the host tier, where tiers are simulated. */
  hostCredit: number;
  temperature: number;
  tracksPrefill: boolean;
  tracksBlocks: boolean;
  assumesReuse: boolean;
  loadModel: 'none' | 'aic';
  /** Conditional disaggregation; undefined where every request goes through a prefill worker. */
  bypass: BypassSettings | undefined;
  /** Part of a pass's tokens above which a target is busy; undefined without a queue. */
  queueThreshold: number | undefined;
  queuePolicy: 'fcfs' | 'lcfs' | 'wspt';
  /** File of policy classes. */
  policyPath: string | undefined;
  /** Policy classes of that file, once it is read; they replace the threshold and the policy above. */
  policy: PolicyProfile | undefined;
}

/**
 * Reads a KV router configuration; it must be valid in every router mode.
 * @param policyPath the policy file named by a setting of its own
 * @param where its name, for messages
 * @param liberties where releases differ
 * @throws {InputError} with the field, what was found and what is allowed
 */
export function readRouterConfig(
  json: JsonValue | undefined,
  policyPath: string | undefined,
  where: string,
  liberties: RouterLiberties,
): RouterSettings {
  const given = json ?? new Map<string, JsonValue>();
  const isList = Array.isArray(given) && given.length > 0;
  if (policyPath !== undefined && !(given instanceof Map) && !(isList && liberties.contradicts))
    throw new InputError(`${where}: must be a JSON object when a policy file is given`);
  const object = new Map(given instanceof Map ? given : asObject(given, where));
  if (policyPath !== undefined && !isList) object.set('router_policy_config', policyPath);
  const fields = liberties.takesNewWords ? { ...ROUTER_FIELDS, ...NEW_FIELDS } : ROUTER_FIELDS;
  const values = readFields(object, fields, where);
  checkCombinations(values, where, liberties);
  return toSettings(values);
}

function toSettings(values: FieldValues): RouterSettings {
  const pick = <T>(name: string, fallback: T): T => (values[name] as T | undefined) ?? fallback;
  const weight = values.overlap_score_weight as number | undefined;
  return {
    overlapCredit: weight === 0 ? 0 : pick('overlap_score_credit', 1),
    hostCredit: pick('host_cache_hit_weight', 0.75),
    overlapCreditDecay: pick('overlap_score_credit_decay', 0),
    prefillLoadScale: weight ?? pick('prefill_load_scale', 1),
    activeRequestWeight: pick('decode_active_request_weight', 0),
    temperature: pick('router_temperature', 0),
    tracksPrefill: pick('router_track_prefill_tokens', true),
    tracksBlocks: pick('router_track_active_blocks', true),
    assumesReuse: pick('router_assume_kv_reuse', true),
    loadModel: pick('router_prefill_load_model', 'none') === 'none' ? 'none' : 'aic',
    queueThreshold: values.router_queue_threshold as number | undefined,
    queuePolicy: pick<RouterSettings['queuePolicy']>('router_queue_policy', 'fcfs'),
    bypass: values.conditional_disagg_enabled ? readBypass(values) : undefined,
    policyPath: values.router_policy_config as string | undefined,
    policy: undefined,
  };
}

function readBypass(values: FieldValues): BypassSettings {
  const pick = <T>(name: string, fallback: T): T =>
    (values[`conditional_disagg_${name}`] as T | undefined) ?? fallback;
  return {
    policy: pick<BypassSettings['policy']>('policy', 'isl_bounding'),
    mostTokens: pick('eff_isl_threshold', 2048),
    mostPart: pick('eff_isl_ratio_threshold', 0.7),
    prefillBusy: pick('prefill_busy_threshold', values.router_queue_threshold as number | undefined),
    decodeBusy: pick('decode_busy_threshold', undefined),
  };
}

function asObject(json: JsonValue, where: string): JsonObject {
  const names = Object.keys(ROUTER_FIELDS);
  if (!Array.isArray(json)) throw new InputError(`${where}: expected a JSON object`);
  if (json.length > names.length)
    throw new InputError(`${where}: a list may have ${names.length} entries at most`);
  return new Map(json.map((value, index) => [names[index], value]));
}

function checkCombinations(values: FieldValues, where: string, liberties: RouterLiberties): void {
  const refuse = (problem: string): never => {
    throw new InputError(`${where}: ${problem}`);
  };
  if (values.durable_kv_events) refuse('durable_kv_events: true is not supported');
  const isKeyed = values.router_tracking_hash === 'keyed-xxh3-v1';
  const keyFile = values.router_tracking_key_file;
  const keyId = values.router_tracking_key_id;
  if (!isKeyed && (keyFile !== undefined || keyId !== undefined))
    refuse('router_tracking_key_file and router_tracking_key_id need router_tracking_hash=keyed-xxh3-v1');
  if (isKeyed && keyFile === undefined)
    refuse('router_tracking_hash=keyed-xxh3-v1 needs router_tracking_key_file');
  if (isKeyed && (typeof keyId !== 'string' || keyId === '' || keyId.trim() !== keyId))
    refuse('router_tracking_hash=keyed-xxh3-v1 needs a router_tracking_key_id without outer blanks');
  if (values.router_track_output_blocks && values.router_track_active_blocks === false)
    refuse('router_track_output_blocks needs router_track_active_blocks=true');
  const loadModel = values.router_prefill_load_model ?? 'none';
  if (loadModel === 'ais' && !liberties.takesNewWords)
    refuse('router_prefill_load_model: found ais, allowed are none, aic');
  if (loadModel !== 'none' && values.router_track_prefill_tokens === false)
    refuse('router_prefill_load_model needs router_track_prefill_tokens=true');
  if (values.use_remote_indexer && values.serve_indexer)
    refuse('use_remote_indexer and serve_indexer exclude each other');
  const credit = values.overlap_score_weight === 0 ? 0 : (values.overlap_score_credit ?? 1);
  if (values.serve_indexer && credit === 0 && !liberties.contradicts)
    refuse('serve_indexer needs overlap_score_credit above 0');
  if (values.router_predicted_ttl_secs !== undefined && values.use_kv_events === false)
    refuse('router_predicted_ttl_secs needs use_kv_events=true');
  if (!liberties.takesAnyValue) checkBypass(values, refuse);
}

/** Looks for a policy by load without a load. */
function checkBypass(values: FieldValues, refuse: (problem: string) => never): void {
  const { conditional_disagg_enabled: isOn, conditional_disagg_policy: policy } = values;
  const threshold = values.conditional_disagg_prefill_busy_threshold ?? values.router_queue_threshold;
  if (isOn && (policy === 'prefill_load' || policy === 'isl_or_load') && threshold === undefined)
    refuse(
      `conditional_disagg_policy ${policy} needs conditional_disagg_prefill_busy_threshold or router_queue_threshold`,
    );
}

import type { JsonObject } from '../../config/json.js';
import { LaxFields } from './lax-fields.js';

/** How a model is spread over GPUs. */
interface ParallelPick {
  readonly tensor: number;
  readonly pipeline: number;
  readonly data: number;
  readonly moeTensor: number;
  readonly moeExpert: number;
}

/** A model on a kind of GPU whose pass times are asked of tables instead of learned. */
export interface PerfModelSpec {
  readonly modelPath: string;
  readonly system: string;
  readonly backend: 'trtllm' | 'vllm' | 'sglang';
  readonly version: string | undefined;
  readonly prefillPick: ParallelPick | undefined;
  readonly decodePick: ParallelPick | undefined;
  readonly dtypes: {
    readonly weight: string | undefined;
    readonly moe: string | undefined;
    readonly activation: string | undefined;
    readonly kvCache: string | undefined;
  };
}

/** @throws {InputError} naming the field, what was found and what is allowed */
export function readPerfModel(object: JsonObject | undefined, where: string): PerfModelSpec | undefined {
  if (!object) return undefined;
  const fields = new LaxFields(new Map(object), where);
  fields.nullable([
    'backend_version',
    'prefill_pick',
    'decode_pick',
    'model_arch',
    'weight_dtype',
    'moe_dtype',
    'activation_dtype',
    'kv_cache_dtype',
  ]);
  fields.text('model_arch');
  const required = (name: string) => fields.text(name) ?? fields.fail(name, 'a string');
  return {
    modelPath: required('hf_id'),
    system: required('system'),
    backend: fields.choice('backend', ['trtllm', 'vllm', 'sglang']) ?? fields.fail('backend', 'a string'),
    version: fields.text('backend_version'),
    prefillPick: readPick(fields.nested('prefill_pick'), `${where}: prefill_pick`),
    decodePick: readPick(fields.nested('decode_pick'), `${where}: decode_pick`),
    dtypes: {
      weight: fields.text('weight_dtype'),
      moe: fields.text('moe_dtype'),
      activation: fields.text('activation_dtype'),
      kvCache: fields.text('kv_cache_dtype'),
    },
  };
}

function readPick(object: JsonObject | undefined, where: string): ParallelPick | undefined {
  if (!object) return undefined;
  const fields = new LaxFields(object, where);
  return {
    tensor: fields.integer('tp') ?? 1,
    pipeline: fields.integer('pp') ?? 1,
    data: fields.integer('dp') ?? 1,
    moeTensor: fields.integer('moe_tp') ?? 1,
    moeExpert: fields.integer('moe_ep') ?? 1,
  };
}

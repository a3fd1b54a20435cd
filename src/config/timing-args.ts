import type { FieldRules, FieldValues } from './fields.js';
import { InputError } from './input-error.js';
import { JsonNumber, type JsonValue } from './json.js';

const unset = 'unset';
const text = { type: 'string', null: unset } as const;
/** How a pass with prompts and decodes is timed. */
export const MIXED = { type: 'choice', choices: ['serial', 'fused'], null: unset } as const;
const WEIGHT_FORMATS = ['bfloat16', 'fp8', 'fp8_static', 'fp8_block', 'int8_wo', 'int4_wo', 'nvfp4'];

/** Arguments of engines that name their timing. */
export const TIMING_FIELDS: FieldRules = {
  timing: {
    type: 'object',
    null: unset,
    fields: {
      type: { type: 'choice', choices: ['fitted', 'roofline', 'table'] },
      gpu: text,
      model: text,
      tp: { type: 'uint', min: 1, null: unset },
      dp: { type: 'uint', min: 1, null: unset },
      moe_tp: { type: 'uint', min: 1, null: unset },
      ep: { type: 'uint', min: 1, null: unset },
      engine_version: text,
      mixed: MIXED,
      p2p: { type: 'bool' },
      link_gbps: { type: 'float', min: 0.001, null: unset },
      dtype: { type: 'choice', choices: WEIGHT_FORMATS, null: unset },
      moe_dtype: { type: 'choice', choices: [...WEIGHT_FORMATS, 'w4a16_mxfp4'], null: unset },
      kv_dtype: { type: 'choice', choices: ['bfloat16', 'fp8', 'int8'], null: unset },
      path: text,
      prefill: { type: 'any' },
      decode: { type: 'any' },
    },
    required: ['type'],
  },
  timing_model: {
    type: 'object',
    null: unset,
    fields: {
      type: { type: 'choice', choices: ['fixed'] },
      prefill_ms: { type: 'float', min: 0 },
      decode_ms: { type: 'float', min: 0 },
    },
    required: ['type', 'prefill_ms', 'decode_ms'],
  },
};

type Coefficients = readonly [number, number, number];

/** A model on GPUs of a data sheet; number formats are the model's own where none are given. */
interface RooflineArgs {
  type: 'roofline';
  gpu: string;
  model: string;
  tensorParallel: number;
  /** Ranks of attention, and how experts are spread; all GPUs share each expert where neither is given. */
  attentionDataParallel: number;
  moeTensorParallel: number | undefined;
  moeExpertParallel: number | undefined;
  dtype: string | undefined;
  moeDtype: string | undefined;
  kvDtype: string | undefined;
  /** Whether GPUs on PCIe reach each other's memory, and GB/s of the link in place of the data sheet's. */
  peerToPeer: boolean | undefined;
  linkGbps: number | undefined;
  /** What the size of the KV cache depends on beside the model and the GPU. */
  memoryShare: number | undefined;
  /** Whether a pass with prompts and decodes is one, and not the sum of two. */
  isFused: boolean;
  engineVersion: string | undefined;
}

/** Timing from first principles, from coefficients, from measured passes in a file, or always the same. */
export type TimingArgs =
  | { type: 'fixed'; prefillMs: number; decodeMs: number }
  | { type: 'fitted'; prefill: Coefficients; decode: Coefficients }
  | RooflineArgs
  | { type: 'table'; path: string };

/** One model on one kind of GPU, as AI Configurator tables are asked about it. */
export interface AicArgs {
  backend: string;
  system: string;
  version: string | undefined;
  modelPath: string | undefined;
  tensorParallel: number;
  moeTensorParallel: number;
  moeExpertParallel: number;
  attentionDataParallel: number;
  dtypes: {
    gemm: string | undefined;
    moe: string | undefined;
    fmha: string | undefined;
    kvcache: string | undefined;
    comm: string | undefined;
  };
  draftTokens: number;
  /** Whether a pass with prompts and decodes is one, and not the sum of two as in the reference. */
  isFused: boolean;
  /** Part of the GPU's memory for the KV cache, and what else its estimate reads. */
  kvFraction: number;
  blockTokens: number;
  maxBatchedTokens: number;
}

/** Reads the `timing_model` of an engine, as the reference names what takes the same time always. */
export function fixedTiming({ timing_model: model }: FieldValues): TimingArgs | undefined {
  if (model === undefined) return undefined;
  const { prefill_ms: prefillMs, decode_ms: decodeMs } = model as { prefill_ms: number; decode_ms: number };
  return { type: 'fixed', prefillMs, decodeMs };
}

/** Reads the `timing` of an engine. @param json the object as written, for its lists */
export function readTiming(
  engine: FieldValues,
  json: JsonValue | undefined,
  where: string,
): TimingArgs | undefined {
  const values = engine.timing as FieldValues | undefined;
  const coefficients = (name: string): Coefficients => {
    const list = json instanceof Map ? json.get(name) : undefined;
    if (!Array.isArray(list) || list.length !== 3 || !list.every((value) => value instanceof JsonNumber))
      throw new InputError(`${where}: type fitted needs ${name} as a list of 3 numbers`);
    return (list as JsonNumber[]).map(({ value }) => value) as unknown as Coefficients;
  };
  const need = (name: string, type: string): string => {
    if (values?.[name] === undefined) throw new InputError(`${where}: type ${type} needs ${name}`);
    return values[name] as string;
  };
  switch (values?.type) {
    case 'roofline':
      return {
        type: 'roofline',
        gpu: need('gpu', 'roofline'),
        model: need('model', 'roofline'),
        tensorParallel: (values.tp as number | undefined) ?? 1,
        attentionDataParallel: ((values.dp ?? engine.dp_size) as number | undefined) ?? 1,
        moeTensorParallel: values.moe_tp as number | undefined,
        moeExpertParallel: values.ep as number | undefined,
        dtype: values.dtype as string | undefined,
        moeDtype: values.moe_dtype as string | undefined,
        kvDtype: values.kv_dtype as string | undefined,
        peerToPeer: values.p2p as boolean | undefined,
        linkGbps: values.link_gbps as number | undefined,
        isFused: values.mixed === 'fused',
        memoryShare: memoryShare(engine),
        engineVersion: values.engine_version as string | undefined,
      };
    case 'table':
      return { type: 'table', path: need('path', 'table') };
    case 'fitted':
      return { type: 'fitted', prefill: coefficients('prefill'), decode: coefficients('decode') };
    default:
      return undefined;
  }
}

/** Part of the GPU's memory that the engine may take, by the name that each engine has for it. */
function memoryShare(engine: FieldValues): number | undefined {
  const names: Record<string, string> = { sglang: 'mem_fraction_static', trtllm: 'free_gpu_memory_fraction' };
  return engine[names[engine.engine_type as string] ?? 'gpu_memory_utilization'] as number | undefined;
}

const DEFAULT_SYSTEM = 'h200_sxm';

/** Reads the `aic_*` fields of an engine; undefined without `aic_backend`. */
export function readAic(values: FieldValues): AicArgs | undefined {
  if (values.aic_backend === undefined) return undefined;
  const backend = values.aic_backend as string;
  const text = (name: string) => values[name] as string | undefined;
  const count = (name: string) => (values[name] as number | undefined) || 1;
  const fractions: Record<string, unknown> = {
    sglang: values.mem_fraction_static ?? 0.88,
    trtllm: values.free_gpu_memory_fraction ?? 0.9,
  };
  const pageTokens = (values.sglang as FieldValues | undefined)?.page_size as number | undefined;
  const blocks: Record<string, number> = { sglang: pageTokens ?? 1, trtllm: 32 };
  return {
    backend,
    system: text('aic_system') ?? DEFAULT_SYSTEM,
    version: text('aic_backend_version'),
    modelPath: text('aic_model_path'),
    tensorParallel: count('aic_tp_size'),
    moeTensorParallel: count('aic_moe_tp_size'),
    moeExpertParallel: count('aic_moe_ep_size'),
    attentionDataParallel: count('aic_attention_dp_size'),
    dtypes: {
      gemm: text('aic_gemm_dtype'),
      moe: text('aic_moe_dtype'),
      fmha: text('aic_fmha_dtype'),
      kvcache: text('aic_kv_cache_dtype'),
      comm: text('aic_comm_dtype'),
    },
    draftTokens: (values.aic_nextn as number | undefined) ?? 0,
    isFused: values.aic_mixed === 'fused',
    kvFraction: (fractions[backend] ?? values.gpu_memory_utilization ?? 0.9) as number,
    blockTokens: (values.block_size as number | undefined) || (blocks[backend] ?? 64),
    maxBatchedTokens: (values.max_num_batched_tokens as number | undefined) ?? 8192,
  };
}

/** Tables for the router's estimate, from the settings of their names. */
export function estimatorArgs(
  tables: Readonly<Record<string, string | number | undefined>>,
): AicArgs | undefined {
  if (tables.aicBackend === undefined) return undefined;
  const text = (name: string) => tables[name] as string | undefined;
  const count = (name: string) => (tables[name] as number | undefined) ?? 1;
  return {
    backend: text('aicBackend')!,
    system: text('aicSystem')!,
    version: text('aicBackendVersion'),
    modelPath: text('aicModelPath'),
    tensorParallel: count('aicTpSize'),
    moeTensorParallel: count('aicMoeTpSize'),
    moeExpertParallel: count('aicMoeEpSize'),
    attentionDataParallel: count('aicAttentionDpSize'),
    dtypes: {
      gemm: text('aicGemmDtype'),
      moe: text('aicMoeDtype'),
      fmha: text('aicFmhaDtype'),
      kvcache: text('aicKvCacheDtype'),
      comm: text('aicCommDtype'),
    },
    draftTokens: (tables.aicNextn as number | undefined) ?? 0,
    isFused: false,
    kvFraction: 0.9,
    blockTokens: 64,
    maxBatchedTokens: 8192,
  };
}

import { AicError } from './aic-error.js';
import type { JsonRecord } from './model-files.js';

/** Number formats of the parts of a model. */
export interface QuantModes {
  gemm: string;
  moe: string;
  fmha: string;
  kvcache: string;
}

/** What a user may set instead of what the model's files say. */
export interface QuantOverrides {
  gemm?: string | undefined;
  moe?: string | undefined;
  fmha?: string | undefined;
  kvcache?: string | undefined;
  comm?: string | undefined;
}

/** Bytes of a value, and how much faster it is multiplied than bfloat16. */
export interface FormatCost {
  bytes: number;
  speed: number;
}

const GEMM: Record<string, FormatCost> = {
  bfloat16: { bytes: 2, speed: 1 },
  int8_wo: { bytes: 1, speed: 1 },
  int4_wo: { bytes: 0.5, speed: 1 },
  fp8: { bytes: 1, speed: 2 },
  fp8_static: { bytes: 1, speed: 2 },
  sq: { bytes: 1, speed: 2 },
  fp8_block: { bytes: 1, speed: 2 },
  fp8_ootb: { bytes: 1, speed: 2 },
  nvfp4: { bytes: 0.5625, speed: 4 },
};
const MOE: Record<string, FormatCost> = {
  bfloat16: { bytes: 2, speed: 1 },
  fp8: { bytes: 1, speed: 2 },
  int4_wo: { bytes: 0.5, speed: 1 },
  fp8_block: { bytes: 1, speed: 2 },
  w4afp8: { bytes: 0.5, speed: 2 },
  nvfp4: { bytes: 0.5625, speed: 4 },
  w4a16_mxfp4: { bytes: 0.5, speed: 1 },
  w4a8_mxfp4_mxfp8: { bytes: 0.5, speed: 2 },
  w4a8_mxfp4_mxfp8_trtllm: { bytes: 0.5, speed: 2 },
  w4a16_mxfp4_cutlass: { bytes: 0.5, speed: 1 },
};
const FMHA: Record<string, FormatCost> = {
  bfloat16: { bytes: 2, speed: 1 },
  fp8: { bytes: 1, speed: 2 },
  fp8_block: { bytes: 1, speed: 2 },
};
const KV: Record<string, FormatCost> = {
  bfloat16: { bytes: 2, speed: 1 },
  int8: { bytes: 1, speed: 1 },
  fp8: { bytes: 1, speed: 2 },
};
const COMM: Record<string, FormatCost> = {
  half: { bytes: 2, speed: 1 },
  int8: { bytes: 1, speed: 1 },
  fp8: { bytes: 1, speed: 1 },
};
const FORMATS: Record<keyof QuantOverrides, Record<string, FormatCost>> = {
  gemm: GEMM,
  moe: MOE,
  fmha: FMHA,
  kvcache: KV,
  comm: COMM,
};
const NONE = ['', 'auto', 'none', 'null'];

/** Costs of a format; undefined for one that tables name but this program does not know. */
export function formatCost(part: keyof QuantOverrides, mode: string): FormatCost | undefined {
  return FORMATS[part][mode];
}

/** Reads an override as written by a user. @throws {AicError} for an unknown format */
function readOverride(part: keyof QuantOverrides, written: string | undefined): string | undefined {
  const trimmed = written?.trim();
  if (trimmed === undefined || NONE.includes(trimmed.toLowerCase())) return undefined;
  const mode = trimmed === 'int4' ? 'int4_wo' : trimmed;
  if (!(mode in FORMATS[part]))
    throw new AicError(
      `unsupported AIC ${part} quant mode "${written}"; supported values: ${Object.keys(FORMATS[part]).join(', ')}`,
    );
  return mode;
}

/** Quant modes of a model (`sdk/models/helpers.py` of the reference's estimator). */
export function inferQuant(
  config: JsonRecord,
  hfQuant: JsonRecord | undefined,
  backend: string,
  overrides: QuantOverrides,
): QuantModes {
  const qc = quantizationOf(config);
  const hq = hfQuant?.quantization as JsonRecord | undefined;
  const algo = algorithmOf(qc, hq);
  const kvAlgo = kvAlgorithmOf(qc, hq);
  const { gemm, moe } = weightModes(algo, qc);
  let kvcache = kvAlgo ?? 'bfloat16';
  let fmha = 'bfloat16';
  if (algo !== undefined && (['fp8', 'fp8_block', 'nvfp4'].includes(algo) || kvAlgo === 'fp8')) {
    fmha = 'fp8';
    kvcache = 'fp8';
  }
  if (backend === 'vllm' && fmha === 'fp8') fmha = 'bfloat16';
  return withOverrides({ gemm, moe, fmha, kvcache }, overrides);
}

/** Modes where a user set some. @throws {AicError} for an unknown format */
export function withOverrides(own: QuantModes, overrides: QuantOverrides): QuantModes {
  const given = Object.fromEntries(
    (Object.keys(FORMATS) as (keyof QuantOverrides)[]).map((part) => [
      part,
      readOverride(part, overrides[part]),
    ]),
  ) as QuantOverrides;
  return {
    gemm: given.gemm ?? own.gemm,
    moe: given.moe ?? own.moe,
    fmha: given.fmha ?? own.fmha,
    kvcache: given.kvcache ?? own.kvcache,
  };
}

/** Format of the KV cache as a model's files give it; undefined where they say nothing of it. */
export function writtenKvFormat(config: JsonRecord, hfQuant: JsonRecord | undefined): string | undefined {
  return kvAlgorithmOf(quantizationOf(config), hfQuant?.quantization as JsonRecord | undefined);
}

function quantizationOf(config: JsonRecord): JsonRecord | undefined {
  return (config.quantization_config ?? (config.text_config as JsonRecord)?.quantization_config) as
    | JsonRecord
    | undefined;
}

function firstText(...values: unknown[]): string | undefined {
  for (const value of values) {
    const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
    if (text !== '') return text;
  }
  return undefined;
}

function algorithmOf(qc: JsonRecord | undefined, hq: JsonRecord | undefined): string | undefined {
  const algo = firstText(hq?.quant_algo, qc?.quant_algo, qc?.quant_method, qc?.quantization_method);
  if (algo === 'w4a16_mxfp4') return 'mxfp4';
  if (algo === 'mixed-precision' || algo === 'mixedprecision') return 'mixed_precision';
  const blocks = qc?.weight_block_size;
  if (algo === 'fp8' && Array.isArray(blocks) && blocks.length > 0) return 'fp8_block';
  return algo;
}

function kvAlgorithmOf(qc: JsonRecord | undefined, hq: JsonRecord | undefined): string | undefined {
  const written = firstText(
    hq?.kv_cache_quant_algo,
    qc?.kv_cache_quant_algo,
    qc?.kv_cache_quant_method,
    qc?.kv_cache_dtype,
  );
  if (written !== undefined) {
    if (['fp8', 'e4m3', 'e5m2'].includes(written)) return 'fp8';
    if (['fp16', 'float16', 'bf16', 'bfloat16'].includes(written)) return 'bfloat16';
    return undefined;
  }
  const scheme = qc?.kv_cache_scheme as JsonRecord | undefined;
  if (!scheme || typeof scheme !== 'object') return undefined;
  const type = String(scheme.type ?? '').toLowerCase();
  if (type.includes('fp8')) return 'fp8';
  const bits = Number(scheme.num_bits);
  if (type === 'float' && bits <= 8) return 'fp8';
  return type === 'float' && bits >= 16 ? 'bfloat16' : undefined;
}

function weightModes(algo: string | undefined, qc: JsonRecord | undefined): { gemm: string; moe: string } {
  switch (algo) {
    case undefined:
      return { gemm: 'bfloat16', moe: 'bfloat16' };
    case 'fp8':
      return { gemm: isDynamic(qc) ? 'fp8' : 'fp8_static', moe: 'fp8' };
    case 'fp8_block':
      return { gemm: 'fp8_block', moe: 'fp8_block' };
    case 'nvfp4':
      return { gemm: 'nvfp4', moe: 'nvfp4' };
    case 'mxfp4':
      return { gemm: 'bfloat16', moe: 'w4a16_mxfp4' };
    case 'compressed-tensors':
      return compressedModes(qc ?? {});
    default:
      throw new AicError(`Unsupported quant algorithm: ${algo}`);
  }
}

function isDynamic(qc: JsonRecord | undefined): boolean {
  if (qc?.activation_scheme === 'dynamic') return true;
  if (qc?.activation_scheme === 'static') return false;
  return configGroups(qc ?? {}).some(
    (group) => (group.input_activations as JsonRecord)?.dynamic || (group.weights as JsonRecord)?.dynamic,
  );
}

function configGroups(qc: JsonRecord): JsonRecord[] {
  return Object.values((qc.config_groups as Record<string, JsonRecord>) ?? {});
}

function compressedModes(qc: JsonRecord): { gemm: string; moe: string } {
  const base =
    configGroups(qc)
      .map(weightMode)
      .find((mode) => mode !== undefined) ?? 'bfloat16';
  const ignored = ((qc.ignore as string[]) ?? []).map((pattern) => String(pattern).toLowerCase());
  const ignores = (pattern: string, words: string[]) => words.some((word) => pattern.includes(word));
  const attention = ['self_attn', 'q_proj', 'k_proj', 'v_proj', 'o_proj'];
  const skipsAttention = ignored.some((pattern) => ignores(pattern, attention));
  const skipsExperts = ignored.some(
    (pattern) => pattern.includes('expert') && !pattern.includes('shared_expert'),
  );
  return { gemm: skipsAttention ? 'bfloat16' : base, moe: skipsExperts ? 'bfloat16' : base };
}

function weightMode(group: JsonRecord): string | undefined {
  const weights = group.weights as JsonRecord | undefined;
  if (!weights) return undefined;
  const bits = Number(weights.num_bits);
  const type = String(weights.type ?? '').toLowerCase();
  if (bits === 4 && type === 'int') return 'int4_wo';
  if (bits === 8 && type === 'int') return 'int8_wo';
  if (bits !== 8 || type !== 'float') return undefined;
  return weights.strategy === 'block' || weights.block_structure ? 'fp8_block' : 'fp8';
}

// Points of measurement as replays: what was served, on what, by which engine, and what is assumed where the source is silent.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Settings that the sources do not give. */
const ASSUMED = {
  max_num_seqs: 1024,
  max_num_batched_tokens: 8192,
  block_size: 64,
  enable_prefix_caching: false,
};
/** Part of the memory for SGLang: the largest model that ran would not fit into its usual share. */
const ASSUMED_SHARE = 0.93;
const BLOCK_TOKENS = 512;

const work = mkdtempSync(join(tmpdir(), 'dynosim-accuracy-'));

export const isExpertModel = (model) => /Mixtral|A22B|A3B|A17B|gpt-oss|MiniMax|DeepSeek|Kimi|GLM/.test(model);

/**
 * Constants are fitted on these points and judged on all others. Fixed before any fit: GPUs of one generation, and of
 * them the models that have a point for every engine or every kind of attention. B200, MiniMax and Kimi were not seen.
 */
export function isFitted({ gpu, model }) {
  return (
    ['h100_sxm', 'h200_sxm'].includes(gpu) &&
    ['Llama-3.1-70B', 'Qwen3-32B', 'gpt-oss-120b', 'DeepSeek-R1', 'DeepSeek-V3'].includes(
      model.split('/').at(-1),
    )
  );
}

/** Those that the first script for these points takes: one replica, at most 256 in flight, at most 2,048 tokens out. */
export function isCommon(point) {
  if (point.concurrency === undefined) return true;
  return point.dp === 1 && [1, 2, 4, 8].includes(point.tp) && point.concurrency <= 256 && point.osl <= 2048;
}

/** Public shapes of models that are not known by name. */
const SHAPES = {
  'zhipuai/GLM-5': undefined,
  'Qwen/Qwen3.5-397B-A17B': undefined,
  '01-ai/Yi-34B': {
    architectures: ['LlamaForCausalLM'],
    num_hidden_layers: 60,
    hidden_size: 7168,
    num_attention_heads: 56,
    num_key_value_heads: 8,
    intermediate_size: 20480,
    vocab_size: 64000,
  },
};

/** The model as the command line takes it; undefined where its kind is not supported. */
export function modelOf({ model }) {
  if (!(model in SHAPES)) return model;
  const shape = SHAPES[model];
  if (!shape) return undefined;
  const folder = join(work, model.replace('/', '--'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(shape));
  return folder;
}

/** Number formats of a point, as its sources mean them. */
function formatsOf(point) {
  const { model, gpu, engine } = point;
  const name = model.split('/').at(-1);
  if (name === 'gpt-oss-120b')
    return { gemm: 'bfloat16', moe: 'w4a16_mxfp4', kv: gpu.startsWith('b') ? 'fp8' : 'bfloat16' };
  const gemm = point.gemm ?? (point.precision === 'fp8' ? 'fp8' : undefined);
  if (gemm === undefined) return { gemm: 'bfloat16', moe: 'bfloat16', kv: 'bfloat16' };
  if (gemm === 'int4_wo') return { gemm: 'bfloat16', moe: 'int4_wo', kv: 'bfloat16' };
  const hasBlocks = /Qwen3-235B-A22B-FP8|MiniMax|DeepSeek|GLM|Qwen3\.5/.test(model);
  const format = gemm === 'fp8' && hasBlocks && engine !== 'x' ? 'fp8_block' : gemm;
  const kv = /^(meta|nvidia\/Llama)/.test(model) ? 'fp8' : 'bfloat16';
  return { gemm: format, moe: point.moe === 'fp8_block' ? 'fp8_block' : format, kv };
}

/** Numbers from 0 to 1 from a name, the same every time (mulberry32 over FNV-1a). */
function chance(name) {
  let seed = 2166136261;
  for (const letter of name) seed = Math.imul(seed ^ letter.charCodeAt(0), 16777619);
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes the load of a point as a trace. @returns options of a replay */
export function loadOf(point) {
  const path = join(work, 'trace.jsonl');
  const { isl, osl } = point;
  const rows = [];
  if (point.rate !== undefined) {
    const count = Math.floor(Math.min(point.duration_s, 120) * point.rate);
    const distinct = Number(/\d+/.exec(point.prefix_share)?.[0] ?? 45);
    for (let i = 0; i < count; i++) {
      const hash_ids = Array.from(
        { length: Math.ceil(isl / 16) },
        (_, block) => (i % distinct) * 1000 + block,
      );
      rows.push({ timestamp: (i * 1000) / point.rate, input_length: isl, output_length: osl, hash_ids });
    }
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    return { traceFiles: [path], traceBlockSize: 16 };
  }
  const draw = chance(point.id);
  const low = point.length_low ?? 1;
  const length = (most) => Math.floor(low * most) + Math.floor(draw() * (most - Math.floor(low * most) + 1));
  let block = 0;
  for (let i = 0; i < Math.max(5 * point.concurrency, 24); i++) {
    const input_length = length(isl);
    const hash_ids = Array.from({ length: Math.ceil(input_length / BLOCK_TOKENS) }, () => block++);
    rows.push({ timestamp: 0, input_length, output_length: Math.max(2, length(osl)), hash_ids });
  }
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return { traceFiles: [path], replayConcurrency: point.concurrency };
}

/** Arguments of the engine of a point but for its timing. */
export function engineOf(point) {
  const engine = { engine_type: point.engine, ...ASSUMED };
  if (point.rate !== undefined) Object.assign(engine, { block_size: 16, enable_prefix_caching: true });
  for (const name of ['max_num_seqs', 'max_num_batched_tokens'])
    if (point[name] !== undefined) engine[name] = point[name];
  if (point.engine === 'sglang') {
    delete engine.block_size;
    delete engine.enable_prefix_caching;
    engine.mem_fraction_static = ASSUMED_SHARE;
  }
  return engine;
}

/** Timing of a point by formula. */
export function rooflineOf(point) {
  const { gemm, moe, kv } = formatsOf(point);
  const dp = Math.max(1, point.dp ?? 1);
  return {
    type: 'roofline',
    gpu: point.gpu,
    model: modelOf(point),
    tp: point.tp,
    dp,
    ...(isExpertModel(point.model) ? { ep: Math.max(1, point.moe_ep || 1) } : {}),
    dtype: gemm,
    moe_dtype: moe,
    kv_dtype: kv,
  };
}

/** Versions whose tables are sound, the best first. */
const VERSIONS = {
  vllm: ['0.19.0', '0.14.0'],
  trtllm: ['1.3.0rc10', '1.2.0rc5', '1.0.0'],
  sglang: ['0.5.10', '0.5.9', '0.5.6.post2'],
};

/** Timing of a point by AI Configurator tables; the version of the engine only where its tables are sound. */
export function aicOf(point, systems) {
  const { gemm, moe, kv } = formatsOf(point);
  const { engine, gpu, tp } = point;
  const dp = Math.max(1, point.dp ?? 1);
  const ep = Math.max(1, point.moe_ep || 1);
  const folder = join(systems, 'data', gpu, 'gemm', engine);
  const collected = existsSync(folder) ? readdirSync(folder) : [];
  return {
    aic_backend: engine,
    aic_backend_version:
      VERSIONS[engine].find((version) => collected.includes(version)) ?? VERSIONS[engine][0],
    aic_system: gpu,
    aic_model_path: PACKAGED[point.model.split('/').at(-1)] ?? point.model,
    aic_tp_size: tp,
    aic_moe_tp_size: Math.max(1, (tp * dp) / ep),
    aic_moe_ep_size: ep,
    aic_attention_dp_size: dp,
    aic_gemm_dtype: gemm,
    aic_moe_dtype: moe,
    aic_kv_cache_dtype: kv,
  };
}

/** Descriptions that come with the tables, by the models that they serve for. */
const PACKAGED = {
  'Llama-3.1-70B': 'meta-llama/Meta-Llama-3.1-70B',
  'Llama-3.1-8B': 'meta-llama/Meta-Llama-3.1-8B',
  'DeepSeek-R1': 'deepseek-ai/DeepSeek-V3',
};

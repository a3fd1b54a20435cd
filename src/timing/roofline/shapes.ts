import type { ModelSpec } from '../aic/model.js';

interface Shape {
  layers: number;
  hidden: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  intermediate: number;
  vocabulary: number;
  experts?: number;
  denseLayers?: number;
  expertsPerToken?: number;
  expertIntermediate?: number;
  normalizesQueryKey?: boolean;
  isGptOss?: boolean;
  tiesEmbeddings?: boolean;
  family?: ModelSpec['family'];
}

function model(shape: Shape): ModelSpec {
  const { experts = 0, expertsPerToken = 0, expertIntermediate = shape.intermediate } = shape;
  return {
    ...shape,
    architecture: 'known shape',
    family: shape.family ?? (experts > 0 ? 'MOE' : 'LLAMA'),
    experts,
    denseLayers: shape.denseLayers ?? 0,
    expertsPerToken,
    expertIntermediate,
    valueHeadSize: shape.headSize,
    kvLoraRank: 512,
    ropeHeadSize: 64,
    weightBlockTokens: 128,
    normalizesQueryKey: shape.normalizesQueryKey ?? false,
    tiesEmbeddings: shape.tiesEmbeddings ?? false,
    isGptOss: shape.isGptOss ?? false,
  };
}

const LLAMA = { headSize: 128, kvHeads: 8, vocabulary: 128256 };
const LLAMA_2 = { headSize: 128, vocabulary: 32000 };
const QWEN2 = { headSize: 128, vocabulary: 152064 };
const QWEN3 = { headSize: 128, kvHeads: 8, vocabulary: 151936, normalizesQueryKey: true };
const GPT_OSS = {
  hidden: 2880,
  heads: 64,
  kvHeads: 8,
  headSize: 64,
  intermediate: 2880,
  vocabulary: 201088,
  expertsPerToken: 4,
  isGptOss: true,
};
const DEEPSEEK = model({
  family: 'DEEPSEEK',
  layers: 61,
  hidden: 7168,
  heads: 128,
  kvHeads: 128,
  headSize: 128,
  intermediate: 18432,
  vocabulary: 129280,
  experts: 256,
  denseLayers: 3,
  expertsPerToken: 8,
  expertIntermediate: 2048,
});
const KIMI_K2 = { ...DEEPSEEK, heads: 64, kvHeads: 64, vocabulary: 163840, experts: 384, denseLayers: 1 };
const MINIMAX_M2 = model({
  layers: 62,
  hidden: 3072,
  heads: 48,
  kvHeads: 8,
  headSize: 128,
  intermediate: 1536,
  vocabulary: 200064,
  experts: 256,
  expertsPerToken: 8,
  normalizesQueryKey: true,
});

/** Models whose shape is known without a file (from their public config files), by the end of their id, lower case. */
const SHAPES: Record<string, ModelSpec> = {
  'llama-3.2-1b': model({
    ...LLAMA,
    layers: 16,
    hidden: 2048,
    heads: 32,
    headSize: 64,
    intermediate: 8192,
    tiesEmbeddings: true,
  }),
  'llama-3.2-3b': model({
    ...LLAMA,
    layers: 28,
    hidden: 3072,
    heads: 24,
    intermediate: 8192,
    tiesEmbeddings: true,
  }),
  'llama-3.1-8b': model({ ...LLAMA, layers: 32, hidden: 4096, heads: 32, intermediate: 14336 }),
  'llama-3.1-70b': model({ ...LLAMA, layers: 80, hidden: 8192, heads: 64, intermediate: 28672 }),
  'llama-3.3-70b': model({ ...LLAMA, layers: 80, hidden: 8192, heads: 64, intermediate: 28672 }),
  'llama-3.1-405b': model({ ...LLAMA, layers: 126, hidden: 16384, heads: 128, intermediate: 53248 }),
  'qwen3-0.6b': model({
    ...QWEN3,
    layers: 28,
    hidden: 1024,
    heads: 16,
    intermediate: 3072,
    tiesEmbeddings: true,
  }),
  'qwen3-8b': model({ ...QWEN3, layers: 36, hidden: 4096, heads: 32, intermediate: 12288 }),
  'qwen3-14b': model({ ...QWEN3, layers: 40, hidden: 5120, heads: 40, intermediate: 17408 }),
  'qwen3-32b': model({ ...QWEN3, layers: 64, hidden: 5120, heads: 64, intermediate: 25600 }),
  'qwen3-30b-a3b': model({
    ...QWEN3,
    layers: 48,
    hidden: 2048,
    heads: 32,
    kvHeads: 4,
    intermediate: 6144,
    experts: 128,
    expertsPerToken: 8,
    expertIntermediate: 768,
  }),
  'qwen3-235b-a22b': model({
    ...QWEN3,
    layers: 94,
    hidden: 4096,
    heads: 64,
    kvHeads: 4,
    intermediate: 12288,
    experts: 128,
    expertsPerToken: 8,
    expertIntermediate: 1536,
  }),
  'llama-2-7b': model({ ...LLAMA_2, layers: 32, hidden: 4096, heads: 32, kvHeads: 32, intermediate: 11008 }),
  'llama-2-13b': model({ ...LLAMA_2, layers: 40, hidden: 5120, heads: 40, kvHeads: 40, intermediate: 13824 }),
  'llama-2-70b': model({ ...LLAMA_2, layers: 80, hidden: 8192, heads: 64, kvHeads: 8, intermediate: 28672 }),
  'codellama-34b': model({
    ...LLAMA_2,
    layers: 48,
    hidden: 8192,
    heads: 64,
    kvHeads: 8,
    intermediate: 22016,
  }),
  'mistral-7b': model({ ...LLAMA_2, layers: 32, hidden: 4096, heads: 32, kvHeads: 8, intermediate: 14336 }),
  'mistral-nemo': model({
    ...LLAMA_2,
    layers: 40,
    hidden: 5120,
    heads: 32,
    kvHeads: 8,
    intermediate: 14336,
    vocabulary: 131072,
  }),
  'qwen2.5-7b': model({ ...QWEN2, layers: 28, hidden: 3584, heads: 28, kvHeads: 4, intermediate: 18944 }),
  'qwen2.5-32b': model({ ...QWEN2, layers: 64, hidden: 5120, heads: 40, kvHeads: 8, intermediate: 27648 }),
  'qwen2.5-72b': model({ ...QWEN2, layers: 80, hidden: 8192, heads: 64, kvHeads: 8, intermediate: 29568 }),
  'deepseek-v3': DEEPSEEK,
  'deepseek-v3.1': DEEPSEEK,
  'deepseek-r1': DEEPSEEK,
  'kimi-k2': KIMI_K2,
  'kimi-k2.5': KIMI_K2,
  'gpt-oss-20b': model({ ...GPT_OSS, layers: 24, experts: 32 }),
  'gpt-oss-120b': model({ ...GPT_OSS, layers: 36, experts: 128 }),
  'minimax-m2': MINIMAX_M2,
  'minimax-m2.1': MINIMAX_M2,
  'minimax-m2.5': MINIMAX_M2,
  'mixtral-8x22b': model({
    layers: 56,
    hidden: 6144,
    heads: 48,
    kvHeads: 8,
    headSize: 128,
    intermediate: 16384,
    vocabulary: 32768,
    experts: 8,
    expertsPerToken: 2,
  }),
  'mixtral-8x7b': model({
    layers: 32,
    hidden: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    intermediate: 14336,
    vocabulary: 32000,
    experts: 8,
    expertsPerToken: 2,
  }),
};

export const KNOWN_MODELS: readonly string[] = Object.keys(SHAPES);

/** The shape of a model by its id, `meta-llama/Llama-3.1-8B-Instruct` and the like; undefined when it is not known. */
export function knownShape(id: string): ModelSpec | undefined {
  const name = id
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/^meta-/, '')
    .replace(/-(instruct|v0\.1|v0\.3|chat|hf|base|fp8|nvfp4|fp4|0528|2407|2507).*$/, '');
  return SHAPES[name];
}

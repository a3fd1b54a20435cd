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
  expertsPerToken?: number;
  expertIntermediate?: number;
}

function model(shape: Shape): ModelSpec {
  const { experts = 0, expertsPerToken = 0, expertIntermediate = shape.intermediate } = shape;
  return {
    ...shape,
    architecture: 'known shape',
    family: experts > 0 ? 'MOE' : 'LLAMA',
    experts,
    expertsPerToken,
    expertIntermediate,
    valueHeadSize: shape.headSize,
    kvLoraRank: 512,
    ropeHeadSize: 64,
    weightBlockTokens: 128,
    normalizesQueryKey: false,
    isGptOss: false,
  };
}

const LLAMA = { headSize: 128, kvHeads: 8, vocabulary: 128256 };
const QWEN3 = { headSize: 128, kvHeads: 8, vocabulary: 151936 };

/** Models whose shape is known without a file (from their public config files), by the end of their id, lower case. */
const SHAPES: Record<string, ModelSpec> = {
  'llama-3.2-1b': model({ ...LLAMA, layers: 16, hidden: 2048, heads: 32, headSize: 64, intermediate: 8192 }),
  'llama-3.2-3b': model({ ...LLAMA, layers: 28, hidden: 3072, heads: 24, intermediate: 8192 }),
  'llama-3.1-8b': model({ ...LLAMA, layers: 32, hidden: 4096, heads: 32, intermediate: 14336 }),
  'llama-3.1-70b': model({ ...LLAMA, layers: 80, hidden: 8192, heads: 64, intermediate: 28672 }),
  'llama-3.3-70b': model({ ...LLAMA, layers: 80, hidden: 8192, heads: 64, intermediate: 28672 }),
  'llama-3.1-405b': model({ ...LLAMA, layers: 126, hidden: 16384, heads: 128, intermediate: 53248 }),
  'qwen3-0.6b': model({ ...QWEN3, layers: 28, hidden: 1024, heads: 16, intermediate: 3072 }),
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
    .replace(/-(instruct|v0\.1|chat|base|fp8|2507).*$/, '');
  return SHAPES[name];
}

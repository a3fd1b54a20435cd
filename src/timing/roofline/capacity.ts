import { AicError } from '../aic/aic-error.js';
import { kvValuesPerToken } from '../aic/model.js';
import { formatCost } from '../aic/quant.js';
import { compareVersions } from '../aic/versions.js';
import { findModel } from './models.js';
import type { RooflineOptions } from './roofline.js';
import { weightBytesPerGpu } from './weights.js';

const GIB = 2 ** 30;
const VALUE_BYTES = 2;
/** What an engine takes before it loads a model, and more of it for collectives. */
const BASE_BYTES = 0.1 * GIB;
const COLLECTIVE_BYTES = 0.15 * GIB;
/** vLLM subtracts what its CUDA graphs take from this version on. */
const GRAPHS_SINCE = '0.21.0';
const GRAPH_BYTES = 0.75 * GIB;
/** Parts of the memory that engines take where nothing else is said, and vLLM from that version on. */
const SHARES: Record<string, number> = { vllm: 0.9, sglang: 0.88, trtllm: 0.9 };
const LATER_VLLM_SHARE = 0.92;
/** Tokens in a pass where the engine sets no limit. */
const USUAL_TOKENS = 8192;
const USUAL_SEQUENCES = 256;

/** What an engine is told that its KV cache depends on. */
export interface CapacityQuestion {
  blockTokens: number;
  maxBatchedTokens: number;
  maxSequences: number;
  /** Part of the memory as given, by the name that the engine has for it. */
  memoryShare: number | undefined;
  engineVersion: string | undefined;
}

/** KV bytes of a token on each GPU. */
export function rooflineKvBytes({ model, quant, parallel }: RooflineOptions): number {
  return kvValuesPerToken(model, parallel.tensor) * formatCost('kvcache', quant.kvcache)!.bytes;
}

/**
 * KV bytes of a token on all GPUs of one copy of a model together.
 * @param systemsFolder packaged model descriptions, where there are some
 * @throws {AicError} for an unknown model, naming the known ones
 */
export function modelKvBytes(id: string, systemsFolder: string): number {
  const { model, formats } = findModel(id, systemsFolder, 'vllm');
  return kvValuesPerToken(model, 1) * formatCost('kvcache', formats.kvcache)!.bytes;
}

/**
 * KV blocks as an engine allocates them after its profiling pass: what its share of the memory leaves beside weights,
 * the activations of one layer, logits and the runtime. Within 3 % of what current vLLM logs on GPUs of 31 to 93 GiB;
 * docs/fidelity.md has the cases, also those that it misses.
 * @throws {AicError} when the weights leave no room
 */
export function rooflineBlocks(options: RooflineOptions, question: CapacityQuestion): number {
  const { gpu } = options;
  const weights = weightBytesPerGpu(options);
  const budget = kvBudget(options, question, weights);
  const blocks = Math.floor(budget / (rooflineKvBytes(options) * question.blockTokens));
  if (blocks < 1)
    throw new AicError(
      `timing: the weights (${(weights / GIB).toFixed(1)} GiB on each GPU) leave no room for KV in the ${(gpu.memoryBytes / GIB).toFixed(1)} GiB of ${gpu.name}; raise tp, or the share of the memory that the engine may take`,
    );
  return blocks;
}

function kvBudget(options: RooflineOptions, question: CapacityQuestion, weights: number): number {
  const { gpu, backend, parallel } = options;
  const isLater = isFrom(question.engineVersion, GRAPHS_SINCE);
  const usual = backend === 'vllm' && isLater ? LATER_VLLM_SHARE : (SHARES[backend] ?? SHARES.vllm);
  const share = question.memoryShare ?? usual;
  const base = BASE_BYTES + (parallel.tensor > 1 ? COLLECTIVE_BYTES : 0);
  const passes = passBytes(options, question);
  switch (backend) {
    case 'sglang':
      // Its share holds weights and KV cache; passes work in what is left of the memory.
      return share * gpu.memoryBytes - weights - base;
    case 'trtllm':
      // Its share is of what weights and passes leave free.
      return share * (gpu.memoryBytes - weights - passes - base);
    default:
      return share * gpu.memoryBytes - weights - passes - base - (isLater ? GRAPH_BYTES : 0);
  }
}

/** Activations at the widest place of a layer, and logits of every sequence. */
function passBytes({ model, parallel }: RooflineOptions, question: CapacityQuestion): number {
  const finite = (value: number, usual: number) => (Number.isFinite(value) ? value : usual);
  const tokens = finite(question.maxBatchedTokens, USUAL_TOKENS);
  const sequences = finite(question.maxSequences, USUAL_SEQUENCES);
  const width = 3 * (model.intermediate / parallel.tensor) + 8 * model.hidden;
  return VALUE_BYTES * tokens * width + 4 * VALUE_BYTES * sequences * model.vocabulary;
}

function isFrom(version: string | undefined, first: string): boolean {
  return version !== undefined && (compareVersions(version, first) ?? -1) >= 0;
}

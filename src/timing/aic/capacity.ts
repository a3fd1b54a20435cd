import { AicError } from './aic-error.js';
import { isLatent, kvValuesPerToken } from './model.js';
import { type OpListOptions, opList } from './op-lists.js';
import type { Leaf, Op } from './ops.js';
import { formatCost } from './quant.js';
import type { SystemSpec } from './system.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** Where the memory of one GPU goes; bytes. */
export interface MemoryUse {
  weights: number;
  activations: number;
  runtime: number;
  communication: number;
  nonKv: number;
  kvPerToken: number;
  capacity: number;
}

export interface CapacityOptions extends OpListOptions {
  system: SystemSpec;
  maxBatchedTokens: number;
  /** Part of the memory, or with TensorRT-LLM of what is left of it, that the KV cache may have. */
  kvFraction: number;
  blockTokens: number;
}

/** Share of activations by GPUs that a layer is split over. */
const ACTIVATIONS: Record<'other' | 'sglang', Record<'dense' | 'experts', Record<number, number>>> = {
  other: { dense: { 1: 11, 2: 6.5, 4: 5, 8: 5 }, experts: { 1: 22, 2: 13, 4: 10, 8: 10 } },
  sglang: { dense: { 1: 14, 2: 8.5, 4: 6.5, 8: 6.5 }, experts: { 1: 28, 2: 17, 4: 13, 8: 13 } },
};

/** KV blocks that fit beside weights and activations (`sdk/memory.py` of the reference's estimator). */
export function estimateBlocks(options: CapacityOptions): { blocks: number; memory: MemoryUse } {
  const { kvFraction, blockTokens, backend } = options;
  if (!(kvFraction >= 0 && kvFraction <= 1))
    throw new AicError(`the KV share of the memory must be from 0 to 1, found ${kvFraction}`);
  const memory = memoryUse(options);
  const { capacity, nonKv, kvPerToken } = memory;
  const budget = backend === 'trtllm' ? (capacity - nonKv) * kvFraction : capacity * kvFraction - nonKv;
  if (budget <= 0)
    throw new AicError(
      `no KV budget: weights, activations and runtime (${nonKv} bytes) exceed the share of ${kvFraction} of ${capacity} bytes; use more GPUs or set num_gpu_blocks`,
    );
  return { blocks: Math.floor(Math.floor(budget / kvPerToken) / blockTokens), memory };
}

function memoryUse(options: CapacityOptions): MemoryUse {
  const { system, model, backend, parallel, quant } = options;
  const gpus = Math.min(parallel.tensor, 8);
  const isSglang = backend === 'sglang';
  if (!(String(gpus) in system.ncclBytes))
    throw new AicError(
      `aic_tp_size: the capacity estimate knows 1, 2, 4 and 8 or more, found ${parallel.tensor}`,
    );
  const weights = inGib(weightBytes(options));
  const activations = inGib(activationBytes(options, gpus));
  const communication = inGib(system.ncclBytes[gpus]);
  const runtime = inGib(isSglang ? system.otherBytes * 1.2 : system.otherBytes);
  return {
    weights,
    activations,
    runtime,
    communication,
    nonKv: weights + activations + runtime + communication,
    kvPerToken: formatCost('kvcache', quant.kvcache)!.bytes * kvValuesPerToken(model, parallel.tensor),
    capacity: system.memoryBytes,
  };
}

function inGib(bytes: number): number {
  return (bytes / GIB) * GIB;
}

function weightBytes(options: CapacityOptions): number {
  const operations = opList('context', options);
  let total = 0;
  for (const op of operations) total += opBytes(op, options);
  return total;
}

function opBytes(op: Op, options: CapacityOptions): number {
  if (op.kind !== 'fallback') return op.kind === 'overlap' ? 0 : leafBytes(op, options);
  let total = 0;
  for (const leaf of op.otherwise) total += leafBytes(leaf, options);
  return total;
}

function leafBytes(leaf: Leaf, { model, quant, parallel }: CapacityOptions): number {
  if (leaf.kind === 'gemm') return leaf.n * leaf.k * formatCost('gemm', leaf.mode)!.bytes * leaf.count;
  if (leaf.kind === 'embedding') return leaf.vocabulary * model.hidden * 2 * leaf.count;
  if (leaf.kind !== 'moe') return 0;
  const all =
    model.hidden * model.expertIntermediate * model.experts * formatCost('moe', quant.moe)!.bytes * 3;
  return Math.floor(Math.floor(all / parallel.moeExpert) / parallel.moeTensor) * leaf.count;
}

function activationBytes(options: CapacityOptions, gpus: number): number {
  const { model, backend, parallel, maxBatchedTokens: tokens } = options;
  const isSglang = backend === 'sglang';
  const shares = ACTIVATIONS[isSglang ? 'sglang' : 'other'][model.family === 'LLAMA' ? 'dense' : 'experts'];
  const width = model.heads * model.headSize;
  let bytes = 2 * tokens * width * shares[gpus];
  if (isLatent(model)) {
    const perToken = isSglang ? model.hidden : width;
    bytes +=
      ((tokens * perToken * parallel.attentionData * model.experts * model.expertsPerToken) /
        parallel.moeExpert /
        128) *
      4;
  }
  bytes = Math.max(bytes, (isSglang ? 90 : 70) * MIB);
  return isSglang ? bytes * (1.0 + 0.15) : bytes;
}

import type { ModelSpec } from './model.js';
import type { Parallelism } from './parallelism.js';
import type { QuantModes } from './quant.js';

/** What GPUs send each other; sizes in elements of two bytes, times in milliseconds. */
export interface Collectives {
  allReduceMs(gpus: number, size: number): number;
  gatherMs(operation: 'all_gather' | 'reduce_scatter', gpus: number, size: number): number;
}

export interface DispatchOptions {
  model: ModelSpec;
  quant: Pick<QuantModes, 'moe'>;
  parallel: Parallelism;
  backend: string;
  /** Blackwell data centre GPUs, on which TensorRT-LLM sends shortened numbers. */
  isSm100: boolean;
}

/** Part of a two-byte element that TensorRT-LLM sends of an activation. */
const PACKING: Record<string, number> = { nvfp4: 0.25 + 0.25 / 8, fp8: 0.5, fp8_block: 0.5 };

/** Sends tokens to the experts, or their results back. @param tokens of one attention rank */
export function dispatchMs(
  options: DispatchOptions,
  collectives: Collectives,
  isPre: boolean,
  tokens: number,
): number {
  const { backend, parallel, model } = options;
  const gpus = parallel.moeTensor * parallel.moeExpert;
  const data = parallel.attentionData;
  const attentionTensor = Math.max(Math.floor(gpus / data), 1);
  const size = tokens * model.hidden;
  const all = tokens * data * model.hidden;
  const reduce = () => collectives.allReduceMs(gpus, size);
  const gather = () => collectives.gatherMs(isPre ? 'all_gather' : 'reduce_scatter', gpus, all);
  if (backend === 'vllm') return (attentionTensor > 1 ? reduce() : 0) + (data > 1 ? gather() : 0);
  if (backend === 'sglang') {
    if (attentionTensor > 1 && data > 1)
      return isPre
        ? collectives.gatherMs('reduce_scatter', attentionTensor, size) + gather()
        : gather() + collectives.gatherMs('all_gather', attentionTensor, size);
    if (attentionTensor > 1) return reduce();
    return data > 1 ? gather() : 0;
  }
  if (!options.isSm100) {
    if (attentionTensor > 1) return reduce();
    return data > 1 ? gather() : 0;
  }
  if (data <= 1) return attentionTensor > 1 ? reduce() : 0;
  if (!isPre) return gather();
  const packed = model.hidden * (PACKING[options.quant.moe] ?? 1);
  return collectives.gatherMs('all_gather', gpus, tokens * data * packed);
}

import type { ModelSpec } from '../aic/model.js';
import { formatCost, type QuantModes } from '../aic/quant.js';
import type { TimingModel } from '../engine/timing/timing-model.js';
import type { GpuSpec } from './gpus.js';

/**
 * How far real kernels stay behind data sheets. Fitted to half of the public AI Configurator points (those of H200),
 * judged on the other half; docs/timing.md has the errors.
 */
export interface Efficiency {
  /** Part of tensor throughput that large matrix products reach, and attention over a prompt. */
  gemm: number;
  attention: number;
  /** Part of memory bandwidth that weights, KV cache and activations are streamed at. */
  memory: number;
  /** Part of link bandwidth that collectives reach. */
  link: number;
  /** Time of a layer in which nothing is computed: launches, synchronisation. */
  layerMs: number;
  /** Time of one collective whatever its size. */
  collectiveMs: number;
  /** Time of a pass outside the layers. */
  passMs: number;
}

export const DEFAULT_EFFICIENCY: Efficiency = {
  gemm: 0.72,
  attention: 0.42,
  memory: 0.8,
  link: 0.7,
  layerMs: 0.018,
  collectiveMs: 0.006,
  passMs: 0.2,
};

export interface RooflineOptions {
  gpu: GpuSpec;
  model: ModelSpec;
  quant: Pick<QuantModes, 'gemm' | 'moe' | 'kvcache'>;
  /** GPUs that each layer is split over. */
  tensorParallel: number;
  efficiency?: Partial<Efficiency>;
}

const ACTIVATION_BYTES = 2;

/** Weights of a model, in values. */
interface Weights {
  /** Attention and dense parts of all layers, and the output head. */
  dense: number;
  head: number;
  /** One expert over all layers. */
  expert: number;
}

/**
 * Pass times from first principles (the roofline model of Williams, Waterman and Patterson, CACM 2009): each part of a
 * layer takes as long as its arithmetic or its memory traffic, whichever is longer.
 */
export class RooflineTiming implements TimingModel {
  readonly readsContext = true;
  private readonly weights: Weights;
  private readonly efficiency: Efficiency;
  private readonly weightBytes: number;
  private readonly expertBytes: number;
  private readonly flops: number;
  private readonly kvBytes: number;

  constructor(private readonly options: RooflineOptions) {
    const { gpu, model, quant } = options;
    this.efficiency = { ...DEFAULT_EFFICIENCY, ...options.efficiency };
    this.weights = countWeights(model);
    const dense = formatCost('gemm', quant.gemm)!;
    this.weightBytes = dense.bytes;
    this.expertBytes = formatCost('moe', quant.moe)!.bytes;
    const known = dense.speed === 4 ? gpu.fp4Flops : dense.speed === 2 ? gpu.fp8Flops : gpu.bf16Flops;
    this.flops = (known ?? gpu.bf16Flops) * this.efficiency.gemm;
    this.kvBytes = formatCost('kvcache', quant.kvcache)!.bytes;
  }

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    const full = newTokens + prefixTokens;
    const attended = (full * full - prefixTokens * prefixTokens) / 2;
    return this.passMs(batch * newTokens, batch, this.attentionMs(batch * attended, batch * full));
  }

  decodeMs(batch: number, _activeTokens: number, contextTokens: number): number {
    return this.passMs(batch, batch, this.attentionMs(batch * contextTokens, batch * contextTokens));
  }

  /** @param rows tokens that go through the layers @param outputs tokens that the output head sees */
  private passMs(rows: number, outputs: number, attentionMs: number): number {
    const { model, tensorParallel } = this.options;
    const { layerMs, passMs, collectiveMs } = this.efficiency;
    const { dense, head, expert } = this.weights;
    let ms = attentionMs + passMs + layerMs * model.layers;
    ms += this.productMs(dense / tensorParallel, rows, this.weightBytes);
    ms += this.productMs(head / tensorParallel, outputs, ACTIVATION_BYTES);
    ms += this.streamMs(rows * model.hidden * ACTIVATION_BYTES * 8 * model.layers);
    if (expert > 0) ms += this.expertsMs(expert / tensorParallel, rows);
    if (tensorParallel > 1) ms += 2 * model.layers * (this.exchangeMs(rows) + collectiveMs);
    return ms;
  }

  /** Products of `rows` inputs with some weights. */
  private productMs(weights: number, rows: number, bytes: number): number {
    return Math.max(((2 * weights * rows) / this.flops) * 1000, this.streamMs(weights * bytes));
  }

  private streamMs(bytes: number): number {
    return (bytes / (this.options.gpu.memoryBandwidth * this.efficiency.memory)) * 1000;
  }

  /** Experts: all that some token goes to are read. */
  private expertsMs(expert: number, rows: number): number {
    const { experts, expertsPerToken } = this.options.model;
    const touched = experts * (1 - (1 - expertsPerToken / experts) ** rows);
    const math = ((2 * expert * expertsPerToken * rows) / this.flops) * 1000;
    return Math.max(math, this.streamMs(expert * touched * this.expertBytes));
  }

  /** @param pairs of a token and one that it attends to @param read tokens whose KV is read */
  private attentionMs(pairs: number, read: number): number {
    const { model, gpu, tensorParallel } = this.options;
    const { heads, kvHeads, headSize, layers, family, kvLoraRank, ropeHeadSize } = model;
    const math = (4 * pairs * heads * headSize * layers) / tensorParallel;
    const isLatent = family === 'DEEPSEEK' || family === 'KIMIK25';
    const values = isLatent ? kvLoraRank + ropeHeadSize : 2 * Math.ceil(kvHeads / tensorParallel) * headSize;
    return Math.max(
      (math / (gpu.bf16Flops * this.efficiency.attention)) * 1000,
      this.streamMs(read * values * this.kvBytes * layers),
    );
  }

  /** One all-reduce of the activations (ring: each GPU sends 2 (n - 1) / n of them). */
  private exchangeMs(rows: number): number {
    const { model, gpu, tensorParallel } = this.options;
    const bytes = rows * model.hidden * ACTIVATION_BYTES * 2 * ((tensorParallel - 1) / tensorParallel);
    return (bytes / (gpu.linkBandwidth * this.efficiency.link)) * 1000;
  }
}

function countWeights(model: ModelSpec): Weights {
  const { hidden, heads, kvHeads, headSize, layers, vocabulary, intermediate, experts } = model;
  const isLatent = model.family === 'DEEPSEEK' || model.family === 'KIMIK25';
  const attention = isLatent
    ? hidden * 2112 + 1536 * 24576 + 512 * 32768 + 16384 * hidden
    : hidden * headSize * (2 * heads + 2 * kvHeads);
  const shared = isLatent ? 3 * hidden * model.expertIntermediate : 0;
  const dense = experts > 0 ? hidden * experts + shared : 3 * hidden * intermediate;
  return {
    dense: layers * (attention + dense),
    head: hidden * vocabulary,
    expert: experts > 0 ? layers * 3 * hidden * model.expertIntermediate : 0,
  };
}

/** Bytes of a model's weights on one GPU. */
export function weightBytesPerGpu({ model, quant, tensorParallel }: RooflineOptions): number {
  const { dense, head, expert } = countWeights(model);
  const denseBytes = dense * formatCost('gemm', quant.gemm)!.bytes;
  const expertBytes = expert * model.experts * formatCost('moe', quant.moe)!.bytes;
  return (denseBytes + expertBytes + 2 * head * ACTIVATION_BYTES) / tensorParallel;
}

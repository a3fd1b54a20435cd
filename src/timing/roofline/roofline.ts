import { isLatent, kvValuesPerToken, type ModelSpec } from '../aic/model.js';
import { formatCost, type QuantModes } from '../aic/quant.js';
import type { TimingModel } from '../timing-model.js';
import type { GpuSpec } from './gpus.js';

/**
 * How far real kernels stay behind data sheets, fitted to the AI Configurator points of H200 but for attention, which is
 * set by hand; docs/timing.md has the errors.
 */
const EFFICIENCY = {
  /** Part of tensor throughput that large matrix products reach, and attention over a prompt. */
  gemm: 0.73,
  attention: 0.6,
  /** What of these experts reach, and products of numbers shorter than 16 bits. */
  experts: 0.4,
  quantised: 0.55,
  /** Part of memory bandwidth that weights, KV cache and activations are streamed at. */
  memory: 0.8,
  /** Part of link bandwidth that collectives reach. */
  link: 0.78,
  /** Time of a layer in which nothing is computed, launches and synchronisation, and what prefill adds to it. */
  layerMs: 0.03,
  prefillLayerMs: 0.038,
  /** Time of one collective whatever its size. */
  collectiveMs: 0.012,
  /** Time of a pass outside the layers. */
  passMs: 0.08,
};

export interface RooflineOptions {
  gpu: GpuSpec;
  model: ModelSpec;
  quant: Pick<QuantModes, 'gemm' | 'moe' | 'kvcache'>;
  /** GPUs that each layer is split over. */
  tensorParallel: number;
}

const ACTIVATION_BYTES = 2;
/** Requests of a pass that a key has room for. */
const OUTPUT_LIMIT = 2 ** 20;
/** Bytes that norms, residuals and activations move for each value of a layer's width. */
const ELEMENTWISE_BYTES = 16;

/** A part of a pass and its time. */
export interface PassPart {
  name: string;
  ms: number;
}

/** Pairs of a new token and one that it attends to. */
function attended(full: number, prefix: number): number {
  return (full * full - prefix * prefix) / 2;
}

function total(parts: readonly PassPart[]): number {
  return parts.reduce((sum, { ms }) => sum + ms, 0);
}

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
  private readonly weightBytes: number;
  private readonly expertBytes: number;
  private readonly flops: number;
  private readonly kvBytesPerToken: number;
  private readonly beside = new Map<number, number>();

  constructor(private readonly options: RooflineOptions) {
    const { gpu, model, quant } = options;
    this.weights = countWeights(model);
    const dense = formatCost('gemm', quant.gemm)!;
    const share = (bytes: number) => (bytes < ACTIVATION_BYTES ? EFFICIENCY.quantised : 1);
    const moe = formatCost('moe', quant.moe)!;
    this.weightBytes = dense.bytes / share(dense.bytes);
    this.expertBytes = moe.bytes / share(moe.bytes);
    const known = dense.speed === 4 ? gpu.fp4Flops : dense.speed === 2 ? gpu.fp8Flops : gpu.bf16Flops;
    this.flops = (known ?? gpu.bf16Flops) * EFFICIENCY.gemm * share(dense.bytes);
    this.kvBytesPerToken =
      kvValuesPerToken(model, options.tensorParallel) * formatCost('kvcache', quant.kvcache)!.bytes;
  }

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    const full = newTokens + prefixTokens;
    const extraMs = EFFICIENCY.prefillLayerMs * this.options.model.layers;
    return (
      this.besideAttentionMs(batch * newTokens, batch) +
      extraMs +
      this.attentionMs(batch * attended(full, prefixTokens), batch * full)
    );
  }

  decodeMs(batch: number, _activeTokens: number, contextTokens: number): number {
    const tokens = batch * contextTokens;
    return this.besideAttentionMs(batch, batch) + this.attentionMs(tokens, tokens);
  }

  /** What a pass takes without attention and without what prefill adds; the same for every context, so it is kept. */
  private besideAttentionMs(rows: number, outputs: number): number {
    const key = rows * OUTPUT_LIMIT + outputs;
    const known = this.beside.get(key);
    if (known !== undefined) return known;
    const ms = total(this.parts(rows, outputs, 0, EFFICIENCY.layerMs));
    this.beside.set(key, ms);
    return ms;
  }

  /** A pass part by part. @param tokens of the prompt, or of the context */
  breakdown(isPrefill: boolean, batch: number, tokens: number, prefix: number): PassPart[] {
    return isPrefill ? this.prefillParts(batch, tokens - prefix, prefix) : this.decodeParts(batch, tokens);
  }

  private prefillParts(batch: number, newTokens: number, prefixTokens: number): PassPart[] {
    const full = newTokens + prefixTokens;
    const { layerMs, prefillLayerMs } = EFFICIENCY;
    const attentionMs = this.attentionMs(batch * attended(full, prefixTokens), batch * full);
    return this.parts(batch * newTokens, batch, attentionMs, layerMs + prefillLayerMs);
  }

  private decodeParts(batch: number, contextTokens: number): PassPart[] {
    const attentionMs = this.attentionMs(batch * contextTokens, batch * contextTokens);
    return this.parts(batch, batch, attentionMs, EFFICIENCY.layerMs);
  }

  /** @param rows tokens that go through the layers @param outputs tokens that the output head sees */
  private parts(rows: number, outputs: number, attentionMs: number, layerMs: number): PassPart[] {
    const { model, tensorParallel } = this.options;
    const { passMs, collectiveMs } = EFFICIENCY;
    const { dense, head, expert } = this.weights;
    const exchanges = tensorParallel > 1 ? 2 * model.layers : 0;
    return [
      { name: 'dense products', ms: this.productMs(dense / tensorParallel, rows, this.weightBytes) },
      { name: 'experts', ms: expert > 0 ? this.expertsMs(expert / tensorParallel, rows) : 0 },
      { name: 'attention', ms: attentionMs },
      {
        name: 'norms and activations',
        ms: this.streamMs(rows * model.hidden * ELEMENTWISE_BYTES * model.layers),
      },
      { name: 'output head', ms: this.productMs(head / tensorParallel, outputs, ACTIVATION_BYTES) },
      { name: 'all-reduce', ms: exchanges * (this.exchangeMs(rows) + collectiveMs) },
      { name: 'launches', ms: passMs + layerMs * model.layers },
    ];
  }

  /** Products of `rows` inputs with some weights. */
  private productMs(weights: number, rows: number, bytes: number): number {
    return Math.max(((2 * weights * rows) / this.flops) * 1000, this.streamMs(weights * bytes));
  }

  private streamMs(bytes: number): number {
    return (bytes / (this.options.gpu.memoryBandwidth * EFFICIENCY.memory)) * 1000;
  }

  /** Experts: all that some token goes to are read. */
  private expertsMs(expert: number, rows: number): number {
    const { experts, expertsPerToken } = this.options.model;
    const touched = experts * (1 - (1 - expertsPerToken / experts) ** rows);
    const math = ((2 * expert * expertsPerToken * rows) / (this.flops * EFFICIENCY.experts)) * 1000;
    return Math.max(math, this.streamMs(expert * touched * this.expertBytes));
  }

  /** @param pairs of a token and one that it attends to @param read tokens whose KV is read */
  private attentionMs(pairs: number, read: number): number {
    const { model, gpu, tensorParallel } = this.options;
    const { heads, headSize, layers } = model;
    const math = (4 * pairs * heads * headSize * layers) / tensorParallel;
    return Math.max(
      (math / (gpu.bf16Flops * EFFICIENCY.attention)) * 1000,
      this.streamMs(read * this.kvBytesPerToken),
    );
  }

  /** One all-reduce of the activations (ring: each GPU sends 2 (n - 1) / n of them). */
  private exchangeMs(rows: number): number {
    const { model, gpu, tensorParallel } = this.options;
    const bytes = rows * model.hidden * ACTIVATION_BYTES * 2 * ((tensorParallel - 1) / tensorParallel);
    return (bytes / (gpu.linkBandwidth * EFFICIENCY.link)) * 1000;
  }
}

function countWeights(model: ModelSpec): Weights {
  const { hidden, heads, kvHeads, headSize, layers, vocabulary, intermediate, experts } = model;
  const attention = isLatent(model)
    ? hidden * 2112 + 1536 * 24576 + 512 * 32768 + 16384 * hidden
    : hidden * headSize * (2 * heads + 2 * kvHeads);
  const shared = isLatent(model) ? 3 * hidden * model.expertIntermediate : 0;
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

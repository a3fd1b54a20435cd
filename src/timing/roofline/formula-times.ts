import { dispatchMs } from '../aic/dispatch.js';
import { CONTEXT_LOGITS, type OpTimes, type Query } from '../aic/estimator.js';
import type { OpListOptions } from '../aic/op-lists.js';
import type { Attention, Leaf, Mla, MlaBmm } from '../aic/ops.js';
import { type LinkOptions, LinkTimes } from './collectives.js';
import { KERNELS, type KernelConstants } from './constants.js';
import { expertsUs } from './experts.js';
import { type NumberFormat, numberFormat } from './formats.js';
import type { GpuSpec } from './gpus.js';

const US = 1000;
const VALUE_BYTES = 2;
/** Rows and columns of the tiles that matrix products and attention over prompts are cut into. */
const TILE = 128;
const ROW_TILE = 64;
/** Part of memory bandwidth at which attention over a prompt streams its input and output. */
const PROMPT_STREAM = 0.85;
const LEAST_OCCUPANCY = 0.001;
/** Widths of latent attention (DeepSeek V3): query and key without and with rotation, value, low rank of the query. */
const LATENT = { plain: 128, rotated: 64, value: 128, queryRank: 1536 };

export interface FormulaOptions extends OpListOptions {
  gpu: GpuSpec;
  link?: LinkOptions | undefined;
  kernels?: KernelConstants | undefined;
}

/**
 * Times of operations from data sheets: each takes its arithmetic and its memory traffic, whichever is longer and
 * blended where they are alike, at the part of the data sheet that kernels reach (after the roofline model of Williams,
 * Waterman and Patterson, CACM 2009).
 */
export class FormulaTimes implements OpTimes {
  readonly source: string;
  private readonly kernels: KernelConstants;
  private readonly link: LinkTimes;
  /** FLOP and bytes in a microsecond. */
  private readonly flops: number;
  private readonly memory: number;
  private readonly kvBytes: number;
  private readonly formats = new Map<string, NumberFormat>();

  constructor(private readonly options: FormulaOptions) {
    const { gpu, quant, kernels = KERNELS, link } = options;
    this.source = `on ${gpu.name}`;
    this.kernels = kernels;
    this.link = new LinkTimes(gpu, link ?? {}, kernels);
    this.flops = (gpu.bf16Flops * gpu.sustained) / 1e6;
    this.memory = gpu.memoryBandwidth / 1e6;
    this.kvBytes = quant.kvcache === 'bfloat16' ? 2 : 1;
  }

  opMs(leaf: Leaf, { rows, batch, tokens, prefix }: Query): number {
    const { model, parallel } = this.options;
    switch (leaf.kind) {
      case 'embedding':
        return this.elementwiseUs(rows * model.hidden * VALUE_BYTES) / US;
      case 'memory':
        return this.elementwiseUs(leaf.bytesPerToken * rows) / US;
      case 'gemm':
        return (
          this.gemmUs(this.modeOf(leaf.mode), leaf.name === CONTEXT_LOGITS ? batch : rows, leaf.n, leaf.k) /
          US
        );
      case 'contextAttention':
        return this.contextUs(leaf, batch, tokens, prefix) / US;
      case 'generationAttention':
        return this.generationUs(leaf, batch, tokens) / US;
      case 'allReduce':
        return this.link.allReduceMs(parallel.tensor, rows * model.hidden);
      case 'p2p':
        return 0;
      case 'moe':
        return this.expertsUs(rows * parallel.attentionData) / US;
      case 'dispatch':
        return this.dispatchMs(leaf.isPre, rows);
      case 'mlaBmm':
        return this.headProductsUs(leaf, batch) / US;
      default:
        return this.latentUs(leaf, batch, tokens, prefix) / US;
    }
  }

  /** TensorRT-LLM fuses what shortens the input of FP8 products into the operation before. */
  private modeOf(mode: string): string {
    return mode === 'fp8' && this.options.backend === 'trtllm' ? 'fp8_static' : mode;
  }

  private format(mode: string): NumberFormat {
    let format = this.formats.get(mode);
    if (!format) {
      format = numberFormat(mode, this.options.gpu, this.kernels);
      this.formats.set(mode, format);
    }
    return format;
  }

  private elementwiseUs(bytes: number): number {
    const { startUs, memory } = this.kernels.elementwise;
    return bytes / (this.memory * memory) + startUs;
  }

  /** The product of an (m, k) with a (k, n) matrix. */
  private gemmUs(mode: string, m: number, n: number, k: number): number {
    const { startUs, memory, join, wave } = this.kernels.gemm;
    const { weightBytes, inputBytes, flops, math, quantiseUs } = this.format(mode);
    const stream = this.memory * memory;
    const traffic = (weightBytes * n * k + inputBytes * m * k + VALUE_BYTES * m * n) / stream;
    const waves = (Math.ceil(m / TILE) * Math.ceil(n / TILE)) / this.options.gpu.multiprocessors;
    // A last wave that is not full keeps the others waiting; less than that where kernels split the sum.
    const occupancy = (waves >= 1 ? waves / Math.ceil(waves) : waves) ** wave;
    const paddedRows = ROW_TILE * Math.ceil(m / ROW_TILE);
    const arithmetic = (2 * paddedRows * n * k) / (flops * math * occupancy);
    const shorten =
      quantiseUs === undefined ? 0 : quantiseUs + (m * k * (VALUE_BYTES + weightBytes)) / stream;
    return startUs + shorten + (arithmetic ** join + traffic ** join) ** (1 / join);
  }

  private generationUs(op: Attention, batch: number, tokens: number): number {
    const { heads, kvHeads, headSize, windowTokens } = op;
    const { startUs, perHeadUs, memory } = this.kernels.decodeAttention;
    const seen = windowTokens > 0 ? Math.min(tokens, windowTokens) : tokens;
    const bytes = batch * (2 * kvHeads * seen * headSize * this.kvBytes + 4 * heads * headSize);
    return startUs + (perHeadUs * batch * kvHeads) / 8 + bytes / (this.memory * memory);
  }

  private contextUs(op: Attention, batch: number, tokens: number, prefix: number): number {
    const { heads, kvHeads, headSize, windowTokens, normalizesQueryKey } = op;
    const full = tokens + prefix;
    const all = (full * full - prefix * prefix) / 2;
    const pairs = windowTokens > 0 && windowTokens < full ? Math.min(all, tokens * windowTokens) : all;
    const read = batch * headSize * (2 * heads * tokens + 4 * kvHeads * full) * VALUE_BYTES;
    const query = batch * tokens * heads * headSize * VALUE_BYTES;
    const key = batch * tokens * kvHeads * headSize * VALUE_BYTES;
    const norms = normalizesQueryKey ? 2 * this.elementwiseUs(query) + 2 * this.elementwiseUs(key) : 0;
    return (
      this.promptUs(batch * heads, headSize, tokens, pairs) +
      read / (this.memory * PROMPT_STREAM) +
      norms +
      2 * this.elementwiseUs(query + key)
    );
  }

  /** Arithmetic of attention over prompts. @param heads of all requests @param width mean of key and value */
  private promptUs(heads: number, width: number, tokens: number, pairs: number): number {
    const { startUs, math, diagonalTokens } = this.kernels.prefillAttention;
    const blocks = (heads * Math.ceil(tokens / TILE)) / this.options.gpu.multiprocessors;
    const occupancy = blocks >= 1 ? 1 : Math.sqrt(Math.max(blocks, LEAST_OCCUPANCY));
    const operations = 4 * heads * width * (pairs + diagonalTokens * tokens);
    return startUs + operations / (this.flops * math * occupancy);
  }

  private expertsUs(tokens: number): number {
    const { kernels, options } = this;
    const { model, parallel, quant } = options;
    const constants = kernels.experts[quant.moe] ?? kernels.experts.bfloat16;
    const format = this.format(quant.moe);
    const memory = this.memory * kernels.expertMemory;
    return expertsUs({ model, parallel, format, constants, memory }, tokens);
  }

  private dispatchMs(isPre: boolean, rows: number): number {
    const { gpu } = this.options;
    const isSm100 = gpu.isNvlink && gpu.fp4Flops !== undefined;
    return dispatchMs({ ...this.options, isSm100 }, this.link, isPre, rows);
  }

  /** Products of each head's query or output with its part of the low-rank matrices. */
  private headProductsUs({ mode, heads }: Pick<MlaBmm, 'mode' | 'heads'>, rows: number): number {
    return this.gemmUs(mode, rows, heads * LATENT.plain, this.options.model.kvLoraRank);
  }

  /** Latent attention with the products around it where the operation stands for the whole module. */
  private latentUs(op: Mla, batch: number, tokens: number, prefix: number): number {
    const { model, quant, parallel } = this.options;
    const heads = Math.floor(model.heads / parallel.tensor);
    const isContext = op.kind === 'contextMla' || op.kind === 'contextModule';
    const core = isContext
      ? this.latentContextUs(heads, batch, tokens, prefix)
      : this.latentGenerationUs(heads, batch, tokens);
    if (op.kind === 'contextMla' || op.kind === 'generationMla') return core;
    const rows = isContext ? batch * tokens : batch;
    const product = (n: number, k: number) => this.gemmUs(quant.gemm, rows, n, k);
    const { hidden, kvLoraRank, ropeHeadSize } = model;
    const { plain, rotated, value, queryRank } = LATENT;
    const expand = isContext
      ? product(heads * (plain + value), kvLoraRank)
      : 2 * this.headProductsUs({ mode: 'bfloat16', heads }, rows);
    return (
      core +
      product(queryRank + kvLoraRank + ropeHeadSize, hidden) +
      product(heads * (plain + rotated), queryRank) +
      expand +
      product(hidden, heads * value)
    );
  }

  private latentContextUs(heads: number, batch: number, tokens: number, prefix: number): number {
    const full = tokens + prefix;
    const { plain, rotated, value } = LATENT;
    const width = (plain + rotated + value) / 2;
    const pairs = (full * full - prefix * prefix) / 2;
    const bytes = batch * heads * width * 2 * (tokens + full) * VALUE_BYTES;
    return (
      this.promptUs(batch * heads, width, tokens, pairs) +
      bytes / (this.memory * PROMPT_STREAM) +
      2 * this.elementwiseUs(batch * tokens * heads * width * VALUE_BYTES)
    );
  }

  /** All heads share one cached vector, so that with many heads the arithmetic counts, too. */
  private latentGenerationUs(heads: number, batch: number, tokens: number): number {
    const { kvLoraRank, ropeHeadSize } = this.options.model;
    const { startUs, perHeadUs, memory } = this.kernels.decodeAttention;
    const cached = kvLoraRank + ropeHeadSize;
    const bytes = batch * (tokens * cached * this.kvBytes + 2 * heads * (cached + kvLoraRank));
    const operations = 2 * batch * Math.max(heads, ROW_TILE) * (cached + kvLoraRank) * tokens;
    const arithmetic = operations / (this.flops * this.kernels.prefillAttention.math);
    return startUs + perHeadUs * batch + Math.hypot(bytes / (this.memory * memory), arithmetic);
  }
}

import { Grid, type SpeedOfLight } from './grid.js';
import type { Attention, Mla, MlaBmm } from './ops.js';
import { formatCost, type QuantModes } from './quant.js';
import type { Slices } from './store.js';
import type { SystemSpec } from './system.js';
import type { TableName } from './tables.js';

const NO_DATA = Number.NaN;
/** Widths of latent attention: cached vector, query and key, value, low-rank. */
const NOPE_ROPE = 192 + 128;
const LATENT = 1088;
const CACHED = 576;

/** Tables tell key-value heads only where there are fewer of them than query heads. */
function groupsOf({ heads, kvHeads }: Attention): number {
  return heads === kvHeads ? 0 : kvHeads;
}

/** Key of the slice of its table that times an operation. */
export function attentionSlice(op: Attention, { fmha, kvcache }: QuantModes): string {
  const shape = `${kvcache}|${groupsOf(op)}|${op.headSize}|${op.windowTokens}`;
  return op.kind === 'contextAttention' ? `${fmha}|${shape}` : shape;
}

/** Attention kernels of one model, from collected grids. Times in milliseconds. */
export class AttentionTables {
  private readonly grids = new Map<string, Grid | undefined>();
  private readonly fmhaSpeed: number;
  private readonly fmhaBytes: number;
  private readonly kvBytes: number;
  private readonly kvSpeed: number;

  constructor(
    private readonly tables: ReadonlyMap<TableName, Slices>,
    private readonly system: SystemSpec,
    private readonly quant: QuantModes,
    private readonly memoryMs: (bytes: number) => number,
  ) {
    const fmha = formatCost('fmha', quant.fmha)!;
    this.fmhaSpeed = fmha.speed;
    this.fmhaBytes = fmha.bytes;
    this.kvBytes = formatCost('kvcache', quant.kvcache)!.bytes;
    this.kvSpeed = quant.kvcache === 'fp8' ? 2 : 1;
  }

  private grid(table: TableName, key: string, rootAxis: number, raise?: SpeedOfLight): Grid | undefined {
    const name = `${table} ${key}`;
    if (this.grids.has(name)) return this.grids.get(name);
    const slice = this.tables.get(table)?.get(key);
    const lift = raise && ((point: readonly number[], latency: number) => Math.max(latency, raise(point)));
    const grid = slice && new Grid(slice, rootAxis, lift);
    this.grids.set(name, grid);
    return grid;
  }

  private longer(math: number, bytes: number): number {
    return Math.max(math, (bytes / this.system.memoryBandwidth) * 1000);
  }

  /** @param tokens new tokens of each request, after `prefix` known ones */
  contextMs(op: Attention, batch: number, tokens: number, prefix: number): number {
    const { heads, headSize, windowTokens } = op;
    const groups = groupsOf(op);
    const grid = this.grid('contextAttention', attentionSlice(op, this.quant), 1);
    if (!grid) return NO_DATA;
    const full = tokens + prefix;
    const sol: SpeedOfLight = ([n, s, b]) => this.contextLeastMs(n, s, b, groups, headSize, windowTokens);
    const latency = grid.lookup([heads, full, batch], sol) * newShare(full, prefix);
    return latency + this.extrasMs(op);
  }

  private contextLeastMs(n: number, s: number, b: number, groups: number, d: number, window: number): number {
    const k = groups === 0 ? n : groups;
    const operations =
      window > 0 && s > window ? 2 * b * s * window * n * d * 2 : (2 * b * (s * s) * n * d * 2) / 2;
    const bytes = 2 * b * (n * s * d + n * s * d) + this.kvBytes * b * (2 * k * s * d);
    return this.longer(((operations / this.system.bf16Flops) * 1000) / this.fmhaSpeed, bytes);
  }

  /** Norms, rotation and cache writes around the kernel, which the reference counts once, whatever the tokens. */
  private extrasMs({ heads, kvHeads, headSize, normalizesQueryKey }: Attention): number {
    const query = heads * headSize;
    const keys = kvHeads * headSize;
    let extra = 0;
    if (normalizesQueryKey) extra += (2 * this.memoryMs(query * 2) + 2 * this.memoryMs(keys * 2)) * 2;
    const write = this.memoryMs(keys * this.fmhaBytes);
    extra += 2 * this.memoryMs(query * 2 + keys * 2) + (write + write);
    return extra * 1.1;
  }

  generationMs(op: Attention, batch: number, tokens: number): number {
    const { heads, headSize, windowTokens } = op;
    const groups = groupsOf(op);
    const sol: SpeedOfLight = ([n, b, s]) => this.generationLeastMs(n, b, s, groups, headSize, windowTokens);
    const grid = this.grid('generationAttention', attentionSlice(op, this.quant), -1, sol);
    if (!grid) return NO_DATA;
    const low = Math.max(1, Math.trunc(tokens * 0.9));
    const high = Math.max(low, Math.trunc(tokens * 1.1));
    let sum = 0;
    for (let i = 0; i <= 4; i++)
      sum += grid.lookup([heads, batch, low + Math.floor(((high - low) * i) / 4)], sol);
    return sum / 5;
  }

  private generationLeastMs(
    n: number,
    b: number,
    s: number,
    groups: number,
    d: number,
    window: number,
  ): number {
    const k = groups === 0 ? n : groups;
    const length = window > 0 ? Math.min(s - 1, window) : s - 1;
    const operations = 2 * b * n * d * 2 * length;
    const bytes = b * (n * d * 2 + 2 * k * length * d * this.kvBytes + n * d * 2);
    return this.longer(((operations / this.system.bf16Flops) * 1000) / this.kvSpeed, bytes);
  }

  /** @param tokens new tokens of each request, after `prefix` known ones; for generation all of them */
  latentMs(op: Mla, batch: number, tokens: number, prefix: number): number {
    const { fmha, kvcache, gemm } = this.quant;
    if (op.kind === 'contextMla' || op.kind === 'contextModule') {
      const key = op.kind === 'contextMla' ? `${fmha}|${kvcache}` : `${fmha}|${kvcache}|${gemm}`;
      const grid = this.grid(op.kind, key, 1);
      const full = tokens + prefix;
      const sol: SpeedOfLight = ([n, s, b]) => this.latentContextLeastMs(n, s, b);
      return grid ? grid.lookup([op.heads, full, batch], sol) * newShare(full, prefix) : NO_DATA;
    }
    const isModule = op.kind === 'generationModule';
    const grid = this.grid(op.kind, isModule ? `${kvcache}|${gemm}` : kvcache, -1);
    const sol: SpeedOfLight = ([n, b, s]) => this.latentGenerationLeastMs(n, b, s, isModule);
    return grid ? grid.lookup([op.heads, batch, tokens], sol) : NO_DATA;
  }

  private latentContextLeastMs(n: number, s: number, b: number): number {
    const operations = ((b * n * 2) / 2) * NOPE_ROPE * (s * s);
    const bytes = b * n * (this.kvBytes * s * NOPE_ROPE + 2 * s * NOPE_ROPE);
    return this.longer(((operations / this.system.bf16Flops) * 1000) / this.fmhaSpeed, bytes);
  }

  private latentGenerationLeastMs(n: number, b: number, s: number, isModule: boolean): number {
    const { bf16Flops, memoryBandwidth } = this.system;
    const operations = 2 * b * n * LATENT * s;
    const bytes = b * (n * LATENT * 2 + (s - 1) * CACHED * this.kvBytes);
    let math = ((operations / bf16Flops) * 1000) / this.kvSpeed;
    let memory = (bytes / memoryBandwidth) * 1000;
    if (isModule) {
      const cost = formatCost('gemm', this.quant.gemm)!;
      math += ((2 * 2 * b * n * 128 * 512) / (bf16Flops * cost.speed)) * 1000;
      memory += ((2 * n * (b * 640 + 128 * 512) * cost.bytes) / memoryBandwidth) * 1000;
    }
    return Math.max(math, memory);
  }

  /** The batched products before and after latent attention. */
  bmmMs({ heads, mode, isPre }: MlaBmm, batch: number): number {
    const part = isPre ? 'mla_gen_pre' : 'mla_gen_post';
    const grid =
      this.grid('mlaBmm', `${mode}|${part}|${heads}`, -1) ??
      this.grid('mlaBmm', `bfloat16|${part}|${heads}`, -1);
    const { bytes, speed } = formatCost('gemm', mode)!;
    const { bf16Flops } = this.system;
    const sol: SpeedOfLight = ([t]) =>
      this.longer(
        ((2 * t * heads * 128 * 512) / (bf16Flops * speed)) * 1000,
        heads * (t * 640 + 128 * 512) * bytes,
      );
    return grid ? grid.lookup([batch], sol) : NO_DATA;
  }
}

/** Part of the attention of a full context that falls to its new tokens. */
function newShare(full: number, prefix: number): number {
  return full === 0 ? 0 : (full * full - prefix * prefix) / (full * full);
}

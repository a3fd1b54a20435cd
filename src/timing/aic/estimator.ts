import { AicError } from './aic-error.js';
import { AttentionTables } from './attention.js';
import type { Database } from './database.js';
import { Exchange } from './exchange.js';
import { GemmTable } from './gemm.js';
import { type OpListOptions, opList, type Phase } from './op-lists.js';
import type { Leaf, Op } from './ops.js';

/** A pass as the operations see it: input rows, sequences, their new and their known tokens. */
interface Query {
  rows: number;
  batch: number;
  tokens: number;
  prefix: number;
}

export interface OpLatency {
  name: string;
  ms: number;
}

const NO_SLICES = new Map();
/** The output head sees the last token of each prompt alone. */
const CONTEXT_LOGITS = 'context_logits_gemm';
/** Tokens between two decode steps that are asked about. */
const STRIDE = 32;

/** Time of engine passes from collected tables (`aiconfigurator-core` 0.11.0). */
export class AicEstimator {
  readonly operations: Record<Phase, readonly Op[]>;
  private readonly gemm: GemmTable;
  private readonly attention: AttentionTables;
  private readonly exchange: Exchange;
  /** Times of what depends on the number of rows alone, by phase and rows; NaN for what does not. */
  private readonly byRows: Record<Phase, Map<number, Float64Array>> = {
    context: new Map(),
    generation: new Map(),
  };

  constructor(
    private readonly database: Database,
    private readonly options: OpListOptions,
  ) {
    const { system, tables } = database;
    const { model, quant, parallel, backend } = options;
    const slices = (name: Parameters<typeof tables.get>[0]) => tables.get(name) ?? NO_SLICES;
    this.operations = { context: opList('context', options), generation: opList('generation', options) };
    this.gemm = new GemmTable(slices('gemm'), system, {
      compute: slices('computeScale'),
      matrix: slices('scaleMatrix'),
    });
    this.attention = new AttentionTables(tables, system, quant, (bytes) => this.memoryMs(bytes));
    this.exchange = new Exchange({
      system,
      model,
      quant,
      parallel,
      backend,
      allReduce: slices('customAllReduce'),
      nccl: slices('nccl'),
      moe: slices('moe'),
    });
  }

  /** Milliseconds to prefill `batch` requests of `inputTokens` each, the first `prefix` of which are cached. */
  prefillMs(batch: number, inputTokens: number, prefix: number): number {
    const tokens = inputTokens - prefix;
    return this.sum('context', { rows: batch * tokens, batch, tokens, prefix });
  }

  /** Milliseconds of one decode step of `batch` requests with `contextTokens` known tokens. */
  decodeMs(batch: number, contextTokens: number, outputTokens = 2): number {
    const sequences = batch * (this.options.draftTokens + 1);
    let total = 0;
    for (let i = 0; i < outputTokens - 1; i += STRIDE) {
      const query = { rows: sequences, batch: sequences, tokens: contextTokens + i + 1, prefix: 0 };
      total += this.sum('generation', query) * Math.min(STRIDE, outputTokens - 1 - i);
    }
    return total;
  }

  /**
   * Milliseconds of a pass in which `decodes` requests of `contextTokens` known tokens decode and prompts of
   * `promptTokens` each are computed, `prefillTokens` in all: what attention does not do runs once for all rows.
   */
  mixedMs(
    prefillTokens: number,
    promptTokens: number,
    prefix: number,
    decodes: number,
    contextTokens: number,
  ): number {
    const rows = prefillTokens + decodes;
    const batch = Math.ceil(prefillTokens / promptTokens);
    const prompts = { rows: prefillTokens, batch, tokens: promptTokens, prefix };
    const joint = { rows, batch: 1, tokens: rows, prefix: 0 };
    const steps = { rows: decodes, batch: decodes, tokens: contextTokens, prefix: 0 };
    let total = 0;
    for (const op of this.operations.context)
      total += this.required(op, isAttention(op) ? prompts : joint, 'context');
    for (const op of this.operations.generation)
      if (isAttention(op)) total += this.required(op, steps, 'generation');
    return total;
  }

  /** The same, operation by operation. */
  breakdown(phase: Phase, batch: number, tokens: number, prefix: number): OpLatency[] {
    const sequences = phase === 'context' ? batch : batch * (this.options.draftTokens + 1);
    const query =
      phase === 'context'
        ? { rows: batch * (tokens - prefix), batch, tokens: tokens - prefix, prefix }
        : { rows: sequences, batch: sequences, tokens: tokens + 1, prefix: 0 };
    return this.operations[phase].map((op) => ({ name: op.name, ms: this.required(op, query, phase) }));
  }

  private sum(phase: Phase, query: Query): number {
    const { byRows } = this;
    const operations = this.operations[phase];
    let known = byRows[phase].get(query.rows);
    if (!known) {
      known = Float64Array.from(operations, (op) =>
        dependsOnSequences(op) ? Number.NaN : this.required(op, query, phase),
      );
      byRows[phase].set(query.rows, known);
    }
    let total = 0;
    for (let i = 0; i < operations.length; i++) {
      const op = operations[i];
      total += dependsOnSequences(op) ? this.required(op, query, phase) : known[i];
    }
    return total;
  }

  private required(op: Op, query: Query, phase: Phase): number {
    const ms = this.opMs(op, query);
    if (!Number.isNaN(ms)) return ms;
    const { system } = this.database;
    throw new AicError(
      `AIC ${phase === 'context' ? 'prefill' : 'decode'} prediction failed: no data for ${op.name} (${JSON.stringify(op)}) on ${system.name} with ${this.options.backend}`,
    );
  }

  private opMs(op: Op, query: Query): number {
    if (op.kind === 'fallback') {
      const primary = this.leafMs(op.primary, query);
      return Number.isNaN(primary) ? this.sumOf(op.otherwise, query) : primary;
    }
    if (op.kind === 'overlap')
      return Math.max(this.sumOf(op.groups[0], query), this.sumOf(op.groups[1], query));
    return this.leafMs(op, query);
  }

  private sumOf(leaves: readonly Leaf[], query: Query): number {
    let total = 0;
    for (const leaf of leaves) total += this.leafMs(leaf, query);
    return total;
  }

  private leafMs(leaf: Leaf, query: Query): number {
    const raw = this.rawMs(leaf, query);
    return Number.isNaN(raw) ? raw : Math.max(raw, 0) * leaf.count;
  }

  private rawMs(leaf: Leaf, { rows, batch, tokens, prefix }: Query): number {
    const { hidden } = this.options.model;
    switch (leaf.kind) {
      case 'embedding':
        return this.memoryMs(rows * hidden * 2);
      case 'memory':
        return this.memoryMs(leaf.bytesPerToken * rows);
      case 'gemm': {
        const m = leaf.name === CONTEXT_LOGITS ? batch : rows;
        return this.gemm.latencyMs(leaf.mode, m, leaf.n, leaf.k, leaf.lowPrecisionInput);
      }
      case 'contextAttention':
        return this.attention.contextMs(leaf, batch, tokens, prefix);
      case 'generationAttention':
        return this.attention.generationMs(leaf, batch, tokens);
      case 'allReduce':
        return this.exchange.allReduceMs(this.options.parallel.tensor, rows * hidden);
      case 'p2p':
        return 0;
      case 'moe':
        return this.exchange.moeMs(leaf.distribution, rows);
      case 'dispatch':
        return this.exchange.dispatchMs(leaf.isPre, rows);
      case 'mlaBmm':
        return this.attention.bmmMs(leaf, batch);
      default:
        return this.attention.latentMs(leaf, batch, tokens, prefix);
    }
  }

  private memoryMs(bytes: number): number {
    const { memoryBandwidth, memoryScaling, memoryLatencySeconds } = this.database.system;
    return (bytes / (memoryBandwidth * memoryScaling) + memoryLatencySeconds) * 1000;
  }
}

function isAttention(op: Op): boolean {
  return dependsOnSequences(op) && op.name !== CONTEXT_LOGITS;
}

/** Whether the time of an operation follows from more than the number of rows: from sequences, or their tokens. */
function dependsOnSequences(op: Op): boolean {
  return (
    op.kind === 'contextAttention' ||
    op.kind === 'generationAttention' ||
    op.kind === 'fallback' ||
    op.name === CONTEXT_LOGITS
  );
}

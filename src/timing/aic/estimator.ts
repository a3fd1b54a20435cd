import { AicError } from './aic-error.js';
import { type OpListOptions, opList, type Phase } from './op-lists.js';
import type { Leaf, Op } from './ops.js';

/** A pass as the operations see it: input rows, sequences, their new and their known tokens. */
export interface Query {
  rows: number;
  batch: number;
  tokens: number;
  prefix: number;
}

/** Where the times of single operations come from. */
export interface OpTimes {
  /** What times come from, for messages. */
  readonly source: string;
  /** Milliseconds of an operation that happens once; NaN when nothing can be said. */
  opMs(leaf: Leaf, query: Query): number;
}

export interface OpLatency {
  name: string;
  ms: number;
}

/** The output head sees the last token of each prompt alone. */
export const CONTEXT_LOGITS = 'context_logits_gemm';
/** Tokens between two decode steps that are asked about. */
const STRIDE = 32;

/** Time of engine passes as the sum of their operations (`aiconfigurator-core` 0.11.0). */
export class PassEstimator {
  readonly operations: Record<Phase, readonly Op[]>;
  /** Which of them depend on more than the number of rows. */
  private readonly sequential: Record<Phase, readonly boolean[]>;
  /** Times of what depends on the number of rows alone, by phase and rows; NaN for what does not. */
  private readonly byRows: Record<Phase, Map<number, Float64Array>> = {
    context: new Map(),
    generation: new Map(),
  };

  constructor(
    private readonly times: OpTimes,
    private readonly options: OpListOptions,
  ) {
    this.operations = { context: opList('context', options), generation: opList('generation', options) };
    this.sequential = {
      context: this.operations.context.map(dependsOnSequences),
      generation: this.operations.generation.map(dependsOnSequences),
    };
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

  /** A pass operation by operation. */
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
    const sequential = this.sequential[phase];
    let total = 0;
    for (let i = 0; i < operations.length; i++)
      total += sequential[i] ? this.required(operations[i], query, phase) : known[i];
    return total;
  }

  private required(op: Op, query: Query, phase: Phase): number {
    const ms = this.opMs(op, query);
    if (!Number.isNaN(ms)) return ms;
    throw new AicError(
      `AIC ${phase === 'context' ? 'prefill' : 'decode'} prediction failed: no data for ${op.name} (${JSON.stringify(op)}) ${this.times.source}`,
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
    const raw = this.times.opMs(leaf, query);
    return Number.isNaN(raw) ? raw : Math.max(raw, 0) * leaf.count;
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

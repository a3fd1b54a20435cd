import { AttentionTables } from './attention.js';
import type { Database } from './database.js';
import { CONTEXT_LOGITS, type OpTimes, type Query } from './estimator.js';
import { Exchange } from './exchange.js';
import { GemmTable } from './gemm.js';
import type { OpListOptions } from './op-lists.js';
import type { Leaf } from './ops.js';

const NO_SLICES = new Map();

/** Times of operations from collected tables. */
export class TableTimes implements OpTimes {
  readonly source: string;
  private readonly gemm: GemmTable;
  private readonly attention: AttentionTables;
  private readonly exchange: Exchange;

  constructor(
    private readonly database: Database,
    private readonly options: OpListOptions,
  ) {
    const { system, tables } = database;
    const { model, quant, parallel, backend } = options;
    const slices = (name: Parameters<typeof tables.get>[0]) => tables.get(name) ?? NO_SLICES;
    this.source = `on ${system.name} with ${backend}`;
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

  opMs(leaf: Leaf, { rows, batch, tokens, prefix }: Query): number {
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

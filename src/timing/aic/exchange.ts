import { type Collectives, dispatchMs } from './dispatch.js';
import { Grid } from './grid.js';
import type { ModelSpec } from './model.js';
import type { Parallelism } from './parallelism.js';
import { formatCost, type QuantModes } from './quant.js';
import type { Slices } from './store.js';
import { p2pBandwidth, type SystemSpec } from './system.js';

const NO_DATA = Number.NaN;
const MANY_GPUS_PER_NODE = 72;
const LOW_LATENCY_TOKENS = 128;

export interface ExchangeOptions {
  system: SystemSpec;
  model: ModelSpec;
  quant: QuantModes;
  parallel: Parallelism;
  backend: string;
  allReduce: Slices;
  nccl: Slices;
  moe: Slices;
}

/** What GPUs do together: collectives, the way of tokens to experts, and the experts. Times in milliseconds. */
export class Exchange implements Collectives {
  private readonly grids = new Map<string, Grid | undefined>();

  constructor(private readonly options: ExchangeOptions) {}

  private grid(slices: Slices, key: string): Grid | undefined {
    const known = this.grids.get(key);
    if (known) return known;
    const slice = slices.get(key);
    const grid = slice && new Grid(slice, -1);
    this.grids.set(key, grid);
    return grid;
  }

  /** @param size elements of each GPU's message */
  allReduceMs(gpus: number, size: number): number {
    const { system, allReduce } = this.options;
    if (gpus <= 1) return 0;
    if (system.gpusPerNode === MANY_GPUS_PER_NODE && gpus > 4) return this.gatherMs('all_reduce', gpus, size);
    const perNode = system.gpusPerNode;
    const grid = this.grid(allReduce, String(Math.min(gpus, perNode)));
    if (!grid) return NO_DATA;
    return grid.lookup([size], ([value]) => value) * this.spread(gpus, perNode);
  }

  /** A collective of NCCL. */
  gatherMs(operation: string, gpus: number, size: number): number {
    const { nccl } = this.options;
    if (gpus <= 1) return 0;
    const start = `half|${operation}|`;
    const collected = [...nccl.keys()]
      .filter((key) => key.startsWith(start))
      .map((key) => Number(key.slice(start.length)));
    if (collected.length === 0) return NO_DATA;
    const most = Math.max(...collected);
    const grid = this.grid(nccl, `${start}${Math.min(gpus, most)}`);
    return grid ? grid.lookup([size], ([value]) => value) * this.spread(gpus, most) : NO_DATA;
  }

  /** How much longer a collective takes over more GPUs than were measured. */
  private spread(gpus: number, measured: number): number {
    if (gpus <= measured) return 1;
    const { system } = this.options;
    return (
      (((((gpus - 1) / gpus) * measured) / Math.max(measured - 1, 1)) * p2pBandwidth(system, measured)) /
      p2pBandwidth(system, gpus)
    );
  }

  /** Sends tokens to the experts, or their results back. */
  dispatchMs(isPre: boolean, tokens: number): number {
    const { system } = this.options;
    return dispatchMs({ ...this.options, isSm100: system.smVersion === 100 }, this, isPre, tokens);
  }

  /** The experts' products. @param tokens of one attention rank */
  moeMs(distribution: string, tokens: number): number {
    const { moe, model, quant, parallel } = this.options;
    const total = tokens * parallel.attentionData;
    const { expertsPerToken, experts, hidden, expertIntermediate } = model;
    const shape = `${expertsPerToken}|${experts}|${hidden}|${expertIntermediate}|${parallel.moeTensor}|${parallel.moeExpert}`;
    const start = (kind: string, name: string) => `${kind}|${quant.moe}|${name}|`;
    const hasRequested = [...moe.keys()].some((key) => key.startsWith(start('normal', distribution)));
    const name = hasRequested ? distribution : 'uniform';
    const fast =
      total <= LOW_LATENCY_TOKENS && quant.moe === 'nvfp4'
        ? this.grid(moe, start('fast', name) + shape)
        : undefined;
    const grid = fast ?? this.grid(moe, start('normal', name) + shape);
    if (!grid) return NO_DATA;
    const [first, last] = grid.bounds.first;
    if (first === last && total < first) return NO_DATA;
    return grid.lookup([total], ([value]) => this.moeLeastMs(value));
  }

  private moeLeastMs(tokens: number): number {
    const { model, quant, parallel, system } = this.options;
    const [tp, ep] = [BigInt(parallel.moeTensor), BigInt(parallel.moeExpert)];
    const [h, width, experts] = [
      BigInt(model.hidden),
      BigInt(model.expertIntermediate),
      BigInt(model.experts),
    ];
    const routed = BigInt(Math.round(tokens)) * BigInt(model.expertsPerToken);
    const operations = (routed * h * width * 3n * 2n) / ep / tp;
    const own = routed / ep;
    const local = experts / ep;
    const busy = local < own ? local : own;
    const values = own * h * 2n + (own * width * 3n) / tp + ((h * width * 3n) / tp) * busy;
    const { bytes, speed } = formatCost('moe', quant.moe)!;
    const math = (Number(operations) / (system.bf16Flops * speed)) * 1000;
    return Math.max(math, ((Number(values) * bytes) / system.memoryBandwidth) * 1000);
  }
}

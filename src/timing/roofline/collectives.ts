import type { CollectiveConstants, KernelConstants } from './constants.js';
import type { GpuSpec } from './gpus.js';

const US = 1000;
const ELEMENT_BYTES = 2;

/** What the GPUs of a node are linked by. */
export interface LinkOptions {
  /** Whether GPUs on PCIe reach each other's memory without the host; some machines let them, many do not. */
  peerToPeer?: boolean | undefined;
  /** Bytes per second in one direction, instead of the data sheet's. */
  bandwidth?: number | undefined;
}

/** Collectives over one kind of link, by formula. Sizes in elements of two bytes, times in milliseconds. */
export class LinkTimes {
  private readonly reduce: CollectiveConstants;
  private readonly gather: CollectiveConstants;
  /** Bytes in a microsecond. */
  private readonly bandwidth: number;

  constructor(gpu: GpuSpec, { peerToPeer = false, bandwidth }: LinkOptions, kernels: KernelConstants) {
    const pcie = peerToPeer ? kernels.pcie : kernels.pcieThroughHost;
    this.reduce = gpu.isNvlink ? kernels.allReduce : pcie;
    this.gather = gpu.isNvlink ? kernels.gather : pcie;
    this.bandwidth = (bandwidth ?? gpu.linkBandwidth) / 1e6;
  }

  allReduceMs(gpus: number, size: number): number {
    return this.collectiveMs(this.reduce, 2, gpus, size);
  }

  gatherMs(_operation: string, gpus: number, size: number): number {
    return this.collectiveMs(this.gather, 1, gpus, size);
  }

  /** @param turns how often every element goes around (ring: each GPU sends (n - 1) / n of them a turn) */
  private collectiveMs(constants: CollectiveConstants, turns: number, gpus: number, size: number): number {
    if (gpus <= 1) return 0;
    const reached = constants.bandwidth[gpus === 2 ? 0 : 1];
    const bytes = ((turns * (gpus - 1)) / gpus) * ELEMENT_BYTES * size;
    const us = constants.startUs + constants.perGpuUs * (gpus - 2) + bytes / (this.bandwidth * reached);
    return us / US;
  }
}

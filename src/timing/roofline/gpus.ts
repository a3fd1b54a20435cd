/**
 * What data sheets say of a GPU: dense tensor throughput (without sparsity), memory, and the link to its neighbours in
 * one node, one direction. FLOP/s, bytes/s and bytes.
 */
export interface GpuSpec {
  name: string;
  bf16Flops: number;
  /** undefined where the GPU has no such arithmetic. */
  fp8Flops: number | undefined;
  fp4Flops: number | undefined;
  memoryBandwidth: number;
  /** What the runtime reports, which is less than the nominal size. */
  memoryBytes: number;
  linkBandwidth: number;
  isNvlink: boolean;
  multiprocessors: number;
  /** Part of the throughput that its power limit lets it keep up. */
  sustained: number;
  /** Part of the throughput that products of short numbers reach, where it is known of this kind of GPU. */
  quantisedEfficiency: number | undefined;
  /** Whether formulas were compared with kernels measured on it. */
  isTested: boolean;
}

const TERA = 1e12;
const GIGA = 1e9;
const GIB = 2 ** 30;
const NONE = undefined;

interface Row {
  /** TFLOP/s. */
  bf16: number;
  fp8?: number | undefined;
  fp4?: number | undefined;
  /** GB/s and GiB. */
  memoryGbps: number;
  gib: number;
  sm: number;
  nvlinkGbps?: number;
  pcieGbps?: number;
  sustained?: number;
  quantised?: number;
}

/** Kernels measured on these were compared with the formulas, or a whole run was (rtx_4090). */
const TESTED: Record<string, Row> = {
  a100_sxm: { bf16: 312, memoryGbps: 2039, gib: 79.25, sm: 108, nvlinkGbps: 300 },
  h100_sxm: { bf16: 989, fp8: 1978, memoryGbps: 3350, gib: 79.18, sm: 132, nvlinkGbps: 450 },
  h200_sxm: { bf16: 989, fp8: 1978, memoryGbps: 4800, gib: 139.81, sm: 132, nvlinkGbps: 450 },
  b200_sxm: { bf16: 2250, fp8: 4500, fp4: 9000, memoryGbps: 7700, gib: 178.35, sm: 148, nvlinkGbps: 900 },
  b300_sxm: { bf16: 2250, fp8: 4500, fp4: 14000, memoryGbps: 7750, gib: 267.69, sm: 148, nvlinkGbps: 900 },
  gb200: { bf16: 2500, fp8: 5000, fp4: 10000, memoryGbps: 8000, gib: 184.31, sm: 148, nvlinkGbps: 900 },
  gb300: { bf16: 2500, fp8: 5000, fp4: 15000, memoryGbps: 8000, gib: 276.62, sm: 148, nvlinkGbps: 900 },
  l40s: { bf16: 362.1, fp8: 733, memoryGbps: 864, gib: 44.4, sm: 142, pcieGbps: 32, sustained: 0.8 },
  rtx_4090: { bf16: 165.2, fp8: 330.3, memoryGbps: 1008, gib: 23.52, sm: 128, pcieGbps: 32 },
  rtx_pro_6000: {
    bf16: 467.8,
    fp8: 936,
    fp4: 1871,
    memoryGbps: 1792,
    gib: 94.97,
    sm: 188,
    pcieGbps: 64,
    quantised: 0.8,
  },
};

/** From data sheets alone. */
const UNTESTED: Record<string, Row> = {
  a100_pcie: { bf16: 312, memoryGbps: 1935, gib: 79.25, sm: 108, pcieGbps: 32 },
  a100_40gb: { bf16: 312, memoryGbps: 1555, gib: 39.49, sm: 108, nvlinkGbps: 300 },
  h100_pcie: { bf16: 756, fp8: 1513, memoryGbps: 2000, gib: 79.18, sm: 114, pcieGbps: 64 },
  h100_nvl: { bf16: 835, fp8: 1671, memoryGbps: 3938, gib: 93.09, sm: 132, nvlinkGbps: 300 },
  a6000: { bf16: 154.8, memoryGbps: 768, gib: 47.53, sm: 84, pcieGbps: 32 },
  a10g: { bf16: 70, memoryGbps: 600, gib: 22.07, sm: 72, pcieGbps: 32 },
  l4: { bf16: 121, fp8: 242, memoryGbps: 300, gib: 22.07, sm: 58, pcieGbps: 32, sustained: 0.6 },
  rtx_5090: {
    bf16: 209.5,
    fp8: 419,
    fp4: 1676,
    memoryGbps: 1792,
    gib: 31.36,
    sm: 170,
    pcieGbps: 64,
    quantised: 0.8,
  },
  mi300x: { bf16: 1307.4, fp8: 2614.9, memoryGbps: 5300, gib: 191.98, sm: 304, nvlinkGbps: 448 },
  mi325x: { bf16: 1307.4, fp8: 2614.9, memoryGbps: 6000, gib: 255.98, sm: 304, nvlinkGbps: 448 },
  mi350x: { bf16: 2306.9, fp8: 4613.7, fp4: 9227.5, memoryGbps: 8000, gib: 287.98, sm: 256, nvlinkGbps: 538 },
  mi355x: {
    bf16: 2516.6,
    fp8: 5033.2,
    fp4: 10066.3,
    memoryGbps: 8000,
    gib: 287.98,
    sm: 256,
    nvlinkGbps: 538,
  },
};

function gpu(name: string, row: Row, isTested: boolean): GpuSpec {
  const flops = (tera: number | undefined) => (tera === undefined ? NONE : tera * TERA);
  return {
    name,
    bf16Flops: row.bf16 * TERA,
    fp8Flops: flops(row.fp8),
    fp4Flops: flops(row.fp4),
    memoryBandwidth: row.memoryGbps * GIGA,
    memoryBytes: row.gib * GIB,
    linkBandwidth: (row.nvlinkGbps ?? row.pcieGbps ?? 0) * GIGA,
    isNvlink: row.nvlinkGbps !== undefined,
    multiprocessors: row.sm,
    sustained: row.sustained ?? 1,
    quantisedEfficiency: row.quantised,
    isTested,
  };
}

export const GPUS: readonly GpuSpec[] = [
  ...Object.entries(TESTED).map(([name, row]) => gpu(name, row, true)),
  ...Object.entries(UNTESTED).map(([name, row]) => gpu(name, row, false)),
];

/** Finds a GPU by name, whatever its case and whichever of `-`, `_` and blanks it is written with. */
export function findGpu(name: string): GpuSpec | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_\s]/g, '');
  const wanted = plain(name).replace(/(server|workstation)$/, '');
  return (
    GPUS.find((known) => plain(known.name) === wanted) ??
    GPUS.find((known) => plain(known.name) === `${wanted}sxm`)
  );
}

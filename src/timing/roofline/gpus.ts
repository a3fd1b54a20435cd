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
  memoryBytes: number;
  linkBandwidth: number;
}

const TERA = 1e12;
const GIGA = 1e9;

function gpu(
  name: string,
  bf16: number,
  fp8: number | undefined,
  fp4: number | undefined,
  memoryGbps: number,
  memoryGb: number,
  linkGbps: number,
): GpuSpec {
  return {
    name,
    bf16Flops: bf16 * TERA,
    fp8Flops: fp8 === undefined ? undefined : fp8 * TERA,
    fp4Flops: fp4 === undefined ? undefined : fp4 * TERA,
    memoryBandwidth: memoryGbps * GIGA,
    memoryBytes: memoryGb * GIGA,
    linkBandwidth: linkGbps * GIGA,
  };
}

/** Columns: bf16, fp8 and fp4 TFLOP/s, memory GB/s and GB, link GB/s. */
export const GPUS: readonly GpuSpec[] = [
  gpu('a100_pcie', 312, undefined, undefined, 1935, 80, 32),
  gpu('a100_sxm', 312, undefined, undefined, 2039, 80, 300),
  gpu('h100_pcie', 756, 1513, undefined, 2000, 80, 64),
  gpu('h100_sxm', 989, 1979, undefined, 3350, 80, 450),
  gpu('h200_sxm', 989, 1979, undefined, 4800, 141, 450),
  gpu('b200_sxm', 2250, 4500, 9000, 7700, 180, 900),
  gpu('b300_sxm', 2250, 4500, 13500, 7700, 270, 900),
  gpu('gb200', 2500, 5000, 10000, 8000, 186, 900),
  gpu('gb300', 2500, 5000, 15000, 8000, 279, 900),
  gpu('l4', 121, 242, undefined, 300, 24, 32),
  gpu('l40s', 362, 733, undefined, 864, 48, 32),
  gpu('rtx_4090', 165.2, 330.3, undefined, 1008, 24, 32),
  gpu('rtx_5090', 209.5, 419, 1676, 1792, 32, 64),
  gpu('rtx_pro_6000', 503.8, 1007.6, 2015.2, 1792, 96, 64),
  gpu('mi300x', 1307.4, 2614.9, undefined, 5300, 192, 448),
  gpu('mi325x', 1307.4, 2614.9, undefined, 6000, 256, 448),
  gpu('mi355x', 2516.6, 5033.2, 10066.3, 8000, 288, 538),
];

/** Finds a GPU by name, whatever its case and whichever of `-`, `_` and blanks it is written with. */
export function findGpu(name: string): GpuSpec | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_\s]/g, '');
  const wanted = plain(name);
  return (
    GPUS.find((known) => plain(known.name) === wanted) ??
    GPUS.find((known) => plain(known.name) === `${wanted}sxm`)
  );
}

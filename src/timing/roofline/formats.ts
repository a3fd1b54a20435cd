import type { KernelConstants } from './constants.js';
import type { GpuSpec } from './gpus.js';

/** What a number format costs on a GPU. */
export interface NumberFormat {
  /** Bytes of a weight, and of a value of the input. */
  weightBytes: number;
  inputBytes: number;
  /** FLOP in a microsecond by the data sheet, as far as the power limit lets it keep up. */
  flops: number;
  /** Part of it that matrix products reach. */
  math: number;
  /** Start of the kernel that shortens the input; undefined where there is none. */
  quantiseUs: number | undefined;
}

const FP8 = ['fp8', 'fp8_static', 'fp8_block', 'fp8_ootb', 'sq'];
const WEIGHT_BYTES: Record<string, number> = {
  bfloat16: 2,
  int8: 1,
  int8_wo: 1,
  nvfp4: 0.5625,
  int4_wo: 0.53,
};

function weightBytes(mode: string): number {
  if (FP8.includes(mode)) return 1;
  return WEIGHT_BYTES[mode] ?? (/mxfp4|w4a/.test(mode) ? 0.53 : 2);
}

/** Costs of a format of weights; formats that the GPU cannot multiply are computed in bfloat16. */
export function numberFormat(mode: string, gpu: GpuSpec, kernels: KernelConstants): NumberFormat {
  const bytes = weightBytes(mode);
  const isFp8 = FP8.includes(mode);
  const isFp4 = mode === 'nvfp4';
  // With FP4 arithmetic at hand, engines shorten the input of mxfp4 experts to FP8.
  const shortensInput = isFp8 || (mode === 'w4a16_mxfp4' && gpu.fp4Flops !== undefined);
  const flops = (isFp4 ? gpu.fp4Flops : shortensInput ? gpu.fp8Flops : undefined) ?? gpu.bf16Flops;
  const known = kernels.quantised[mode] ?? (isFp8 ? kernels.quantised.fp8 : undefined);
  const hasStatic = mode === 'fp8_static';
  return {
    weightBytes: bytes,
    inputBytes: isFp8 || isFp4 ? bytes : 2,
    flops: (flops * gpu.sustained) / 1e6,
    math: (known && gpu.quantisedEfficiency) ?? known?.math ?? kernels.gemm.math,
    quantiseUs: hasStatic ? undefined : known?.quantiseUs,
  };
}

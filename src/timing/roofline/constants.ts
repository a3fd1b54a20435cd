/** How a kernel of a mixture of experts stays behind the data sheet, by number format. */
export interface ExpertConstants {
  /** Start and end of the kernels of a layer, microseconds. */
  startUs: number;
  /** Part of tensor throughput that is reached. */
  math: number;
  /** How many different experts tokens find: tokens count `spread` times in an even draw. */
  spread: number;
  /** Rows of the busiest rank: with all experts apart it has `ep ^ imbalance` times its share. */
  imbalance: number;
  /** Rows that an expert's product costs at least. */
  paddingRows: number;
}

export interface CollectiveConstants {
  startUs: number;
  /** What every GPU after the second adds. */
  perGpuUs: number;
  /** Part of the link's bandwidth that is reached, with two GPUs and with more. */
  bandwidth: readonly [two: number, more: number];
}

/** How far kernels stay behind data sheets: one set for all GPUs. Times in microseconds. */
export interface KernelConstants {
  gemm: { startUs: number; math: number; memory: number; join: number; wave: number };
  /** Products of short numbers: part of the throughput reached, and the start of the kernel that shortens the input. */
  quantised: Record<string, { math: number; quantiseUs: number }>;
  decodeAttention: { startUs: number; perHeadUs: number; memory: number };
  prefillAttention: { startUs: number; math: number; diagonalTokens: number };
  /** Norms, activations and the like. */
  elementwise: { startUs: number; memory: number };
  allReduce: CollectiveConstants;
  gather: CollectiveConstants;
  pcie: CollectiveConstants;
  /** PCIe between GPUs that cannot reach each other's memory. */
  pcieThroughHost: CollectiveConstants;
  experts: Record<string, ExpertConstants>;
  expertMemory: number;
}

function collective(startUs: number, perGpuUs: number, two: number, more = two): CollectiveConstants {
  return { startUs, perGpuUs, bandwidth: [two, more] };
}

const NVFP4_EXPERTS: ExpertConstants = {
  startUs: 18.2,
  math: 0.397,
  spread: 0.844,
  imbalance: 0.492,
  paddingRows: 11.8,
};
const FP8_EXPERTS: ExpertConstants = {
  startUs: 38.2,
  math: 0.205,
  spread: 0.816,
  imbalance: 0.516,
  paddingRows: 9.06,
};
const MXFP4_EXPERTS: ExpertConstants = {
  startUs: 28.6,
  math: 0.305,
  spread: 0.683,
  imbalance: 0.415,
  paddingRows: 22.9,
};

/**
 * Fitted to kernels measured on nine GPUs (AI Configurator 0.11.0, its tables of vLLM 0.24.0 and of 0.14.0 for A100),
 * with each GPU left out in turn; docs/fidelity.md has the errors. Set by hand: PCIe, the gather, `expertMemory`.
 */
export const KERNELS: KernelConstants = {
  gemm: { startUs: 3.18, math: 0.794, memory: 0.846, join: 2.4, wave: 0.23 },
  quantised: {
    fp8: { math: 0.476, quantiseUs: 4.03 },
    fp8_block: { math: 0.405, quantiseUs: 10.6 },
    fp8_static: { math: 0.62, quantiseUs: 0 },
    nvfp4: { math: 0.404, quantiseUs: 4.68 },
  },
  decodeAttention: { startUs: 10.34, perHeadUs: 0.045, memory: 0.843 },
  prefillAttention: { startUs: 12.7, math: 0.624, diagonalTokens: 177 },
  elementwise: { startUs: 3, memory: 0.8 },
  allReduce: collective(6.28, 0.22, 0.61),
  gather: collective(8, 1.3, 0.61),
  pcie: collective(4.3, 4.2, 0.6, 0.42),
  pcieThroughHost: collective(20, 4.2, 0.24),
  experts: {
    bfloat16: { startUs: 18.4, math: 0.433, spread: 0.811, imbalance: 0.459, paddingRows: 22.6 },
    fp8: FP8_EXPERTS,
    fp8_block: FP8_EXPERTS,
    nvfp4: NVFP4_EXPERTS,
    w4a16_mxfp4: MXFP4_EXPERTS,
    int4_wo: MXFP4_EXPERTS,
  },
  expertMemory: 0.85,
};

/** What an engine adds to its kernels, microseconds: to every pass, and for every sequence that it decodes. */
export interface EngineConstants {
  passUs: number;
  sequenceUs: number;
}

/** From public runs on H100 and H200, rounded; scripts/accuracy/points.mjs says which, docs/fidelity.md how well they hold. */
export const ENGINES: Record<string, EngineConstants> = {
  vllm: { passUs: 500, sequenceUs: 20 },
  sglang: { passUs: 500, sequenceUs: 10 },
  trtllm: { passUs: 300, sequenceUs: 10 },
};

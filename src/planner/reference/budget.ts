/** GPUs that the fleet may and must have; negative is off. */
export interface GpuBudget {
  readonly min: number;
  readonly max: number;
  /** Fewest workers of a stage. */
  readonly minWorkers: number;
}

/** Whether a number of GPUs lies in the band; its floor gives way by `tolerance` where both ends are set. */
function isWithin(gpus: number, { min, max }: GpuBudget, tolerance: number): boolean {
  const floor = max >= 0 ? min - tolerance : min;
  return (max < 0 || gpus <= max) && (min < 0 || gpus >= floor);
}

/** Brings the size of one stage into the budget. */
export function fitOne(workers: number, gpusPerWorker: number, budget: GpuBudget): number {
  const { min, max, minWorkers } = budget;
  if (isWithin(workers * gpusPerWorker, budget, gpusPerWorker)) return workers;
  if (max >= 0 && workers * gpusPerWorker > max) {
    if (max < minWorkers * gpusPerWorker) return 0;
    return Math.max(minWorkers, Math.floor(max / gpusPerWorker));
  }
  return Math.max(minWorkers, Math.ceil(min / gpusPerWorker));
}

export interface Pair {
  readonly prefill: number;
  readonly decode: number;
}

/** Brings the sizes of two stages into the budget that they share, in proportion. */
export function fitPair(workers: Pair, gpus: Pair, budget: GpuBudget): Pair {
  const { min, max, minWorkers } = budget;
  const total = workers.prefill * gpus.prefill + workers.decode * gpus.decode;
  if (isWithin(total, budget, Math.max(gpus.prefill, gpus.decode))) return workers;
  if (max >= 0 && total > max) {
    if (max < minWorkers * (gpus.prefill + gpus.decode)) return { prefill: 0, decode: 0 };
    const scale = max / total;
    const most = Math.floor((max - minWorkers * gpus.decode) / gpus.prefill);
    const prefill = Math.max(minWorkers, Math.min(most, Math.floor(workers.prefill * scale)));
    return {
      prefill,
      decode: Math.max(minWorkers, Math.floor((max - prefill * gpus.prefill) / gpus.decode)),
    };
  }
  const wanted = total <= 0 ? Math.ceil(min / 2 / gpus.prefill) : Math.ceil(workers.prefill * (min / total));
  const prefill = Math.max(minWorkers, wanted);
  const missing = Math.max(0, min - prefill * gpus.prefill);
  const decode = Math.max(minWorkers, Math.ceil(missing / gpus.decode));
  const isOver = max >= 0 && prefill * gpus.prefill + decode * gpus.decode > max;
  return isOver ? workers : { prefill, decode };
}

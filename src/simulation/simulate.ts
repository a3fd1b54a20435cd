import { StallError } from '../engine/engine-core.js';
import type { WorkerUse } from '../report/report.js';
import { QueueLimitError } from '../router/kv-router.js';
import { Fleet, type FleetOptions } from './fleet.js';
import { HarnessRun } from './harness.js';
import { IndependentRun } from './independent.js';
import { RunError } from './run-error.js';
import { SingleWorkerRun } from './single.js';

/** Worker time of a run in which nothing completed, as the reference has it. */
const MIN_SECONDS = 1e-9;

export interface SimulationOptions extends Omit<FleetOptions, 'isCapped' | 'namesWorkers'> {
  isOpenLoop: boolean;
  /** Infinity without a cap. */
  capMs: number;
}

/**
 * Runs a workload through an aggregated fleet behind round robin.
 * @throws {RunError} when the run comes to a dead end
 */
export function simulate(options: SimulationOptions): WorkerUse {
  const { args, workers, collector } = options;
  const isSingle = workers === 1 && args.ranks === 1 && options.router === undefined;
  const fleet = new Fleet({
    ...options,
    isCapped: options.capMs !== Number.POSITIVE_INFINITY,
    namesWorkers: !isSingle,
    namesSessions: options.namesSessions && !isSingle,
  });
  try {
    const decodeSeconds = isSingle ? runSingle(fleet, options) : runMany(fleet, options);
    if (options.recordsUnfinished) fleet.endUnfinished();
    return { prefillSeconds: 0, decodeSeconds, prefillGpus: 0, decodeGpus: args.tensorParallel * args.ranks };
  } catch (error) {
    if (error instanceof QueueLimitError) throw new RunError(error.message);
    throw error instanceof StallError ? fleet.deadEnd() : error;
  }

  function runSingle(fleet: Fleet, { isOpenLoop, capMs }: SimulationOptions): number {
    new SingleWorkerRun(fleet, isOpenLoop, capMs).run();
    return Math.max(collector.durationMs / 1000, MIN_SECONDS);
  }

  function runMany(fleet: Fleet, { source, capMs }: SimulationOptions): number {
    // An idle pass of SGLang changes its state, and how often one is tried depends on what other workers do.
    const isAlone = args.ranks === 1 && args.engineType !== 'sglang';
    const isIndependent =
      !source.hasFeedback && capMs === Number.POSITIVE_INFINITY && isAlone && options.router === undefined;
    return isIndependent
      ? (workers * new IndependentRun(fleet).run()) / 1000
      : new HarnessRun(fleet, capMs).run();
  }
}

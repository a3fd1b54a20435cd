import type { WorkerUse } from '../report/report.js';
import { Fleet, type FleetOptions } from './fleet.js';
import { HarnessRun } from './harness.js';
import { IndependentRun } from './independent.js';
import { SingleWorkerRun } from './single.js';

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
  const { args, workers, source, capMs, collector } = options;
  const isCapped = capMs !== Number.POSITIVE_INFINITY;
  const isSingle = workers === 1 && args.ranks === 1;
  const fleet = new Fleet({ ...options, isCapped, namesWorkers: !isSingle, namesSessions: options.namesSessions && !isSingle });
  const gpus = args.tensorParallel * args.ranks;
  const use = { prefillSeconds: 0, decodeSeconds: 0, prefillGpus: 0, decodeGpus: gpus };
  if (isSingle) {
    new SingleWorkerRun(fleet, options.isOpenLoop, capMs).run();
    use.decodeSeconds = Math.max(collector.durationMs / 1000, 1e-9);
  } else if (!source.hasFeedback && !isCapped && args.ranks === 1) {
    use.decodeSeconds = (workers * new IndependentRun(fleet).run()) / 1000;
  } else use.decodeSeconds = new HarnessRun(fleet, capMs).run();
  if (options.recordsUnfinished) fleet.endUnfinished();
  return use;
}

import { StallError } from '../engine/engine-core.js';
import type { WorkerUse } from '../report/report.js';
import { QueueLimitError } from '../router/kv-router.js';
import { Fleet, type FleetOptions } from './fleet.js';
import { HarnessRun } from './harness.js';
import { IndependentRun } from './independent.js';
import { poolSections } from './pool-use.js';
import { RunError } from './run-error.js';
import { SingleWorkerRun } from './single.js';
import { SplitFleet, type SplitFleetOptions } from './split-fleet.js';
import { SplitRun } from './split-run.js';

/** Worker time of a run in which nothing completed, as the reference has it. */
const MIN_SECONDS = 1e-9;

interface RunOptions {
  isOpenLoop: boolean;
  /** Infinity without a cap. */
  capMs: number;
  /** Whether requests that are still in flight when the run stops are recorded. */
  recordsUnfinished: boolean;
}

export interface SimulationOptions extends Omit<FleetOptions, 'isCapped' | 'namesWorkers'>, RunOptions {
  /** Whether workers must be run together even where they seem not to depend on each other. */
  together: boolean;
}
export type SplitSimulationOptions = Omit<SplitFleetOptions, 'isCapped'> & RunOptions;

/**
 * Runs a workload through workers that serve requests from prompt to last token.
 * @throws {RunError} when the run comes to a dead end
 * @throws {CoupledError} when workers must be run together
 */
export function simulate(options: SimulationOptions): WorkerUse {
  const { args, workers } = options;
  const isSingle = workers === 1 && args.ranks === 1 && options.routing.kind.isBlind;
  const fleet = new Fleet({
    ...options,
    isCapped: options.capMs !== Number.POSITIVE_INFINITY,
    namesWorkers: !isSingle,
    namesSessions: options.namesSessions && !isSingle,
  });
  return guarded(fleet, () => {
    const decodeSeconds = isSingle ? runSingle(fleet, options) : runMany(fleet, options);
    if (options.recordsUnfinished) fleet.endUnfinished();
    return {
      prefillSeconds: 0,
      decodeSeconds,
      prefillGpus: 0,
      decodeGpus: args.tensorParallel * args.ranks,
      sections: poolSections(fleet.pool.use, ''),
    };
  });
}

function runSingle(fleet: Fleet, { isOpenLoop, capMs, collector }: SimulationOptions): number {
  new SingleWorkerRun(fleet, isOpenLoop, capMs).run();
  return Math.max(collector.durationMs / 1000, MIN_SECONDS);
}

function runMany(fleet: Fleet, options: SimulationOptions): number {
  const { args, source, capMs, workers, routing } = options;
  const isUncapped = capMs === Number.POSITIVE_INFINITY;
  const { blockBytes, g3Blocks, g4 } = args.offload;
  const sharesTiers = blockBytes !== undefined && (g3Blocks > 0 || g4);
  const isAlone = args.ranks === 1 && routing.kind.isBlind && !sharesTiers;
  const isIndependent = !options.together && !source.hasFeedback && isUncapped && isAlone;
  return isIndependent
    ? (workers * new IndependentRun(fleet).run()) / 1000
    : new HarnessRun(fleet, capMs).run();
}

/**
 * Runs a workload through a fleet of prefill and decode workers.
 * @throws {RunError} when the run comes to a dead end
 */
export function simulateSplit(options: SplitSimulationOptions): WorkerUse {
  const fleet = new SplitFleet({ ...options, isCapped: options.capMs !== Number.POSITIVE_INFINITY });
  return guarded(fleet, () => {
    const run = new SplitRun(fleet, options.capMs);
    run.run();
    fleet.endUnfinished(options.recordsUnfinished);
    return {
      prefillSeconds: run.prefillSeconds,
      decodeSeconds: run.decodeSeconds,
      prefillGpus: options.prefill.args.tensorParallel,
      decodeGpus: options.decode.args.tensorParallel,
      sections: {
        ...poolSections(fleet.prefill.use, 'prefill_'),
        ...poolSections(fleet.decode.use, 'decode_'),
        ...(options.bypass && { bypassed_requests: fleet.bypassed }),
      },
    };
  });
}

function guarded(fleet: { deadEnd(): RunError }, run: () => WorkerUse): WorkerUse {
  try {
    return run();
  } catch (error) {
    if (error instanceof QueueLimitError) throw new RunError(error.message);
    throw error instanceof StallError ? fleet.deadEnd() : error;
  }
}

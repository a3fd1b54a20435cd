import type { WorkerUse } from '../report/report.js';
import { fleetUse, isLone, openFleet } from './fleet-runs.js';
import { LoneWorkers } from './lone-workers.js';
import { guarded, MIN_SECONDS } from './run.js';
import type { FleetRunOptions } from './run-options.js';

/** Whether no worker of a fleet ever looks at another, so that each can be advanced alone. */
export function mayRunApart(options: FleetRunOptions): boolean {
  const { args, source, capMs, routing } = options;
  if (isLone(options)) return true;
  const isUncapped = capMs === Number.POSITIVE_INFINITY;
  const { blockBytes, g3Blocks, g4 } = args.offload;
  const sharesTiers = blockBytes !== undefined && (g3Blocks > 0 || g4);
  return args.ranks === 1 && routing.kind.isBlind && !sharesTiers && !source.hasFeedback && isUncapped;
}

/**
 * Runs a workload to its end through workers that do not look at each other.
 * @throws {RunError} when the run comes to a dead end
 * @throws {CoupledError} when workers must be run together
 */
export function runApart(options: FleetRunOptions): WorkerUse {
  const { isOpenLoop, capMs, collector, workers } = options;
  const fleet = openFleet(options);
  return guarded(
    () => fleet.deadEnd(),
    () => {
      const isAlone = isLone(options);
      const lastMs = new LoneWorkers(fleet, { isOpenLoop, capMs, isLone: isAlone }).run();
      const seconds = isAlone
        ? Math.max(collector.durationMs / 1000, MIN_SECONDS)
        : (workers * lastMs) / 1000;
      fleet.recordUnfinished(collector);
      const committed = fleet.pool.cores.reduce((sum, { load }) => sum + load.committedTokens, 0);
      return fleetUse(fleet, seconds, committed);
    },
  );
}

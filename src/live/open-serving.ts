import type { EngineArgs } from '../config/engine-type.js';
import type { ReplayOptions } from '../config/scenario/options.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { resolveEngines } from '../setup/engines.js';
import { fleetScenario } from '../setup/scenario.js';
import type { CacheWatch } from '../simulation/engine-pool.js';
import type { Clock } from './clock.js';
import { limitsOf } from './fleet-limits.js';
import { openFleetLoop } from './fleet-loop.js';
import { FleetServing } from './fleet-serving.js';

/** The part of a replay's options that describes the fleet. */
export type FleetSettings = Pick<
  ReplayOptions,
  | 'extraEngineArgs'
  | 'timing'
  | 'prefillEngineArgs'
  | 'decodeEngineArgs'
  | 'numWorkers'
  | 'numPrefillWorkers'
  | 'numDecodeWorkers'
  | 'routerMode'
  | 'routerConfig'
  | 'routerPolicyConfig'
  | 'routerSeed'
  | 'modelName'
  | 'aicSystems'
  | 'overheads'
  | 'kvOffload'
  | 'beyondReference'
  | 'mendFaults'
  | 'check'
>;

/** A fleet and what is to be known of it. */
export interface OpenFleet {
  serving: FleetServing;
  /** The engine of the fleet, or that of decode. */
  engine: EngineArgs;
}

/**
 * Opens a fleet that serves requests in the time of a clock.
 * @param watchCaches who hears of the caches of these stages
 * @throws {InputError} for the first wrong setting
 */
export function openFleet(
  settings: FleetSettings | Scenario,
  clock: Clock,
  warnings: string[] = [],
  watchCaches?: (stages: readonly EngineArgs[]) => readonly CacheWatch[],
): OpenFleet {
  const scenario = 'given' in settings ? settings : fleetScenario(settings);
  const engines = resolveEngines(scenario, warnings);
  const args = engines.stages.map((stage) => stage.args);
  const watches = watchCaches?.(args);
  const serving = new FleetServing(clock, limitsOf(args), (source, listener) =>
    openFleetLoop(scenario, engines, source, listener, watches),
  );
  return { serving, engine: args[args.length - 1] };
}

/** As `openFleet`, for who only serves. */
export function openServing(
  settings: FleetSettings | Scenario,
  clock: Clock,
  warnings: string[] = [],
): FleetServing {
  return openFleet(settings, clock, warnings).serving;
}

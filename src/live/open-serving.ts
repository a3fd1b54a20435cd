import type { EngineArgs } from '../config/engine-type.js';
import type { ReplayOptions } from '../config/scenario/options.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { resolveEngines } from '../setup/engines.js';
import { fleetScenario } from '../setup/scenario.js';
import type { Clock } from './clock.js';
import { openFleetLoop } from './fleet-loop.js';
import { type FleetLimits, FleetServing } from './fleet-serving.js';

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
  | 'check'
>;

/** A fleet and what is to be known of it. */
export interface OpenFleet {
  serving: FleetServing;
  /** The engine of the fleet, or that of decode. */
  engine: EngineArgs;
}

/** Opens a fleet that serves requests in the time of a clock. @throws {InputError} for the first wrong setting */
export function openFleet(
  settings: FleetSettings | Scenario,
  clock: Clock,
  warnings: string[] = [],
): OpenFleet {
  const scenario = 'given' in settings ? settings : fleetScenario(settings);
  const engines = resolveEngines(scenario, warnings);
  const args = engines.stages.map((stage) => stage.args);
  const serving = new FleetServing(clock, limitsOf(args), (source, listener) =>
    openFleetLoop(scenario, engines, source, listener),
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

/**
 * What a worker can hold, one block left free as engines keep some. A prompt that is not computed in chunks must fit
 * into one pass.
 */
function limitsOf(stages: readonly EngineArgs[]): FleetLimits {
  const each = stages.map(({ gpuBlocks, blockTokens, maxModelTokens, chunkedPrefill, maxBatchedTokens }) => {
    const heldTokens = Math.max(1, gpuBlocks - 1) * blockTokens;
    const modelTokens = maxModelTokens ?? Number.POSITIVE_INFINITY;
    const passTokens = chunkedPrefill ? heldTokens : maxBatchedTokens;
    return { heldTokens, modelTokens, promptTokens: Math.min(heldTokens, passTokens, modelTokens - 1) };
  });
  return {
    promptTokens: Math.min(...each.map((limits) => limits.promptTokens)),
    modelTokens: Math.min(...each.map((limits) => limits.modelTokens)),
    heldTokens: Math.min(...each.map((limits) => limits.heldTokens)),
  };
}

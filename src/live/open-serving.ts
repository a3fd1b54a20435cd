import { planReplay, type ReplayOptions } from '../config/replay-options.js';
import { resolveEngines } from '../setup/engines.js';
import { ENGINES } from '../setup/kinds.js';
import type { Clock } from './clock.js';
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
  | 'aic'
  | 'aicSystems'
  | 'overheads'
  | 'kvOffload'
  | 'beyondReference'
  | 'check'
>;

/** A plan must have a workload; that of a live fleet comes from outside. */
const NO_WORKLOAD = { inputTokens: 1, outputTokens: 1, requestCount: 1, replayConcurrency: 1 };

/** Opens a fleet that serves requests in the time of a clock. @throws {InputError} for the first wrong setting */
export function openServing(settings: FleetSettings, clock: Clock, warnings: string[] = []): FleetServing {
  const plan = planReplay({ ...settings, ...NO_WORKLOAD }, ENGINES);
  const engines = resolveEngines(plan, warnings);
  return new FleetServing(clock, (source, listener) => openFleetLoop(plan, engines, source, listener));
}

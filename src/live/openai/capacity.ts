import type { FleetStage } from '../../report/picture-types.js';
import type { StageName, StageView } from '../../simulation/views.js';
import { badRequest } from './api-error.js';

/** A fleet that can be looked at and scaled. */
export interface Capacity {
  stages(): readonly StageView[];
  /** Sets how many workers a stage has; those that go finish what they have. */
  scale(stage: StageName, workers: number): void;
}

interface AskedCapacity {
  workers?: number | null | undefined;
  prefill_workers?: number | null | undefined;
  decode_workers?: number | null | undefined;
}

const FIELDS: Record<StageName, keyof AskedCapacity> = {
  '': 'workers',
  prefill: 'prefill_workers',
  decode: 'decode_workers',
};

/** Scales the stages that are named. @throws {ApiError} 400 for a stage that is not there, or none at all */
export function setCapacity(fleet: Capacity, asked: AskedCapacity): void {
  const names = fleet.stages().map(({ name }) => name);
  for (const [stage, field] of Object.entries(FIELDS))
    if (typeof asked[field] === 'number' && !names.includes(stage as StageName))
      throw badRequest(`${field}: the fleet has ${names.map((name) => FIELDS[name]).join(' and ')}`, field);
  const given = names.filter((name) => typeof asked[FIELDS[name]] === 'number');
  if (given.length === 0) throw badRequest(`give ${names.map((name) => FIELDS[name]).join(' or ')}`);
  for (const name of given) fleet.scale(name, asked[FIELDS[name]]!);
}

/** The fleet as it is now, stage by stage. */
export function capacityOf(fleet: Capacity): { stages: FleetStage[] } {
  const stages = fleet.stages().map(({ name, starting, active, draining, workers, heldRequests }) => ({
    stage: name === '' ? 'aggregated' : name,
    starting: starting.length,
    active: active.length,
    draining: draining.length,
    held_requests: heldRequests,
    workers: workers.map(({ id, state, ranks }) => ({
      id,
      state,
      ranks: ranks.map(({ waitingRequests, runningRequests, cache }) => ({
        waiting: waitingRequests,
        running: runningRequests,
        kv_blocks: cache.blocks,
        kv_active_blocks: cache.activeBlocks,
      })),
    })),
  }));
  return { stages };
}

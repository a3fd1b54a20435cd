import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError } from '../../config/input-error.js';
import { type JsonValue, plainJson } from '../../config/json.js';
import type { Planner, WorkerCapacity } from '../../planner/planner.js';
import { policyOf } from '../../planner/policies/policies.js';
import { plannerJson } from './config-source.js';
import { messageOf } from './error-text.js';
import type { PlannedFleet } from './planned-fleet.js';
import type { Policy } from './planned-run.js';
import { referencePolicy } from './reference-policy.js';

/** What a policy in a file is told of the fleet before it starts. */
export interface PolicyFleet {
  readonly stages: readonly {
    /** `agg` where workers do both phases, else `prefill` and `decode`. */
    readonly name: string;
    readonly workers: number;
    readonly startupMs: number;
    readonly capacity: WorkerCapacity;
  }[];
}

/** What a file with a policy exports as `createPlanner`; the settings are those of `--planner-config`. */
export type CreatePlanner = (fleet: PolicyFleet, settings: unknown) => Planner;

/**
 * The policy that a scenario names: the reference's planner, one that is built in, or a module.
 * @throws {InputError} when there is none such, or its settings are wrong
 */
export async function policyOfScenario(fleet: PlannedFleet): Promise<Policy> {
  const { policy: name, settings } = fleet.scenario.control.planner!;
  if (name === 'reference') return referencePolicy(fleet);
  const { json, where } = plannerJson(settings ?? new Map(), 'planner_config');
  if (/[/\\.]/.test(name)) return policyOfFile(name, fleet, json);
  return { name, planner: policyOf(name, json, where) };
}

async function policyOfFile(path: string, fleet: PlannedFleet, settings: JsonValue): Promise<Policy> {
  if (!existsSync(path)) throw new InputError(`planner: no such file ${path}`);
  let create: CreatePlanner | undefined;
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { createPlanner?: CreatePlanner };
    create = module.createPlanner;
  } catch (error) {
    throw new InputError(`planner: ${path} cannot be loaded: ${messageOf(error)}`);
  }
  if (typeof create !== 'function')
    throw new InputError(`planner: ${path} must export a function createPlanner(fleet, settings)`);
  const stages = fleet.stages.map(({ name, workers, startupMs, capacity }) => ({
    name,
    workers,
    startupMs,
    capacity,
  }));
  let planner: Planner;
  try {
    planner = create({ stages }, plainJson(settings));
  } catch (error) {
    throw new InputError(`planner: ${path}: createPlanner failed: ${messageOf(error)}`);
  }
  if (typeof planner?.tick !== 'function' || typeof planner.nextTickMs !== 'number')
    throw new InputError(`planner: ${path}: createPlanner must return { nextTickMs, tick(view) }`);
  return { name: basename(path), planner };
}

import { InputError } from '../../config/input-error.js';
import { readJson } from '../../config/json.js';
import { replay } from '../../replay.js';
import type { FleetPlan } from '../../report/fleet-plan.js';
import { type PlannerMeasures, planOf } from '../../report/planner-measures.js';
import { readScenario } from '../../setup/scenario.js';
import { RunError } from '../../simulation/run-error.js';
import { AicError } from '../../timing/aic/aic-error.js';
import type { Shelf } from '../../workload/shelf.js';
import type { Pool } from '../pool.js';

/** What a run with a planner came to. */
export interface PlannedRun {
  /** Numbers of the report by key. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly measures: PlannerMeasures;
  /** What the planner asked for. */
  readonly plan: FleetPlan;
}

export type PlannedOutcome = PlannedRun | { readonly failure: string; readonly isInput: boolean };

/** Runs scenarios with planners, given as JSON text with exact numbers. */
export type PlannedPool = Pool<string, PlannedOutcome>;

/** Runs a scenario with a planner; what is wrong with it, or comes to a dead end, is an outcome like others. */
export async function runPlannedJob(settings: string, shelf: Shelf): Promise<PlannedOutcome> {
  try {
    const scenario = readScenario(readJson(settings, 'settings'), 'settings');
    const { report, planner } = await replay(scenario, { shelf, hostMs: () => 0 });
    if (!planner) throw new Error('a scenario without a planner');
    const numbers = Object.entries(report).filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number',
    );
    return {
      metrics: Object.fromEntries(numbers),
      measures: report.planner as PlannerMeasures,
      plan: planOf(planner),
    };
  } catch (error) {
    if (error instanceof InputError || error instanceof RunError || error instanceof AicError)
      return { failure: error.message, isInput: error instanceof InputError };
    throw error;
  }
}

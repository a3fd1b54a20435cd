import type { Job, Metrics } from '../job.js';
import { frontOf } from '../search/pareto.js';
import type { Trial } from '../search/sampler.js';
import type { Candidate } from './candidate.js';

/**
 * What became of a candidate: it keeps the goals or misses them; it was given up as hopeless, failed, cannot be run, or was
 * not worth a simulation.
 */
type Status = 'feasible' | 'infeasible' | 'stopped' | 'failed' | 'unsupported' | 'skipped';

/** A candidate and what is known of it. */
export interface Entry {
  /** By order of evaluation, from 1. */
  id: number;
  candidate: Candidate;
  status: Status;
  /** Why it is not feasible; empty where it is. */
  reason: string;
  metrics: Metrics;
  /** GPUs held on average; those of the fleet as it starts where nothing was run. */
  gpus: number;
  /** Values of the targets in their units. */
  values: readonly number[];
  /** The same, more being better. */
  objectives: readonly number[];
  /** How far goals are missed; Infinity where nothing is known. */
  violation: number;
  /** The highest load at which it keeps the goals, where that is asked. */
  load?: number;
  /** The simulation that the numbers are of. */
  job: Job | undefined;
  /** Whether the numbers are by formula, and not of a simulation. */
  isEstimate: boolean;
}

/** What a sampler is told of an entry. */
export function trialOf({ candidate, objectives, violation }: Entry): Trial {
  return { point: candidate.point, values: objectives, violation };
}

/** Entries that were simulated and keep the goals, best first: by the first target, then fewer GPUs, then as they came. */
export function feasibleOrder(entries: readonly Entry[]): Entry[] {
  return entries
    .filter(({ status }) => status === 'feasible')
    .sort((a, b) => b.objectives[0] - a.objectives[0] || a.gpus - b.gpus || a.id - b.id);
}

/** The entry that misses the goals least; undefined where nothing was measured. */
export function leastMissing(entries: readonly Entry[]): Entry | undefined {
  return entries
    .filter(({ status, violation }) => status !== 'skipped' && Number.isFinite(violation))
    .sort((a, b) => a.violation - b.violation || b.objectives[0] - a.objectives[0] || a.id - b.id)[0];
}

/** Feasible entries that no other one is better than everywhere, by the last target. */
export function frontEntries(entries: readonly Entry[]): Entry[] {
  const feasible = feasibleOrder(entries);
  return frontOf(feasible.map(({ objectives }) => objectives)).map((at) => feasible[at]);
}

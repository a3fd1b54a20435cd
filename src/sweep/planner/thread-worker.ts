import { type PlannedOutcome, runPlannedJob } from './planned-job.js';

/** What a thread of the pool does with a scenario. */
export function answer(settings: string): Promise<PlannedOutcome> {
  return runPlannedJob(settings);
}

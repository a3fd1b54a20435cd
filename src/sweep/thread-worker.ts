import { Shelf } from '../workload/shelf.js';
import type { Job, Outcome } from './job.js';
import { type PlannedOutcome, runPlannedJob } from './planner/planned-job.js';
import { runJob } from './run-job.js';

/** What the jobs of this thread have in common. */
const shelf = new Shelf();

/** What a thread of the pool does with a job. */
export function answer(job: Job): Promise<Outcome> {
  return runJob(job, shelf);
}

/** What it does with a scenario whose fleet a planner scales, given as JSON text. */
export function answerPlanned(settings: string): Promise<PlannedOutcome> {
  return runPlannedJob(settings, shelf);
}

import type { Job, Outcome } from './job.js';
import { runJob } from './run-job.js';

/** What a thread of the pool does with a job. */
export function answer(job: Job): Promise<Outcome> {
  return runJob(job);
}

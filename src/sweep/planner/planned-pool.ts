import { inlinePool, threadPool } from '../pool.js';
import { type PlannedPool, runPlannedJob } from './planned-job.js';

/** Runs scenarios with planners on so many threads, or here. */
export function plannedPool(threads: number): PlannedPool {
  if (threads <= 1) return inlinePool(runPlannedJob);
  return threadPool(new URL('./thread-worker.js', import.meta.url), threads);
}

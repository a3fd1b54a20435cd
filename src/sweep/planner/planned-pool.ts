import { Shelf } from '../../workload/shelf.js';
import { inlinePool, threadPool } from '../pool.js';
import { type PlannedPool, runPlannedJob } from './planned-job.js';

/** Runs scenarios with planners on so many threads, or here. */
export function plannedPool(threads: number): PlannedPool {
  if (threads > 1) return threadPool('answerPlanned', threads);
  const shelf = new Shelf();
  return inlinePool((settings) => runPlannedJob(settings, shelf));
}

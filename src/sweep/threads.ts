import { Piscina } from 'piscina';
import type { Evaluator, Outcome } from './job.js';
import { inlineEvaluator } from './run-job.js';

/** Runs jobs on a number of threads. Each keeps the timing tables and traces that it has opened. */
export function threadEvaluator(threads: number): Evaluator {
  if (threads <= 1) return inlineEvaluator();
  const pool = new Piscina({
    filename: new URL('../sweep/thread-worker.js', import.meta.url).href,
    name: 'answer',
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    maxQueue: Number.POSITIVE_INFINITY,
  });
  return {
    run: async (job) => (await pool.run(job)) as Outcome,
    close: () => pool.destroy(),
  };
}

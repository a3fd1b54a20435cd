import { Piscina } from 'piscina';
import type { Evaluator, Outcome } from './job.js';
import { inlineEvaluator } from './run-job.js';

/** Runs jobs on a number of threads. Each keeps the timing tables that it has opened. */
export function threadEvaluator(threads: number): Evaluator {
  if (threads <= 1) return inlineEvaluator;
  const pool = new Piscina({
    filename: new URL('../sweep/thread-worker.js', import.meta.url).href,
    name: 'answer',
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
  });
  return {
    run: (jobs, onOutcome) =>
      Promise.all(
        jobs.map(async (job, index) => {
          const outcome = (await pool.run(job)) as Outcome;
          onOutcome?.(index, outcome);
          return outcome;
        }),
      ),
    close: () => pool.destroy(),
  };
}

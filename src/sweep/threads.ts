import type { Evaluator } from './job.js';
import { threadPool } from './pool.js';
import { inlineEvaluator } from './run-job.js';

/** Runs jobs on a number of threads, or here. */
export function threadEvaluator(threads: number): Evaluator {
  return threads <= 1 ? inlineEvaluator() : threadPool('answer', threads);
}

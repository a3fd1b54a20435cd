import { availableParallelism } from 'node:os';
import type { Evaluator } from '../sweep/job.js';
import { Journal } from '../sweep/journal.js';
import { threadEvaluator } from '../sweep/threads.js';
import type { SweepFlags } from './sweep-flags.js';

/** Where the simulations of a search run, and the journal that is kept of them. @param usual threads where none are given */
export async function openEvaluator(
  { threads, journal, resume, queue }: SweepFlags,
  usual = availableParallelism(),
): Promise<Evaluator> {
  const kept = journal === undefined ? undefined : new Journal(journal, resume === true);
  const evaluator = await runner(queue, threads ?? usual);
  return kept ? kept.over(evaluator) : evaluator;
}

async function runner(queue: string | undefined, threads: number): Promise<Evaluator> {
  if (queue === undefined) return threadEvaluator(threads);
  const { queueEvaluator } = await import('../sweep/queue/queue-evaluator.js');
  return queueEvaluator({ url: queue });
}

import { InputError } from '../config/input-error.js';
import type { ReplayResult } from '../report/result.js';
import { openRun, runThrough } from '../setup/open-run.js';
import { RunError } from '../simulation/run-error.js';
import type { Evaluator, Job, Outcome, StopRule } from './job.js';

/** Simulated milliseconds between two looks at a run that may turn out to be hopeless. */
const LOOK_MS = 5_000;

/** Runs one simulation; what is wrong with its settings, or comes to a dead end, is an outcome like others. */
export async function runJob({ options, stop }: Job): Promise<Outcome> {
  try {
    if (stop) return await runUntilHopeless(options, stop);
    return { metrics: metricsOf(await runThrough(options, {})) };
  } catch (error) {
    if (error instanceof InputError || error instanceof RunError)
      return { failure: error.message, isInput: error instanceof InputError };
    throw error;
  }
}

async function runUntilHopeless(options: Job['options'], stop: StopRule): Promise<Outcome> {
  const run = await openRun(options);
  const limitMs = stop.meanTtftMs * stop.requests;
  let lostMs = 0;
  while (!run.isDone && !run.isStuck) {
    run.until(run.nowMs + LOOK_MS);
    lostMs += run.takeWindow().ttftMs.sum;
    if (lostMs <= limitMs) continue;
    const metrics = metricsOf(run.result());
    run.close();
    return { metrics, stopped: `mean TTFT at least ${seconds(lostMs / stop.requests)}` };
  }
  run.until(Number.POSITIVE_INFINITY);
  return { metrics: metricsOf(run.result()) };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function metricsOf({ report }: ReplayResult): Record<string, number> {
  return Object.fromEntries(
    Object.entries(report).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

/** Runs jobs one after the other, here. */
export const inlineEvaluator: Evaluator = {
  async run(jobs, onOutcome) {
    const outcomes: Outcome[] = [];
    for (const [index, job] of jobs.entries()) {
      outcomes.push(await runJob(job));
      onOutcome?.(index, outcomes[index]);
    }
    return outcomes;
  },
  close: async () => {},
};

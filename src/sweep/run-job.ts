import { InputError } from '../config/input-error.js';
import { readJson } from '../config/json.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { UserError } from '../config/user-error.js';
import { replay } from '../replay.js';
import type { ReplayResult } from '../report/result.js';
import { openRun, type RunSettings } from '../setup/open-run.js';
import { readScenario } from '../setup/scenario.js';
import { Shelf } from '../workload/shelf.js';
import type { Evaluator, Job, Metrics, Outcome } from './job.js';
import { inlinePool } from './pool.js';

/** Simulated milliseconds between two looks at a run that may turn out to be hopeless. */
const LOOK_MS = 5_000;
/** Sections of a report whose numbers a search reads. */
const SECTIONS = ['ttft_parts_ms', 'sla'];

/** Runs one simulation; what is wrong with its settings, or comes to a dead end, is an outcome like others. */
export async function runJob({ settings, part, bounds }: Job, shelf: Shelf): Promise<Outcome> {
  try {
    const scenario = readScenario(readJson(settings, 'candidate'), 'candidate');
    const how: RunSettings = { shelf, excerpt: part };
    const limitMs = bounds?.ttftMs;
    if (limitMs !== undefined && scenario.control.planner === undefined)
      return await runUntilHopeless(scenario, how, limitMs);
    return { metrics: metricsOf(await replay(scenario, { ...how, hostMs: () => 0 })) };
  } catch (error) {
    if (error instanceof UserError) return { failure: error.message, isInput: error instanceof InputError };
    throw error;
  }
}

/**
 * Gives a run up when the mean time to first token cannot keep a bound any more, even if requests still to come waited
 * for nothing.
 */
async function runUntilHopeless(scenario: Scenario, how: RunSettings, limitMs: number): Promise<Outcome> {
  let requests = Number.POSITIVE_INFINITY;
  const run = await openRun(scenario, {
    ...how,
    onProgress: (_, total) => {
      requests = total;
    },
  });
  let lostMs = 0;
  while (!run.isDone && !run.isStuck) {
    run.until(run.nowMs + LOOK_MS);
    lostMs += run.takeWindow().ttftMs.sum;
    if (lostMs <= limitMs * requests) continue;
    const metrics = metricsOf(run.result());
    run.close();
    return { metrics, stopped: `mean TTFT at least ${(lostMs / requests / 1000).toFixed(1)} s` };
  }
  run.until(Number.POSITIVE_INFINITY);
  return { metrics: metricsOf(run.result()) };
}

function metricsOf({ report }: ReplayResult): Metrics {
  const sections = SECTIONS.flatMap((section) =>
    Object.entries((report[section] as Record<string, unknown> | undefined) ?? {}).map(
      ([key, value]) => [`${section}.${key}`, value] as const,
    ),
  );
  return Object.fromEntries(
    [...Object.entries(report), ...sections].filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number',
    ),
  );
}

/** Runs jobs one after the other, here. */
export function inlineEvaluator(): Evaluator {
  const shelf = new Shelf();
  return inlinePool((job) => runJob(job, shelf));
}

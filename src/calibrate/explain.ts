import { latencyParts } from '../report/latency-parts.js';
import type { RequestOutcome } from '../report/outcome.js';
import { METRICS, type Metric, type Pair, valuesOf } from './errors.js';
import type { Row } from './linear.js';
import type { Adjustments, Parameter, SpentTime } from './parameters.js';
import type { PassLog, Work } from './pass-log.js';

/** Weight of the error of a mean against the mean error of its requests. */
const MEAN_WEIGHT = 0.3;
/** Relative error up to which a loss grows with its square; beyond, it grows evenly, so that outliers pull no more. */
const SMALL_ERROR = 0.01;

/** Passes of a run, by the stage whose workers made them. */
export type PassLogs = Map<'' | 'prefill' | 'decode', PassLog>;

/** How far a run is from what was measured: of every request, outliers held down, and of the mean of each metric. */
export function costOf(pairs: readonly Pair[]): number {
  let cost = 0;
  for (const metric of METRICS) {
    let [measured, simulated] = [0, 0];
    for (const pair of pairs) {
      const both = valuesOf(pair, metric);
      if (!both) continue;
      cost += lossOf(both[1], both[0]) / pairs.length;
      measured += both[0];
      simulated += both[1];
    }
    if (measured > 0) cost += MEAN_WEIGHT * lossOf(simulated, measured);
  }
  return cost;
}

function lossOf(simulated: number, measured: number): number {
  return Math.hypot(Math.log(Math.max(simulated, 1e-9) / measured), SMALL_ERROR) - SMALL_ERROR;
}

/** The weight with which a squared error stands for its loss (iteratively reweighted least squares). */
function weightOf(simulated: number, measured: number): number {
  return 1 / (lossOf(simulated, measured) + SMALL_ERROR);
}

/** The same as a linear problem: relative errors, and what a unit of each parameter would do to them. */
export function rowsOf(
  pairs: readonly Pair[],
  logs: PassLogs,
  parameters: readonly Parameter[],
  settings: Adjustments,
): Row[] {
  const rows: Row[] = [];
  const times = pairs.map(({ simulated }) => timesOf(simulated, logs));
  for (const metric of METRICS) {
    const mean = { measured: 0, residual: 0, slopes: parameters.map(() => 0) };
    pairs.forEach((pair, index) => {
      const both = valuesOf(pair, metric);
      if (!both) return;
      const [measured, simulated] = both;
      const time = times[index][metric];
      const weight = Math.sqrt(weightOf(simulated, measured) / pairs.length) / measured;
      const slopes = parameters.map((parameter) => parameter.slopeOf(time, settings));
      const residual = measured - simulated;
      rows.push({ residual: weight * residual, slopes: slopes.map((slope) => weight * slope) });
      mean.measured += measured;
      mean.residual += residual;
      slopes.forEach((slope, at) => {
        mean.slopes[at] += slope;
      });
    });
    if (mean.measured === 0) continue;
    const weight =
      Math.sqrt(MEAN_WEIGHT * weightOf(mean.measured - mean.residual, mean.measured)) / mean.measured;
    rows.push({ residual: weight * mean.residual, slopes: mean.slopes.map((slope) => weight * slope) });
  }
  return rows;
}

/** What goes into each metric of a request. */
function timesOf(record: RequestOutcome, logs: PassLogs): Record<Metric, SpentTime> {
  const { arrivalMs, readyMs, stages, worker, deliveryMs, inputTokens, outputTokens } = record;
  const engineFirstMs = record.firstTokenMs - deliveryMs;
  const decodes = logs.get(stages ? 'decode' : '')!;
  const prefillWorker = stages?.prefillWorker ?? null;
  const heldMs = prefillWorker === null ? readyMs : stages!.sourceHeldMs;
  const before = decodes.workBetween(worker ?? 0, heldMs, engineFirstMs);
  const prompt =
    prefillWorker === null
      ? before
      : sumOf(before, logs.get('prefill')!.workBetween(prefillWorker, readyMs, heldMs));
  const after = decodes.workBetween(worker ?? 0, engineFirstMs, record.engineLastMs);
  const parts = latencyParts(record);
  const queueMs = parts ? parts.router_queue + parts.worker_queue + parts.decode_room : 0;
  const startsLate = 1 - Math.min(1, queueMs / Math.max(1e-9, engineFirstMs - arrivalMs));
  const gaps = Math.max(1, outputTokens - 1);
  const perGap = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value / gaps]));
  return {
    ttft: { ...prompt, startsLate, inputTokens, deliveries: 1 },
    tpot: { ...(perGap as unknown as Work), startsLate: 0, inputTokens, deliveries: -1 / gaps },
    e2e: { ...sumOf(prompt, after), startsLate, inputTokens, deliveries: 0 },
  };
}

function sumOf(a: Work, b: Work): Work {
  return {
    passes: a.passes + b.passes,
    sequences: a.sequences + b.sequences,
    prefillMs: a.prefillMs + b.prefillMs,
    decodeMs: a.decodeMs + b.decodeMs,
  };
}

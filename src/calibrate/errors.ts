import type { RequestOutcome } from '../report/outcome.js';
import { percentileRank } from '../report/statistics.js';
import type { Measured } from './measured.js';

/** A measured request and what the simulation says of it. */
export interface Pair {
  measured: Measured;
  simulated: RequestOutcome;
}

export const METRICS = ['ttft', 'tpot', 'e2e'] as const;
export type Metric = (typeof METRICS)[number];

/** Value of a metric as measured and as simulated, in milliseconds; undefined where either is not there. */
export function valuesOf({ measured, simulated }: Pair, metric: Metric): [number, number] | undefined {
  const { arrivalMs, firstTokenMs, lastTokenMs, outputTokens } = simulated;
  if (outputTokens === 0) return undefined;
  if (metric === 'ttft') return [measured.ttftMs, firstTokenMs - arrivalMs];
  if (metric === 'e2e') return [measured.e2eMs, lastTokenMs - arrivalMs];
  if (measured.tpotMs === undefined || !(measured.tpotMs > 0) || outputTokens < 2) return undefined;
  return [measured.tpotMs, (lastTokenMs - firstTokenMs) / (outputTokens - 1)];
}

/** Relative errors of a statistic over requests: simulated over measured, less 1. */
export type Errors = Record<string, number>;

const STATISTICS = { mean: -1, p50: 50, p90: 90, p99: 99 } as const;

function statistic(values: readonly number[], percentile: number): number {
  if (percentile < 0) return values.reduce((sum, value) => sum + value, 0) / values.length;
  const sorted = Float64Array.from(values).sort();
  return sorted[percentileRank(sorted.length, percentile)];
}

/** Errors by statistic. */
export function errorsOf(pairs: readonly Pair[], metric: Metric): Errors {
  const values = pairs.map((pair) => valuesOf(pair, metric)).filter((value) => value !== undefined);
  if (values.length === 0) return {};
  return Object.fromEntries(
    Object.entries(STATISTICS).map(([name, percentile]) => {
      const of = (index: 0 | 1) =>
        statistic(
          values.map((value) => value[index]),
          percentile,
        );
      return [name, of(1) / of(0) - 1];
    }),
  );
}

/** When a request came, as measured where that is known: in a closed loop the simulation has times of its own. */
function measuredArrivalMs({ measured, simulated }: Pair): number {
  return measured.arrivalMs ?? simulated.arrivalMs;
}

/** Error of the output tokens a second, from the first arrival to the last token. */
export function throughputError(pairs: readonly Pair[]): number {
  const span = (arrivalOf: (pair: Pair) => number, endOf: (pair: Pair) => number) =>
    Math.max(...pairs.map(endOf)) - Math.min(...pairs.map(arrivalOf));
  const measured = span(measuredArrivalMs, (pair) => measuredArrivalMs(pair) + pair.measured.e2eMs);
  const simulated = span(
    (pair) => pair.simulated.arrivalMs,
    (pair) => pair.simulated.lastTokenMs,
  );
  return measured / simulated - 1;
}

/** Error of the part of the input that was cached, in parts of the input; undefined where it was not measured. */
export function reuseError(pairs: readonly Pair[]): number | undefined {
  if (pairs.some(({ measured }) => measured.cachedTokens === undefined)) return undefined;
  let input = 0;
  let difference = 0;
  for (const { measured, simulated } of pairs) {
    input += simulated.inputTokens;
    difference += simulated.reusedTokens - measured.cachedTokens!;
  }
  return input > 0 ? difference / input : undefined;
}

export type Regime = 'low' | 'middle' | 'high';

/** Requests by how many others were in flight, as measured, when they came: thirds of them. */
export function byLoad(all: readonly Pair[], pairs: readonly Pair[]): Record<Regime, Pair[]> {
  const starts = all.map(measuredArrivalMs);
  const ends = all.map((pair, index) => starts[index] + pair.measured.e2eMs);
  const inFlight = (pair: Pair) => {
    const at = measuredArrivalMs(pair);
    return starts.filter((start, index) => start <= at && ends[index] > at).length;
  };
  const ranked = pairs.map((pair) => ({ pair, load: inFlight(pair) })).sort((a, b) => a.load - b.load);
  const third = (part: number) =>
    ranked
      .slice(Math.floor((part * ranked.length) / 3), Math.floor(((part + 1) * ranked.length) / 3))
      .map(({ pair }) => pair);
  return { low: third(0), middle: third(1), high: third(2) };
}

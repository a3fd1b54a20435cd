import type { Measured } from './measured.js';

/** How far a simulation may be from what was measured, as parts of it; points of the hit rate as parts of 1. */
export interface AcceptLimits {
  ttft: number;
  itl: number;
  hitRate: number;
  throughput: number;
}

const ACCEPT_LIMITS: AcceptLimits = { ttft: 0.15, itl: 0.1, hitRate: 0.03, throughput: 0.05 };

interface AcceptRow {
  /** Key of the report, of which this is a comparison. */
  key: string;
  measured: number;
  simulated: number;
  /** Relative, but absolute for a rate of hits. */
  difference: number;
  limit: number;
  holds: boolean;
}

export interface Acceptance {
  accepted: boolean;
  requests: number;
  checks: AcceptRow[];
  /** What could not be compared, since it was not measured. */
  unknown: string[];
}

/** What a simulation says, for comparison. */
export interface Simulated {
  ttftMs: Float64Array;
  /** Mean gap of each request. */
  tpotMs: Float64Array;
  /** Part of the prompt tokens found in a cache. */
  hitRate: number;
  requestsPerMinute: number;
}

/** Compares a window of measured requests with its simulation. */
export function accept(
  measured: readonly Measured[],
  simulated: Simulated,
  limits: AcceptLimits = ACCEPT_LIMITS,
): Acceptance {
  const checks: AcceptRow[] = [];
  const unknown: string[] = [];
  const compare = (key: string, theirs: number, ours: number, limit: number, isAbsolute = false) => {
    const difference = isAbsolute ? ours - theirs : (ours - theirs) / theirs;
    checks.push({
      key,
      measured: theirs,
      simulated: ours,
      difference,
      limit,
      holds: Math.abs(difference) <= limit,
    });
  };
  const ttft = ascending(measured.map(({ ttftMs }) => ttftMs));
  for (const [name, part] of QUANTILES)
    compare(`${name}_ttft_ms`, quantile(ttft, part), quantile(simulated.ttftMs, part), limits.ttft);
  const itl = ascending(measured.flatMap(({ tpotMs }) => tpotMs ?? []));
  if (itl.length === 0 || simulated.tpotMs.length === 0) unknown.push('itl_ms');
  else
    for (const [name, part] of QUANTILES)
      compare(`${name}_itl_ms`, quantile(itl, part), quantile(simulated.tpotMs, part), limits.itl);
  const hitRate = hitRateOf(measured);
  if (hitRate === undefined) unknown.push('hit_rate');
  else compare('hit_rate', hitRate, simulated.hitRate, limits.hitRate, true);
  const rate = rateOf(measured);
  if (rate === undefined) unknown.push('requests_per_minute');
  else compare('requests_per_minute', rate, simulated.requestsPerMinute, limits.throughput);
  return { accepted: checks.every(({ holds }) => holds), requests: measured.length, checks, unknown };
}

const QUANTILES = [
  ['p50', 0.5],
  ['p90', 0.9],
] as const;

function ascending(values: number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** Of ascending values, between those next to it. */
function quantile(values: Float64Array, part: number): number {
  const place = part * (values.length - 1);
  const below = Math.floor(place);
  const above = Math.min(values.length - 1, below + 1);
  return values[below] + (values[above] - values[below]) * (place - below);
}

function hitRateOf(measured: readonly Measured[]): number | undefined {
  let cached = 0;
  let prompts = 0;
  for (const { cachedTokens, inputTokens } of measured) {
    if (cachedTokens === undefined || inputTokens === undefined) return undefined;
    cached += cachedTokens;
    prompts += inputTokens;
  }
  return prompts === 0 ? undefined : cached / prompts;
}

/** Requests a minute, from the first arrival to the last end. */
function rateOf(measured: readonly Measured[]): number | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { arrivalMs, e2eMs } of measured) {
    if (arrivalMs === undefined) return undefined;
    first = Math.min(first, arrivalMs);
    last = Math.max(last, arrivalMs + e2eMs);
  }
  return last > first ? (measured.length / (last - first)) * 60_000 : undefined;
}

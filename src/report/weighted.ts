import { type Distribution, EMPTY_DISTRIBUTION, PERCENTILES, percentileRank } from './statistics.js';

export type { Distribution };

/** Bits of a number's upper half that are left out of its coarse class. */
const COARSE_SHIFT = 12;

/**
 * Statistics of samples that are not negative, given as values and how often each occurs, in any order. Percentiles are
 * exact: values are classed by their leading bits, and only the classes in which a percentile lies are sorted.
 */
export function weightedDistribution(values: Float64Array, counts: Float64Array): Distribution {
  let total = 0;
  let sum = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  for (let i = 0; i < values.length; i++) {
    if (counts[i] === 0) continue;
    total += counts[i];
    sum += values[i] * counts[i];
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  if (total === 0) return EMPTY_DISTRIBUTION;
  const mean = sum / total;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const away = values[i] - mean;
    squares += counts[i] * away * away;
  }
  const ranks = PERCENTILES.map((p) => percentileRank(total, p));
  const [median, p75, p90, p95, p99] = valuesAtRanks(values, counts, ranks);
  return { mean, min, max, median, p75, p90, p95, p99, std: Math.sqrt(squares / total) };
}

/** @param ranks ascending */
function valuesAtRanks(values: Float64Array, counts: Float64Array, ranks: readonly number[]): number[] {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const perClass = new Float64Array(2 ** (32 - COARSE_SHIFT));
  for (let i = 0; i < values.length; i++) perClass[halves[2 * i + 1] >>> COARSE_SHIFT] += counts[i];
  const sortedClass = new Map<number, { value: number; count: number }[]>();
  const found: number[] = [];
  let below = 0;
  let at = 0;
  for (const rank of ranks) {
    while (below + perClass[at] <= rank) below += perClass[at++];
    let members = sortedClass.get(at);
    if (!members) {
      members = membersOf(at, halves, values, counts);
      sortedClass.set(at, members);
    }
    let reached = below;
    let index = -1;
    while (reached <= rank) reached += members[++index].count;
    found.push(members[index].value);
  }
  return found;
}

function membersOf(
  wanted: number,
  halves: Uint32Array,
  values: Float64Array,
  counts: Float64Array,
): { value: number; count: number }[] {
  const members: { value: number; count: number }[] = [];
  for (let i = 0; i < values.length; i++)
    if (halves[2 * i + 1] >>> COARSE_SHIFT === wanted) members.push({ value: values[i], count: counts[i] });
  return members.sort((a, b) => a.value - b.value);
}

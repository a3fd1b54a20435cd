import { ExactSum } from './exact-sum.js';
import { type Distribution, EMPTY_DISTRIBUTION, PERCENTILES, percentileRank } from './statistics.js';

export type { Distribution };

/** Samples, not negative, as values and how often each occurs; in any order, and some of them more than once. */
export interface WeightedSamples {
  values: Float64Array;
  counts: Float64Array;
}

/** Classes by leading bits into which values are sorted at most. */
const CLASSES = 1 << 14;

/** Statistics of gaps in milliseconds, and of the rates per second that they stand for, over gaps above 0. */
export function gapStatistics(samples: WeightedSamples): { gaps: Distribution; rates: Distribution } {
  const gaps = new Moments();
  const rates = new Moments();
  const { values, counts } = samples;
  for (let i = 0; i < values.length; i++) {
    const count = counts[i];
    if (count === 0) continue;
    gaps.add(values[i], count);
    if (values[i] > 0) rates.add(1000 / values[i], count);
  }
  if (gaps.total === 0) return { gaps: EMPTY_DISTRIBUTION, rates: EMPTY_DISTRIBUTION };
  gaps.close();
  rates.close();
  for (let i = 0; i < values.length; i++) {
    if (counts[i] === 0) continue;
    gaps.spread(values[i], counts[i]);
    if (values[i] > 0) rates.spread(1000 / values[i], counts[i]);
  }
  const gapRanks = PERCENTILES.map((p) => percentileRank(gaps.total, p));
  // The smallest rates are those of the longest gaps.
  const rateRanks =
    rates.total === 0 ? [] : PERCENTILES.map((p) => gaps.total - 1 - percentileRank(rates.total, p));
  const found = valuesAtRanks(samples, gaps, [...gapRanks, ...rateRanks]);
  return {
    gaps: gaps.distribution(found.slice(0, PERCENTILES.length)),
    rates:
      rates.total === 0
        ? EMPTY_DISTRIBUTION
        : rates.distribution(found.slice(PERCENTILES.length).map((gap) => 1000 / gap)),
  };
}

/** What can be summed of samples: `add` all of them first, `close`, then `spread` them. */
class Moments {
  total = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  private readonly sum = new ExactSum();
  private readonly squares = new ExactSum();
  private mean = 0;

  add(value: number, count: number): void {
    this.total += count;
    this.sum.addTimes(value, count);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** All have been added. */
  close(): void {
    this.mean = this.sum.value / this.total;
  }

  spread(value: number, count: number): void {
    const away = value - this.mean;
    this.squares.addTimes(away * away, count);
  }

  distribution([median, p75, p90, p95, p99]: readonly number[]): Distribution {
    const { mean, min, max, squares, total } = this;
    return { mean, min, max, median, p75, p90, p95, p99, std: Math.sqrt(squares.value / total) };
  }
}

/**
 * Values at ranks of the sorted samples. Values are classed by their leading bits, whose order is theirs, and only the
 * classes in which a rank lies are sorted.
 */
function valuesAtRanks(
  { values, counts }: WeightedSamples,
  { min, max }: Moments,
  ranks: readonly number[],
): number[] {
  const halves = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const [lowest, highest] = [min, max].map((value) => new Uint32Array(Float64Array.of(value).buffer)[1]);
  let shift = 0;
  while ((highest - lowest) >>> shift >= CLASSES) shift++;
  const perClass = new Float64Array(CLASSES);
  for (let i = 0; i < values.length; i++)
    if (counts[i] > 0) perClass[(halves[2 * i + 1] - lowest) >>> shift] += counts[i];
  const places = ranks.map((rank) => {
    let inClass = rank;
    let at = 0;
    while (perClass[at] <= inClass) inClass -= perClass[at++];
    return { at, inClass };
  });
  const members = new Map(places.map(({ at }) => [at, [] as { value: number; count: number }[]]));
  const isWanted = new Uint8Array(CLASSES);
  for (const at of members.keys()) isWanted[at] = 1;
  for (let i = 0; i < values.length; i++) {
    const at = (halves[2 * i + 1] - lowest) >>> shift;
    if (counts[i] > 0 && isWanted[at] === 1) members.get(at)!.push({ value: values[i], count: counts[i] });
  }
  for (const list of members.values()) list.sort((a, b) => a.value - b.value);
  return places.map(({ at, inClass }) => {
    const list = members.get(at)!;
    let reached = 0;
    let index = -1;
    while (reached <= inClass) reached += list[++index].count;
    return list[index].value;
  });
}

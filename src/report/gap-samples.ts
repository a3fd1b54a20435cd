import { type Distribution, EMPTY_DISTRIBUTION, PERCENTILES, percentileRank } from './statistics.js';

const EMPTY = -1;
/** Relative width of half a bin once samples are sketched. */
const SKETCH_ERROR = 0.0005;

/**
 * Inter-token gaps as (value, count). Exact as long as there are at most `limit` distinct values; from then on values
 * are kept in bins of at most 0.05 % error either way, and `isExact` says so.
 */
export class GapSamples {
  isExact = true;
  private capacity = 1024;
  private values = new Float64Array(this.capacity).fill(EMPTY);
  private counts = new Float64Array(this.capacity);
  private distinct = 0;
  private lastSlot = 0;
  private readonly word = new Float64Array(1);
  private readonly halves = new Uint32Array(this.word.buffer);

  constructor(private readonly limit = 10_000_000) {}

  add(value: number, count: number): void {
    if (this.values[this.lastSlot] === value) {
      this.counts[this.lastSlot] += count;
      return;
    }
    this.insert(this.isExact ? value : binned(value), count);
  }

  private insert(value: number, count: number): void {
    const mask = this.capacity - 1;
    this.word[0] = value;
    let mixed = Math.imul(this.halves[0] ^ Math.imul(this.halves[1], 0x85ebca6b), 0x9e3779b1);
    mixed ^= mixed >>> 15;
    let slot = mixed & mask;
    const { values } = this;
    while (values[slot] !== EMPTY && values[slot] !== value) slot = (slot + 1) & mask;
    if (values[slot] === EMPTY) {
      values[slot] = value;
      this.counts[slot] = count;
      this.distinct++;
      this.lastSlot = slot;
      if (this.distinct * 4 > this.capacity * 3) this.rebuild(this.capacity * 2);
      else if (this.distinct > this.limit && this.isExact) this.sketch();
      return;
    }
    this.counts[slot] += count;
    this.lastSlot = slot;
  }

  private rebuild(capacity: number): void {
    if (this.isExact && this.distinct > this.limit) {
      this.sketch();
      return;
    }
    this.refill(capacity, (value) => value);
  }

  private sketch(): void {
    this.isExact = false;
    this.refill(1 << 16, binned);
  }

  private refill(capacity: number, map: (value: number) => number): void {
    const { values, counts } = this;
    this.capacity = capacity;
    this.values = new Float64Array(capacity).fill(EMPTY);
    this.counts = new Float64Array(capacity);
    this.distinct = 0;
    for (let slot = 0; slot < values.length; slot++)
      if (values[slot] !== EMPTY) this.insert(map(values[slot]), counts[slot]);
  }

  /** Distinct values ascending with their counts. */
  sorted(): { values: Float64Array; counts: Float64Array } {
    const values = new Float64Array(this.distinct);
    let next = 0;
    for (const value of this.values) if (value !== EMPTY) values[next++] = value;
    values.sort();
    const counts = new Float64Array(this.distinct);
    for (let i = 0; i < values.length; i++) counts[i] = this.countOf(values[i]);
    return { values, counts };
  }

  private countOf(value: number): number {
    this.insert(value, 0);
    return this.counts[this.lastSlot];
  }
}

function binned(value: number): number {
  if (value === 0) return 0;
  const width = 2 * SKETCH_ERROR;
  return Math.exp(Math.round(Math.log(value) / width) * width);
}

/** Statistics of weighted samples given by ascending value. */
export function weightedDistribution(values: Float64Array, counts: Float64Array): Distribution {
  let total = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    total += counts[i];
    sum += values[i] * counts[i];
  }
  if (total === 0) return EMPTY_DISTRIBUTION;
  const mean = sum / total;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += counts[i] * (values[i] - mean) ** 2;
  let index = 0;
  let below = counts[0];
  const [median, p75, p90, p95, p99] = PERCENTILES.map((p) => {
    const rank = percentileRank(total, p);
    while (below <= rank) below += counts[++index];
    return values[index];
  });
  const std = Math.sqrt(squares / total);
  return { mean, min: values[0], max: values[values.length - 1], median, p75, p90, p95, p99, std };
}

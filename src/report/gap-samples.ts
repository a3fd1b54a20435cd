import { type Distribution, weightedDistribution } from './weighted.js';

const EMPTY = -1;
/** Relative width of half a bin once samples are sketched. */
const SKETCH_ERROR = 0.0005;
/** Entries noted one after the other before they are merged, and recent ones that a repeated value is looked for in. */
const LOG_LIMIT = 1 << 22;
const RECENT = 1 << 12;

/**
 * Inter-token gaps as (value, count). Gaps are noted in a log first, where a value that was seen a moment ago only
 * counts up; a long log is merged into a table of distinct values. Exact as long as that has at most `limit` of them;
 * from then on values are kept in bins of at most 0.05 % error either way, and `isExact` says so.
 */
export class GapSamples {
  isExact = true;
  private logValues = new Float64Array(1024);
  private logCounts = new Float64Array(1024);
  private logSize = 0;
  /** Values noted a moment ago and their places in the log, by hash. */
  private readonly recentValues = new Float64Array(RECENT).fill(EMPTY);
  private readonly recent = new Int32Array(RECENT);
  private capacity = 1024;
  private values = new Float64Array(this.capacity).fill(EMPTY);
  private counts = new Float64Array(this.capacity);
  private distinct = 0;
  private readonly word = new Float64Array(1);
  private readonly halves = new Uint32Array(this.word.buffer);

  constructor(private readonly limit = 10_000_000) {}

  add(value: number, count: number): void {
    this.word[0] = value;
    const mixed = Math.imul(this.halves[0] ^ (this.halves[1] << 7), 0x9e3779b1);
    const bucket = mixed >>> 20;
    if (this.recentValues[bucket] === value) {
      this.logCounts[this.recent[bucket]] += count;
      return;
    }
    if (this.logSize === this.logValues.length) this.growLog();
    const at = this.logSize++;
    this.logValues[at] = value;
    this.logCounts[at] = count;
    this.recent[bucket] = at;
    this.recentValues[bucket] = value;
  }

  private growLog(): void {
    const length = this.logValues.length;
    if (length >= Math.min(LOG_LIMIT, this.limit)) {
      this.mergeLog();
      return;
    }
    const values = new Float64Array(length * 4);
    const counts = new Float64Array(length * 4);
    values.set(this.logValues);
    counts.set(this.logCounts);
    this.logValues = values;
    this.logCounts = counts;
  }

  private mergeLog(): void {
    for (let i = 0; i < this.logSize; i++) {
      const value = this.logValues[i];
      this.insert(this.isExact ? value : binned(value), this.logCounts[i]);
    }
    this.logSize = 0;
    this.recentValues.fill(EMPTY);
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
      if (this.distinct * 4 > this.capacity * 3) this.rebuild(this.capacity * 2);
      else if (this.distinct > this.limit && this.isExact) this.sketch();
      return;
    }
    this.counts[slot] += count;
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

  /** Statistics of the gaps. */
  gaps(): Distribution {
    const { values, counts } = this.entries();
    return weightedDistribution(values, counts);
  }

  /** Statistics of 1000 / gap, over gaps above 0. */
  rates(): Distribution {
    const { values, counts } = this.entries();
    const rates = new Float64Array(values.length);
    const counted = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      if (values[i] <= 0) continue;
      rates[i] = 1000 / values[i];
      counted[i] = counts[i];
    }
    return weightedDistribution(rates, counted);
  }

  /** All values, in no order and some of them repeated, with their counts; those without a sample count 0. */
  private entries(): { values: Float64Array; counts: Float64Array } {
    if (this.distinct === 0)
      return {
        values: this.logValues.subarray(0, this.logSize),
        counts: this.logCounts.subarray(0, this.logSize),
      };
    this.mergeLog();
    return { values: this.values.map((value) => Math.max(value, 0)), counts: this.counts };
  }
}

function binned(value: number): number {
  if (value === 0) return 0;
  const width = 2 * SKETCH_ERROR;
  return Math.exp(Math.round(Math.log(value) / width) * width);
}

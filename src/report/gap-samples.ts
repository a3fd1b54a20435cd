import { type Distribution, gapStatistics, type WeightedSamples } from './weighted.js';

const EMPTY = -1;
/** Relative width of half a bin once samples are sketched. */
const SKETCH_ERROR = 0.0005;
/** Entries noted one after the other before they are merged, in pages, and recent ones among which repeats are found. */
const LOG_LIMIT = 1 << 22;
const LOG_PAGE = 1 << 14;
const RECENT = 1 << 12;
const RUN_FIELDS = 4;

/** Times runs of decode passes, as it did when they were simulated. */
interface RunClock {
  decodeRun(
    startMs: number,
    batch: number,
    firstTokens: number,
    most: number,
    limitMs: number,
    ends: Float64Array,
  ): number;
}

/**
 * Inter-token gaps as (value, count). Gaps are noted in a log first, where a value that was seen a moment ago only
 * counts up; a long log is merged into a table of distinct values. Exact as long as that has at most `limit` of them;
 * from then on values are kept in bins of at most 0.05 % error either way, and `isExact` says so.
 */
export class GapSamples {
  isExact = true;
  private log: WeightedSamples[] = [];
  private page = newPage(0);
  /** Entries in the page that is written to. */
  private pageSize = LOG_PAGE;
  /** Values noted a moment ago and how often since, by hash; they are logged when others take their place. */
  private readonly recentValues = new Float64Array(RECENT).fill(EMPTY);
  private readonly recentCounts = new Float64Array(RECENT);
  /** Runs of passes, a few numbers each, and how many gaps they stand for. */
  private readonly runs: number[] = [];
  private runGaps = 0;
  private clock: RunClock | undefined;
  /** Values of gaps that count no more. */
  private readonly replaced: number[] = [];
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
    const { recentValues, recentCounts } = this;
    if (recentValues[bucket] === value) {
      recentCounts[bucket] += count;
      return;
    }
    if (recentCounts[bucket] > 0) this.note(recentValues[bucket], recentCounts[bucket]);
    recentValues[bucket] = value;
    recentCounts[bucket] = count;
  }

  /** One gap of `value`, noted before or to be noted yet, counts as `other` in its place. */
  replace(value: number, other: number): void {
    this.replaced.push(value);
    this.add(other, 1);
  }

  private note(value: number, count: number): void {
    if (this.pageSize === LOG_PAGE) this.turnPage();
    const at = this.pageSize++;
    this.page.values[at] = value;
    this.page.counts[at] = count;
  }

  /** `batch` requests saw the gaps of a run of passes; the run is kept, and its gaps are worked out again when needed. */
  addRun(clock: RunClock, startMs: number, batch: number, firstTokens: number, passes: number): void {
    if (this.clock !== undefined && this.clock !== clock)
      throw new Error('the runs of all engines are timed by one clock');
    this.clock = clock;
    this.runs.push(startMs, batch, firstTokens, passes);
    this.runGaps += passes;
    if (this.runGaps > Math.min(LOG_LIMIT, this.limit)) this.mergeRuns();
  }

  private mergeRuns(): void {
    const { values, counts } = this.gapsOfRuns(0);
    for (let i = 0; i < values.length; i++)
      this.insert(this.isExact ? values[i] : binned(values[i]), counts[i]);
    this.runs.length = 0;
    this.runGaps = 0;
  }

  /** The gaps of all runs, after room for `before` samples. */
  private gapsOfRuns(before: number): WeightedSamples {
    const { runs, clock } = this;
    const samples = newPage(before + this.runGaps);
    let at = before;
    for (let run = 0; run < runs.length; run += RUN_FIELDS) {
      const startMs = runs[run];
      const passes = runs[run + 3];
      const gaps = samples.values.subarray(at, at + passes);
      clock!.decodeRun(startMs, runs[run + 1], runs[run + 2], passes, Number.POSITIVE_INFINITY, gaps);
      // From ends of passes to the times between them.
      for (let i = passes - 1; i > 0; i--) gaps[i] -= gaps[i - 1];
      gaps[0] -= startMs;
      samples.counts.fill(runs[run + 1], at, at + passes);
      at += passes;
    }
    return samples;
  }

  private turnPage(): void {
    if (this.log.length * LOG_PAGE >= Math.min(LOG_LIMIT, this.limit)) this.mergeLog();
    this.page = newPage(LOG_PAGE);
    this.log.push(this.page);
    this.pageSize = 0;
  }

  /** Notes what was kept back, so that the log is complete. */
  private flush(): void {
    const { recentValues, recentCounts } = this;
    for (let i = 0; i < RECENT; i++) if (recentCounts[i] > 0) this.note(recentValues[i], recentCounts[i]);
    recentValues.fill(EMPTY);
    recentCounts.fill(0);
  }

  private mergeLog(): void {
    for (const { values, counts } of this.log) {
      const size = values === this.page.values ? this.pageSize : LOG_PAGE;
      for (let i = 0; i < size; i++) this.insert(this.isExact ? values[i] : binned(values[i]), counts[i]);
    }
    this.log = [];
    this.pageSize = LOG_PAGE;
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

  copy(): GapSamples {
    const { limit, log, page, recentValues, recentCounts, runs, replaced, values, counts } = this;
    const pages = log.map((entry) => ({ values: entry.values.slice(), counts: entry.counts.slice() }));
    return Object.assign(new GapSamples(limit), this, {
      log: pages,
      page: pages.at(-1) ?? page,
      recentValues: recentValues.slice(),
      recentCounts: recentCounts.slice(),
      runs: runs.slice(),
      replaced: replaced.slice(),
      values: values.slice(),
      counts: counts.slice(),
    });
  }

  /** Statistics of the gaps, and of 1000 / gap over gaps above 0. */
  statistics(): { gaps: Distribution; rates: Distribution } {
    return gapStatistics(this.entries());
  }

  /** All values, in no order and some of them repeated, with their counts; those without a sample count 0. */
  private entries(): WeightedSamples {
    this.flush();
    if (this.distinct === 0 && this.replaced.length === 0) return this.logEntries();
    this.mergeLog();
    this.mergeRuns();
    for (const value of this.replaced) this.insert(this.isExact ? value : binned(value), -1);
    this.replaced.length = 0;
    return { values: this.values.map((value) => Math.max(value, 0)), counts: this.counts };
  }

  private logEntries(): WeightedSamples {
    const all = this.gapsOfRuns(this.log.length * LOG_PAGE);
    this.log.forEach(({ values, counts }, page) => {
      all.values.set(values, page * LOG_PAGE);
      all.counts.set(counts, page * LOG_PAGE);
    });
    return all;
  }
}

function newPage(size: number): WeightedSamples {
  return { values: new Float64Array(size), counts: new Float64Array(size) };
}

function binned(value: number): number {
  if (value === 0) return 0;
  const width = 2 * SKETCH_ERROR;
  return Math.exp(Math.round(Math.log(value) / width) * width);
}

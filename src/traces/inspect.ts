import { floatColumn, intColumn } from '../structures/column.js';
import { SessionIds } from '../workload/session-ids.js';
import { BlockTable } from './block-table.js';
import { type CachePoint, ReuseDistances } from './reuse.js';

/** Bins of the traffic over time. */
const TIME_BINS = 20;
/** Part of the requests that come at the moment of another from which on a trace counts as bunched. */
const BUNCHED = 0.3;
/** A gap that long, or that part of the whole, is idle time that a replay would sit through. */
const LONG_GAP_MS = 6 * 3600 * 1000;
const LONG_GAP_PART = 0.5;
const LEAST_GAP_MS = 60_000;

/** Least, mean, middle and tail of some samples. */
export interface Spread {
  min: number;
  mean: number;
  median: number;
  p90: number;
  p99: number;
  max: number;
}

/** Samples from a length to twice it. */
export interface Bin {
  from: number;
  to: number;
  count: number;
}

/** The traffic in bins of equal width; a width of 0 where requests have no times. */
interface OverTime {
  binMs: number;
  requestsPerSecond: number[];
  inputTokensPerSecond: number[];
  outputTokensPerSecond: number[];
  /** Sessions that have begun and not yet had their last request, and those of the bin itself. */
  sessions: number[];
}

export interface TraceFacts {
  requests: number;
  sessions: number;
  durationMs: number;
  requestsPerSecond: number;
  /** The most requests that came within a second, and within ten, for each second. */
  peakPerSecond: { over1s: number; over10s: number };
  /** Standard deviation of the times between arrivals over their mean: 0 for a clock, 1 for a Poisson process. */
  burstiness: number | undefined;
  inputTokens: number;
  outputTokens: number;
  input: Spread;
  output: Spread;
  /** Time between turns, where the trace tells it. */
  thinkMs: Spread | undefined;
  blockTokens: number;
  blockRefs: number;
  distinctBlocks: number;
  /** Part of the prompt blocks that lie in a prefix seen before: what a cache without bounds finds. */
  idealHitRatio: number;
  /** The same for each request, and the tokens of its prompt that lie in none. */
  hitRatio: Spread | undefined;
  uniqueTokens: Spread | undefined;
  /** First blocks that several prompts begin with, and the part of the requests that begin with one of them. */
  prefixGroups: { groups: number; requestPart: number };
  /** Part found by the size of a cache that forgets what was used longest ago. */
  cache: CachePoint[];
  inputHistogram: Bin[];
  outputHistogram: Bin[];
  overTime: OverTime;
  /** What a reader should know before trusting a replay. */
  warnings: string[];
}

/** A request as it is looked at; its blocks are read at once. */
export interface Inspected {
  /** undefined for a turn that only follows another. */
  startMs: number | undefined;
  /** Think time before it, where it is known. */
  delayMs: number | undefined;
  inputTokens: number;
  outputTokens: number;
  session: string | undefined;
  low: Uint32Array;
  high: Uint32Array;
  /** -1 where the format tells nothing of content. */
  blocks: number;
}

/** Gathers the facts of a trace; requests come in order of time as far as they have one. */
export class Inspection {
  isOrdered = true;
  private readonly inputs = intColumn();
  private readonly outputs = intColumn();
  private readonly starts = floatColumn();
  /** Places of those with a time among all. */
  private readonly timed = intColumn();
  private readonly thinks = floatColumn();
  private readonly sessions = new SessionIds();
  private readonly firstMs = floatColumn();
  private readonly lastMs = floatColumn();
  private readonly reuse = new ReuseDistances();
  private readonly hits = floatColumn();
  private readonly unique = intColumn();
  private readonly firstBlocks = new BlockTable();
  private zeroOutputs = 0;
  private misfits = 0;
  private withBlocks = 0;

  constructor(private readonly blockTokens: number) {}

  add(request: Inspected): void {
    const { startMs, inputTokens, outputTokens, delayMs } = request;
    if (startMs !== undefined) {
      const { length, data } = this.starts;
      if (length > 0 && startMs < data[length - 1]) this.isOrdered = false;
      this.starts.push(startMs);
      this.timed.push(this.inputs.length);
    }
    this.inputs.push(inputTokens);
    this.outputs.push(outputTokens);
    if (outputTokens === 0) this.zeroOutputs++;
    if (delayMs !== undefined) this.thinks.push(delayMs);
    if (request.session !== undefined) this.addSession(request.session, startMs);
    if (request.blocks > 0) this.addBlocks(request);
  }

  private addSession(session: string, startMs: number | undefined): void {
    const known = this.firstMs.length;
    const index = this.sessions.intern(session, known);
    if (index === known) {
      this.firstMs.push(startMs ?? 0);
      this.lastMs.push(startMs ?? 0);
    } else if (startMs !== undefined) this.lastMs.data[index] = Math.max(this.lastMs.data[index], startMs);
  }

  private addBlocks({ low, high, blocks, inputTokens }: Inspected): void {
    const { blockTokens } = this;
    this.withBlocks++;
    if (blocks !== Math.ceil(inputTokens / blockTokens)) this.misfits++;
    const found = this.reuse.add(low, high, blocks);
    this.hits.push(found / blocks);
    this.unique.push(Math.max(0, inputTokens - found * blockTokens));
    this.firstBlocks.set(low[0], high[0], Math.max(0, this.firstBlocks.get(low[0], high[0])) + 1);
  }

  facts(): TraceFacts {
    const { reuse, inputs, outputs } = this;
    const starts = this.starts.data.slice(0, this.starts.length).sort();
    const durationMs = starts.length > 0 ? starts[starts.length - 1] - starts[0] : 0;
    return {
      requests: inputs.length,
      sessions: this.firstMs.length,
      durationMs,
      requestsPerSecond: durationMs > 0 ? ((starts.length - 1) / durationMs) * 1000 : 0,
      peakPerSecond: { over1s: peak(starts, 1000), over10s: peak(starts, 10_000) / 10 },
      burstiness: burstiness(starts),
      inputTokens: sum(inputs.data, inputs.length),
      outputTokens: sum(outputs.data, outputs.length),
      input: spreadOf(inputs)!,
      output: spreadOf(outputs)!,
      thinkMs: spreadOf(this.thinks),
      blockTokens: this.blockTokens,
      blockRefs: reuse.refs,
      distinctBlocks: reuse.distinct,
      idealHitRatio: reuse.refs > 0 ? reuse.prefixHits / reuse.refs : 0,
      hitRatio: spreadOf(this.hits),
      uniqueTokens: spreadOf(this.unique),
      prefixGroups: this.prefixGroups(),
      cache: reuse.curve(),
      inputHistogram: histogram(inputs),
      outputHistogram: histogram(outputs),
      overTime: this.overTime(starts, durationMs),
      warnings: this.warnings(starts, durationMs),
    };
  }

  private prefixGroups(): { groups: number; requestPart: number } {
    let groups = 0;
    let requests = 0;
    for (const count of this.firstBlocks.known())
      if (count > 1) {
        groups++;
        requests += count;
      }
    return { groups, requestPart: this.withBlocks > 0 ? requests / this.withBlocks : 0 };
  }

  private overTime(sorted: Float64Array, durationMs: number): OverTime {
    const [firstMs = 0] = sorted;
    const empty = {
      requestsPerSecond: [],
      inputTokensPerSecond: [],
      outputTokensPerSecond: [],
      sessions: [],
    };
    if (!(durationMs > 0)) return { binMs: 0, ...empty };
    const binMs = durationMs / TIME_BINS;
    const binOf = (ms: number) => Math.min(TIME_BINS - 1, Math.max(0, Math.floor((ms - firstMs) / binMs)));
    const rows = [0, 1, 2].map(() => new Array<number>(TIME_BINS).fill(0));
    for (let i = 0; i < this.starts.length; i++) {
      const bin = binOf(this.starts.data[i]);
      rows[0][bin]++;
      rows[1][bin] += this.inputs.data[this.timed.data[i]];
      rows[2][bin] += this.outputs.data[this.timed.data[i]];
    }
    const sessions = new Array<number>(TIME_BINS).fill(0);
    for (let i = 0; i < this.firstMs.length; i++)
      for (let bin = binOf(this.firstMs.data[i]); bin <= binOf(this.lastMs.data[i]); bin++) sessions[bin]++;
    const [requestsPerSecond, inputTokensPerSecond, outputTokensPerSecond] = rows.map((row) =>
      row.map((inBin) => (inBin / binMs) * 1000),
    );
    return { binMs, requestsPerSecond, inputTokensPerSecond, outputTokensPerSecond, sessions };
  }

  private warnings(sorted: Float64Array, durationMs: number): string[] {
    const warnings: string[] = [];
    const { zeroOutputs, misfits, withBlocks, blockTokens } = this;
    if (misfits > withBlocks / 2)
      warnings.push(
        `${misfits} of ${withBlocks} prompts have another number of blocks than their length needs at ${blockTokens} tokens a block`,
      );
    if (!this.isOrdered) warnings.push('rows are not in order of time; they were looked at in that order');
    if (zeroOutputs > 0) warnings.push(`${zeroOutputs} of ${this.inputs.length} requests ask for no output`);
    let equal = 0;
    let longestMs = 0;
    for (let i = 1; i < sorted.length; i++) {
      if (sorted[i] === sorted[i - 1]) equal++;
      longestMs = Math.max(longestMs, sorted[i] - sorted[i - 1]);
    }
    if (sorted.length > 2 && equal >= BUNCHED * sorted.length)
      warnings.push(
        `${Math.round((100 * equal) / sorted.length)} % of the requests come at the very moment of another: times were rounded`,
      );
    if (
      longestMs >= LONG_GAP_MS ||
      (sorted.length > 2 && longestMs >= LONG_GAP_PART * durationMs && longestMs >= LEAST_GAP_MS)
    )
      warnings.push(
        `nothing comes for ${(longestMs / 1000).toFixed(0)} s at a stretch; trace slice --max-gap cuts idle time out`,
      );
    return warnings;
  }
}

type Samples = { data: Float64Array | Int32Array | Uint32Array; length: number };

function sum(data: ArrayLike<number>, length: number): number {
  let total = 0;
  for (let i = 0; i < length; i++) total += data[i];
  return total;
}

/** The most of sorted times that lie within a span. */
function peak(sorted: Float64Array, spanMs: number): number {
  let most = 0;
  let first = 0;
  for (let i = 0; i < sorted.length; i++) {
    while (sorted[i] - sorted[first] >= spanMs) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

function burstiness(starts: Float64Array): number | undefined {
  const count = starts.length - 1;
  if (count < 1) return undefined;
  const mean = (starts[count] - starts[0]) / count;
  if (mean === 0) return undefined;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (starts[i + 1] - starts[i] - mean) ** 2;
  return Math.sqrt(squares / count) / mean;
}

function spreadOf({ data, length }: Samples): Spread | undefined {
  if (length === 0) return undefined;
  const sorted = data.slice(0, length).sort();
  const at = (part: number) => sorted[Math.round((length - 1) * part)];
  return {
    min: at(0),
    mean: sum(sorted, length) / length,
    median: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}

/** Bins that double, from the first to the last that holds a sample. */
function histogram({ data, length }: Samples): Bin[] {
  const counts: number[] = [];
  for (let i = 0; i < length; i++) {
    const bin = Math.floor(Math.log2(Math.max(1, data[i])));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const bins = Array.from(counts, (count = 0, bin) => ({ from: 2 ** bin, to: 2 ** (bin + 1), count }));
  return bins.slice(bins.findIndex(({ count }) => count > 0));
}

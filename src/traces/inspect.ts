import type { TraceRequest } from './form.js';

/** Bins of the traffic over time. */
const TIME_BINS = 20;

/** Least, mean, middle and tail of some samples. */
export interface Spread {
  min: number;
  mean: number;
  median: number;
  p90: number;
  p99: number;
  max: number;
}

/** Part of all prompt blocks that a cache of some size finds. */
interface CachePoint {
  blocks: number;
  hitRatio: number;
}

export interface TraceFacts {
  requests: number;
  sessions: number;
  durationMs: number;
  requestsPerSecond: number;
  /** Standard deviation of the times between arrivals over their mean: 0 for a clock, 1 for a Poisson process. */
  burstiness: number | undefined;
  input: Spread;
  output: Spread;
  blockRefs: number;
  distinctBlocks: number;
  /** Part of the prompt blocks that lie in a prefix seen before: what a cache without bounds finds. */
  idealHitRatio: number;
  /** The same by the size of a cache that forgets what was used longest ago. */
  cache: CachePoint[];
  inputHistogram: Bin[];
  outputHistogram: Bin[];
  overTime: OverTime;
}

/** The traffic in bins of equal width; a width of 0 where requests have no times. */
interface OverTime {
  binMs: number;
  requestsPerSecond: number[];
  /** Sessions that have begun and not yet had their last request, and those of the bin itself. */
  sessions: number[];
}

/** Samples from a length to twice it. */
export interface Bin {
  from: number;
  to: number;
  count: number;
}

/** Facts of a trace, requests in order of time as far as they have one. */
export function inspect(requests: Iterable<TraceRequest>): TraceFacts {
  const inputs: number[] = [];
  const outputs: number[] = [];
  const starts: number[] = [];
  /** First and last start of each session. */
  const sessions = new Map<string, [number, number]>();
  const reuse = new ReuseDistances();
  for (const { startMs, inputTokens, outputTokens, session, blocks } of requests) {
    inputs.push(inputTokens);
    outputs.push(outputTokens);
    if (startMs !== undefined) starts.push(startMs);
    if (session !== undefined) {
      const known = sessions.get(session);
      const atMs = startMs ?? known?.[1] ?? 0;
      if (known) known[1] = Math.max(known[1], atMs);
      else sessions.set(session, [atMs, atMs]);
    }
    if (blocks) reuse.add(blocks);
  }
  starts.sort((a, b) => a - b);
  const durationMs = starts.length > 0 ? starts[starts.length - 1] - starts[0] : 0;
  return {
    requests: inputs.length,
    sessions: sessions.size,
    durationMs,
    requestsPerSecond: durationMs > 0 ? ((starts.length - 1) / durationMs) * 1000 : 0,
    burstiness: burstiness(starts),
    input: spreadOf(inputs),
    output: spreadOf(outputs),
    blockRefs: reuse.refs,
    distinctBlocks: reuse.distinct,
    idealHitRatio: reuse.refs > 0 ? reuse.prefixHits / reuse.refs : 0,
    cache: reuse.curve(),
    inputHistogram: histogram(inputs),
    outputHistogram: histogram(outputs),
    overTime: overTime(starts, [...sessions.values()]),
  };
}

/** @param starts ascending @param spans first and last start of sessions */
function overTime(starts: readonly number[], spans: readonly [number, number][]): OverTime {
  const [firstMs = 0] = starts;
  const durationMs = (starts[starts.length - 1] ?? 0) - firstMs;
  if (!(durationMs > 0)) return { binMs: 0, requestsPerSecond: [], sessions: [] };
  const binMs = durationMs / TIME_BINS;
  const binOf = (ms: number) => Math.min(TIME_BINS - 1, Math.max(0, Math.floor((ms - firstMs) / binMs)));
  const counts = new Array<number>(TIME_BINS).fill(0);
  for (const ms of starts) counts[binOf(ms)]++;
  const sessions = new Array<number>(TIME_BINS).fill(0);
  for (const [from, to] of spans) for (let bin = binOf(from); bin <= binOf(to); bin++) sessions[bin]++;
  return { binMs, requestsPerSecond: counts.map((inBin) => (inBin / binMs) * 1000), sessions };
}

function burstiness(starts: readonly number[]): number | undefined {
  const count = starts.length - 1;
  if (count < 1) return undefined;
  const mean = (starts[count] - starts[0]) / count;
  if (mean === 0) return undefined;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (starts[i + 1] - starts[i] - mean) ** 2;
  return Math.sqrt(squares / count) / mean;
}

function spreadOf(samples: readonly number[]): Spread {
  const sorted = Float64Array.from(samples).sort();
  const at = (part: number) => sorted[Math.round((sorted.length - 1) * part)] ?? 0;
  const sum = sorted.reduce((a, b) => a + b, 0);
  return {
    min: at(0),
    mean: sorted.length > 0 ? sum / sorted.length : 0,
    median: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}

/** Bins that double, from the first to the last that holds a sample. */
function histogram(samples: readonly number[]): Bin[] {
  const counts: number[] = [];
  for (const sample of samples) {
    const bin = Math.floor(Math.log2(Math.max(1, sample)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const bins = Array.from(counts, (count = 0, bin) => ({ from: 2 ** bin, to: 2 ** (bin + 1), count }));
  return bins.slice(bins.findIndex(({ count }) => count > 0));
}

/**
 * How many other blocks were used between two uses of a block: what a cache must hold to find it again (Mattson et al.,
 * IBM Systems Journal 1970), counted in a Fenwick tree over the uses.
 */
class ReuseDistances {
  refs = 0;
  prefixHits = 0;
  private readonly lastUse = new Map<string, number>();
  private tree = new Int32Array(1024);
  /** Uses found at a distance of less than 2^k blocks, by k, before they are summed up. */
  private readonly byPower: number[] = [];

  get distinct(): number {
    return this.lastUse.size;
  }

  add(blocks: readonly string[]): void {
    let isPrefix = true;
    for (const block of blocks) {
      const before = this.lastUse.get(block);
      isPrefix &&= before !== undefined;
      if (isPrefix) this.prefixHits++;
      const use = ++this.refs;
      if (use >= this.tree.length) this.grow();
      if (before !== undefined) {
        const between = this.countUpTo(use - 1) - this.countUpTo(before);
        const power = Math.ceil(Math.log2(between + 1));
        this.byPower[power] = (this.byPower[power] ?? 0) + 1;
        this.mark(before, -1);
      }
      this.mark(use, 1);
      this.lastUse.set(block, use);
    }
  }

  curve(): CachePoint[] {
    const points: CachePoint[] = [];
    let hits = 0;
    for (let power = 0; power < this.byPower.length; power++) {
      hits += this.byPower[power] ?? 0;
      points.push({ blocks: 2 ** power, hitRatio: hits / this.refs });
    }
    return points;
  }

  private mark(use: number, by: number): void {
    for (let i = use; i < this.tree.length; i += i & -i) this.tree[i] += by;
  }

  private countUpTo(use: number): number {
    let count = 0;
    for (let i = use; i > 0; i -= i & -i) count += this.tree[i];
    return count;
  }

  private grow(): void {
    this.tree = new Int32Array(this.tree.length * 2);
    for (const use of this.lastUse.values()) this.mark(use, 1);
  }
}

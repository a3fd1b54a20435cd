/** What a worker was doing in a pass, or a run of equal ones, and its totals at the end of it. */
export interface WorkerSample {
  /** Sequences in the pass, and requests that waited for one. */
  sequences: number;
  waiting: number;
  /** KV blocks in use at its end. */
  activeBlocks: number;
  prefillTokens: number;
  decodeSteps: number;
  passes: number;
  sequenceSteps: number;
  prefillMs: number;
  preemptions: number;
  evictedBlocks: number;
}

/** Hears of every pass of the workers of a pool, or run of equal ones; times of a worker never go back. */
export interface WorkerWatch {
  add(worker: number, startMs: number, endMs: number, sample: WorkerSample): void;
}

/** Sums over a bin: of times in passes, of values times the milliseconds that they held, and of counts. */
const SUMS = [
  'busyMs',
  'sequenceMs',
  'waitingMs',
  'blockMs',
  'prefillTokens',
  'decodeSteps',
  'preemptions',
  'evictedBlocks',
] as const;
type Sum = (typeof SUMS)[number];

const FIRST_BIN_MS = 1;
/** Bins of all workers together, and bounds for those of one. */
const BINS = 1 << 16;
const LEAST_BINS = 256;
const MOST_BINS = 4096;

type Sums = Record<Sum, Float64Array>;

/**
 * What the workers of a pool did over time, in bins of equal width. When time goes past the last bin, pairs of bins
 * become one, so that memory does not follow the length of the run.
 */
export class WorkerSeries implements WorkerWatch {
  binMs = FIRST_BIN_MS;
  private readonly bins: number;
  private readonly workers: { sums: Sums; last: WorkerSample; lastMs: number }[] = [];

  /** @param expectedWorkers shares out the bins; more workers may come */
  constructor(expectedWorkers: number) {
    const share = BINS / Math.max(1, expectedWorkers);
    this.bins = 2 ** Math.floor(Math.log2(Math.min(MOST_BINS, Math.max(LEAST_BINS, share))));
  }

  get workerCount(): number {
    return this.workers.length;
  }

  add(worker: number, startMs: number, endMs: number, sample: WorkerSample): void {
    while (this.workers.length <= worker) this.addWorker();
    while (endMs >= this.bins * this.binMs) this.halve();
    const { sums, last, lastMs } = this.workers[worker];
    this.spread(sums.blockMs, lastMs, startMs, last.activeBlocks, last.activeBlocks);
    this.spread(sums.waitingMs, lastMs, startMs, last.waiting, last.waiting);
    this.spread(sums.blockMs, startMs, endMs, last.activeBlocks, sample.activeBlocks);
    this.spread(sums.busyMs, startMs, endMs, 1, 1);
    this.spread(sums.sequenceMs, startMs, endMs, sample.sequences, sample.sequences);
    this.spread(sums.waitingMs, startMs, endMs, sample.waiting, sample.waiting);
    this.share(sums.prefillTokens, startMs, endMs, sample.prefillTokens - last.prefillTokens);
    this.share(sums.decodeSteps, startMs, endMs, sample.decodeSteps - last.decodeSteps);
    const bin = Math.floor(endMs / this.binMs);
    sums.preemptions[bin] += sample.preemptions - last.preemptions;
    sums.evictedBlocks[bin] += sample.evictedBlocks - last.evictedBlocks;
    Object.assign(last, sample);
    this.workers[worker].lastMs = endMs;
  }

  /** Spreads a count evenly over a time. */
  private share(bins: Float64Array, startMs: number, endMs: number, count: number): void {
    if (count === 0) return;
    if (endMs > startMs) {
      const rate = count / (endMs - startMs);
      this.spread(bins, startMs, endMs, rate, rate);
    } else bins[Math.floor(endMs / this.binMs)] += count;
  }

  /** Adds the integral of a value that goes evenly from `first` to `last` over a time. */
  private spread(bins: Float64Array, startMs: number, endMs: number, first: number, last: number): void {
    if (!(endMs > startMs) || (first === 0 && last === 0)) return;
    const { binMs } = this;
    const only = Math.floor(startMs / binMs);
    if (endMs < (only + 1) * binMs) {
      bins[only] += (endMs - startMs) * ((first + last) / 2);
      return;
    }
    const slope = (last - first) / (endMs - startMs);
    const end = Math.floor(endMs / binMs);
    let from = startMs;
    for (let bin = Math.floor(startMs / binMs); bin <= end; bin++) {
      const to = bin === end ? endMs : (bin + 1) * binMs;
      bins[bin] += (to - from) * (first + slope * ((from + to) / 2 - startMs));
      from = to;
    }
  }

  private addWorker(): void {
    const sums = Object.fromEntries(SUMS.map((name) => [name, new Float64Array(this.bins)])) as Sums;
    this.workers.push({ sums, last: emptySample(), lastMs: 0 });
  }

  private halve(): void {
    const half = this.bins / 2;
    for (const { sums } of this.workers)
      for (const name of SUMS) {
        const bins = sums[name];
        for (let i = 0; i < half; i++) bins[i] = bins[2 * i] + bins[2 * i + 1];
        bins.fill(0, half);
      }
    this.binMs *= 2;
  }

  /** The sums of a worker up to a time, one value a bin. */
  sumsOf(worker: number, untilMs: number): Readonly<Sums> {
    const used = Math.min(this.bins, Math.ceil(untilMs / this.binMs));
    const { sums } = this.workers[worker];
    return Object.fromEntries(SUMS.map((name) => [name, sums[name].subarray(0, used)])) as Sums;
  }
}

/** A worker that has done nothing yet. */
export function emptySample(): WorkerSample {
  return {
    sequences: 0,
    waiting: 0,
    activeBlocks: 0,
    prefillTokens: 0,
    decodeSteps: 0,
    passes: 0,
    sequenceSteps: 0,
    prefillMs: 0,
    preemptions: 0,
    evictedBlocks: 0,
  };
}

import { keptBounds, type ServiceLevel } from './collector.js';
import type { RequestOutcome } from './outcome.js';

/** Requests by their arrival, in bins of equal width: how many came, how many kept the goals, and their prompts. */
export interface GoalBins {
  readonly seconds: number;
  readonly arrived: readonly number[];
  readonly kept: readonly number[];
  readonly inputTokens: readonly number[];
}

const MOST_BINS = 1 << 14;
/** Widths of windows that people think in, in seconds. */
const WIDTHS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const DAY_SECONDS = 86_400;

/**
 * Counts, as requests end, which of them kept the goals, by when they arrived. Bins are a second wide and grow with the run, so
 * that memory does not.
 */
export class GoalSeries {
  private seconds = 1;
  private arrived: number[] = [];
  private kept: number[] = [];
  private inputTokens: number[] = [];

  /** @param goals set before the first request ends; without them none is kept */
  constructor(public goals?: ServiceLevel) {}

  add(outcome: RequestOutcome): void {
    const bin = this.binOf(outcome.arrivalMs);
    this.arrived[bin]++;
    this.inputTokens[bin] += outcome.inputTokens;
    if (outcome.status !== 'completed' || !this.goals) return;
    const { ttft, itl, e2e } = keptBounds(outcome, this.goals);
    if (ttft && itl && e2e) this.kept[bin]++;
  }

  private binOf(ms: number): number {
    while (ms >= MOST_BINS * this.seconds * 1000) this.halve();
    const bin = Math.floor(ms / 1000 / this.seconds);
    for (const sums of [this.arrived, this.kept, this.inputTokens]) while (sums.length <= bin) sums.push(0);
    return bin;
  }

  private halve(): void {
    this.seconds *= 2;
    this.arrived = merged(this.arrived, 2);
    this.kept = merged(this.kept, 2);
    this.inputTokens = merged(this.inputTokens, 2);
  }

  /** All of it in at most so many windows, of a width that people think in. */
  windows(most: number): GoalBins {
    const wanted = (this.arrived.length * this.seconds) / most;
    const width =
      WIDTHS.find((seconds) => seconds >= wanted && seconds % this.seconds === 0) ??
      Math.ceil(wanted / Math.max(DAY_SECONDS, this.seconds)) * Math.max(DAY_SECONDS, this.seconds);
    const count = width / this.seconds;
    return {
      seconds: width,
      arrived: merged(this.arrived, count),
      kept: merged(this.kept, count),
      inputTokens: merged(this.inputTokens, count),
    };
  }
}

/** Sums of so many neighbours each. */
function merged(values: readonly number[], count: number): number[] {
  const sums = new Array<number>(Math.ceil(values.length / count)).fill(0);
  values.forEach((value, index) => {
    sums[Math.floor(index / count)] += value;
  });
  return sums;
}

import type { PassClock } from '../timing/pass-clock.js';
import type { GapSink } from './request-log.js';

/**
 * A plan of passes that each decode one token for the same requests, so that each takes longer than the one before: a
 * list of end times.
 */
export class PassEnds {
  passes = 0;
  /** When the next planned pass begins, and when the last committed one began. */
  startMs = 0;
  lastCommittedMs = 0;
  /** Known tokens of all requests before the next planned pass. */
  startTokens = 0;
  private batch = 0;
  private ends = new Float64Array(64);

  constructor(
    private readonly clock: PassClock,
    private readonly gaps: GapSink,
  ) {}

  get firstEndMs(): number {
    return this.ends[0];
  }

  /** When the last planned pass begins. */
  get lastStartMs(): number {
    return this.passes > 1 ? this.ends[this.passes - 2] : this.startMs;
  }

  /** Plans at most `most` passes that begin before a time. @returns the end of the last one, or -1 when there is none */
  plan(nowMs: number, batch: number, tokens: number, most: number, limitMs: number): number {
    this.startMs = nowMs;
    this.startTokens = tokens;
    this.batch = batch;
    this.passes = 0;
    if (most <= 0) return -1;
    if (most > this.ends.length) this.ends = new Float64Array(most * 2);
    this.passes = this.clock.decodeRun(nowMs, batch, tokens, most, limitMs, this.ends);
    return this.passes > 0 ? this.ends[this.passes - 1] : -1;
  }

  /** Leaves out planned passes that would begin at a time or later. @returns the end of the last one left, or -1 */
  shorten(limitMs: number): number {
    const { ends } = this;
    let low = 0;
    let high = this.passes;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((middle === 0 ? this.startMs : ends[middle - 1]) < limitMs) low = middle + 1;
      else high = middle;
    }
    this.passes = low;
    return low > 0 ? ends[low - 1] : -1;
  }

  /** Notes the gaps of the planned passes that end by a time, and goes on from there. @returns how many those are */
  commit(untilMs: number): number {
    const { ends } = this;
    let ended = this.passes;
    while (ended > 0 && ends[ended - 1] > untilMs) ended--;
    if (ended === 0) return 0;
    this.gaps.addRun(this.clock, this.startMs, this.batch, this.startTokens, ended);
    this.lastCommittedMs = ended > 1 ? ends[ended - 2] : this.startMs;
    this.startMs = ends[ended - 1];
    this.startTokens += ended * this.batch;
    if (ended < this.passes) ends.copyWithin(0, ended, this.passes);
    this.passes -= ended;
    return ended;
  }
}

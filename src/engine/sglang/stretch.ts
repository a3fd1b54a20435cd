import type { GapSink, RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';

/**
 * A planned run of passes in which every running request emits one token into a page that it has already. Each pass
 * takes longer than the one before, since the contexts grow, so the plan is a list of end times.
 */
export class DecodeStretch {
  passes = 0;
  lastStartMs = 0;
  private startMs = 0;
  private readonly ends: number[] = [];

  constructor(
    private readonly requests: SchedulerRequests,
    private readonly log: RequestLog,
    private readonly gaps: GapSink,
  ) {}

  /**
   * @param decodeMs time of a pass by the known tokens of all requests
   * @returns the end of the last pass planned, or -1 when the next one must be executed
   */
  plan(
    running: readonly number[],
    nowMs: number,
    limitMs: number,
    decodeMs: (tokens: number) => number,
  ): number {
    const { ends } = this;
    const most = this.quietPasses(running, nowMs);
    let tokens = 0;
    for (const slot of running) tokens += this.requests.length[slot];
    let t = nowMs;
    let passes = 0;
    for (; passes < most && t < limitMs; passes++) {
      this.lastStartMs = t;
      t += decodeMs(tokens);
      ends[passes] = t;
      tokens += running.length;
    }
    this.passes = passes;
    this.startMs = nowMs;
    return passes > 0 ? t : -1;
  }

  /** Passes until a request fills a page or ends, or 0 when some request did not emit in the pass before. */
  private quietPasses(running: readonly number[], nowMs: number): number {
    const { requests, log } = this;
    let quiet = Number.POSITIVE_INFINITY;
    for (const slot of running) {
      if (log.lastTokenMs[slot] !== nowMs) return 0;
      quiet = Math.min(
        quiet,
        requests.allocated[slot] - requests.length[slot] - 1,
        requests.remaining(slot) - 1,
      );
    }
    return quiet;
  }

  /** Makes the planned passes happen. */
  commit(running: readonly number[]): void {
    const { requests, log, ends, passes } = this;
    let before = this.startMs;
    for (let i = 0; i < passes; i++) {
      this.gaps.addShared(ends[i] - before, running.length);
      before = ends[i];
    }
    for (const slot of running) {
      if (log.emittedTokens[slot] === 1) log.secondTokenMs[slot] = ends[0];
      log.emittedTokens[slot] += passes;
      log.lastTokenMs[slot] = before;
      requests.length[slot] += passes;
      requests.computed[slot] += passes;
    }
    this.passes = 0;
  }
}

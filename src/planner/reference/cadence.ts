/** How often each part of the planner runs, in seconds. */
export interface Intervals {
  readonly tick: number;
  readonly load: number;
  readonly throughput: number;
}

/** What is due at a tick. */
export interface Due {
  /** Passes are learned from, and the tick is recorded. */
  readonly load: boolean;
  readonly throughput: boolean;
  readonly predict: boolean;
  readonly proposeThroughput: boolean;
  readonly proposeLoad: boolean;
}

const SLACK = 1e-9;

/** Keeps the time, in seconds, at which each part of the planner ran last. */
export class Cadence {
  nextSeconds: number;
  private lastLoad = 0;
  private lastThroughput = 0;
  private lastPredict = 0;
  private lastProposeThroughput = 0;
  private lastProposeLoad = 0;

  constructor(
    private readonly intervals: Intervals,
    private readonly scales: { readonly load: boolean; readonly throughput: boolean },
  ) {
    this.nextSeconds = intervals.tick;
  }

  /** What is due now, at `nextSeconds`. */
  due(): Due {
    const { load, throughput } = this.intervals;
    const { scales, nextSeconds: now } = this;
    return {
      load: now - this.lastLoad >= load - SLACK,
      throughput: scales.throughput && now - this.lastThroughput >= throughput - SLACK,
      predict: scales.throughput && now - this.lastPredict >= throughput,
      proposeThroughput: scales.throughput && now - this.lastProposeThroughput >= throughput,
      proposeLoad: scales.load && now - this.lastProposeLoad >= load,
    };
  }

  /** Notes what ran, and moves on to the next tick. @param sized whether throughput scaling had a forecast to work with */
  advance(due: Due, sized: boolean): void {
    const now = this.nextSeconds;
    if (due.load) this.lastLoad = now;
    if (due.throughput) this.lastThroughput = now;
    if (due.predict) this.lastPredict = now;
    if (due.proposeThroughput && sized) this.lastProposeThroughput = now;
    if (due.proposeLoad) this.lastProposeLoad = now;
    this.nextSeconds = now + this.intervals.tick;
  }
}

import type { PassClock } from '../../timing/pass-clock.js';
import { ClockWalk, type PassGaps } from '../../timing/walk.js';
import type { BlockPool } from '../kv/block-pool.js';
import type { GapSink } from '../request-log.js';
import type { DecodeGroup } from './decode-group.js';

export interface StretchOwner {
  readonly group: DecodeGroup;
  noteGroupBlocks(blocks: number): void;
}

/** A planned run of passes in which the decode group does nothing but decode. Times in milliseconds. */
export interface Stretch {
  /** Planned passes that have not happened yet. */
  readonly passes: number;
  /** When the first planned pass ends, and when the last of them begins. */
  readonly firstEndMs: number;
  readonly lastStartMs: number;
  /** When the next planned pass begins, and when the last committed one began. */
  readonly startMs: number;
  readonly lastCommittedMs: number;
  /** Plans passes that begin before `limitMs`, through the first that ends a request. @returns their end, or -1 */
  plan(nowMs: number, limitMs: number): number;
  /** Leaves out planned passes that begin at a time or later. @returns the end of the last one left, or -1 */
  shorten(limitMs: number): number;
  /**
   * Makes the planned passes happen that end by `untilMs`; the members that ended with the last one are left to the
   * caller.
   * @returns how many passes those are
   */
  commit(untilMs: number): number;
  /** Forgets what is planned. */
  drop(): void;
}

/**
 * A stretch where time follows from the blocks in use. Between two passes that need new blocks every pass takes equally
 * long, so the plan is a list of (blocks taken, passes, time added per pass).
 */
export class EvenStretch implements Stretch, PassGaps {
  firstEndMs = 0;
  lastStartMs = 0;
  startMs = 0;
  lastCommittedMs = 0;
  passes = 0;
  /** When the last planned pass ends. */
  private endMs = 0;
  private count = 0;
  private readonly due: number[] = [];
  private readonly length: number[] = [];
  private readonly addMs: number[] = [];
  private readonly walk = new ClockWalk();

  constructor(
    private readonly owner: StretchOwner,
    private readonly pool: BlockPool,
    private readonly clock: PassClock,
    private readonly gaps: GapSink,
    /** Whether a planned pass may evict; not where somebody hears of it. */
    private readonly evicts: boolean,
    /** Whether decoding takes no time, as on a prefill worker. */
    private readonly isFree: boolean,
  ) {}

  drop(): void {
    this.passes = 0;
    this.count = 0;
  }

  plan(nowMs: number, limitMs: number): number {
    const { pool, clock, walk } = this;
    const { group } = this.owner;
    const toEnd = group.nextEnd - group.pass;
    const isEven = this.isFree || !clock.readsContext;
    const overheadMs = this.isFree ? 0 : clock.overheadMs(group.size);
    const context = clock.readsContext ? Math.floor(group.lengthSum / group.size) : 0;
    let active = pool.active;
    let headroom = this.evicts ? pool.headroom : pool.unused;
    let t = nowMs;
    let passes = 0;
    this.count = 0;
    while (passes < toEnd && t < limitMs) {
      const due = group.blocksDueAfter(passes);
      if (due > headroom) break;
      headroom -= due;
      active += due;
      const span = isEven ? Math.min(toEnd - passes, group.passesToNextDue(passes)) : 1;
      const decodeMs = this.isFree ? 0 : clock.decodeMs(group.size, active, context + passes);
      const addMs = decodeMs + overheadMs;
      if (passes === 0) this.firstEndMs = t + addMs;
      t = walk.run(t, addMs, span, limitMs);
      const at = this.count++;
      this.due[at] = due;
      this.length[at] = walk.passes;
      this.addMs[at] = addMs;
      passes += walk.passes;
    }
    this.passes = passes;
    this.lastStartMs = walk.lastStartMs;
    this.startMs = nowMs;
    this.endMs = t;
    return passes > 0 ? t : -1;
  }

  shorten(limitMs: number): number {
    const { walk, length, addMs } = this;
    let t = this.startMs;
    let passes = 0;
    let at = 0;
    for (; at < this.count && t < limitMs; at++) {
      if (at === 0) this.firstEndMs = t + addMs[at];
      t = walk.run(t, addMs[at], length[at], limitMs);
      length[at] = walk.passes;
      passes += walk.passes;
    }
    this.count = at;
    this.passes = passes;
    this.lastStartMs = walk.lastStartMs;
    this.endMs = t;
    return passes > 0 ? t : -1;
  }

  commit(untilMs: number): number {
    const { pool, owner } = this;
    const isWhole = untilMs >= this.endMs;
    let blocks = 0;
    let passes = 0;
    let at = 0;
    while (at < this.count) {
      const most = isWhole ? this.length[at] : this.endedBy(untilMs, at);
      if (most === 0) break;
      this.startMs = this.walk.run(this.startMs, this.addMs[at], most, Number.POSITIVE_INFINITY, this);
      this.lastCommittedMs = this.walk.lastStartMs;
      blocks += this.due[at];
      this.due[at] = 0;
      passes += most;
      this.length[at] -= most;
      if (this.length[at] > 0) break;
      at++;
    }
    this.forget(at);
    if (blocks > 0) {
      pool.take(blocks);
      owner.noteGroupBlocks(blocks);
    }
    owner.group.advance(passes);
    this.passes -= passes;
    return passes;
  }

  /** Passes of an entry of the plan, the next to be committed, that end by a time. */
  private endedBy(untilMs: number, at: number): number {
    const { walk } = this;
    const end = walk.run(this.startMs, this.addMs[at], this.length[at], untilMs);
    return end > untilMs ? walk.passes - 1 : walk.passes;
  }

  /** Drops the first entries of the plan. */
  private forget(entries: number): void {
    this.count -= entries;
    for (const list of [this.due, this.length, this.addMs]) list.copyWithin(0, entries, entries + this.count);
  }

  addPasses(gapMs: number, passes: number): void {
    this.gaps.addShared(gapMs, passes * this.owner.group.size);
  }
}

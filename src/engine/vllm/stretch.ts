import type { PassClock } from '../../timing/pass-clock.js';
import { ClockWalk, type PassGaps } from '../../timing/walk.js';
import type { BlockPool } from '../kv/block-pool.js';
import type { GapSink } from '../request-log.js';
import type { DecodeGroup } from './decode-group.js';

interface StretchOwner {
  readonly group: DecodeGroup;
  noteGroupBlocks(blocks: number): void;
}

/**
 * A planned run of passes in which the decode group does nothing but decode. Between two passes that need new blocks
 * every pass takes equally long, so the plan is a list of (blocks taken, passes, time added per pass).
 */
export class Stretch implements PassGaps {
  /** Passes planned, and when the first and the last of them end. */
  passes = 0;
  firstEndMs = 0;
  endMs = 0;
  /** When the last of them begins. */
  lastStartMs = 0;
  private startMs = 0;
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

  /** Plans passes that begin before `limitMs`, through the first that ends a request. @returns their end, or -1 */
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

  /** Makes the planned passes happen; the members that ended with the last one are left to the caller. */
  commit(): void {
    const { pool, walk, owner } = this;
    const { group } = owner;
    let t = this.startMs;
    let blocks = 0;
    for (let i = 0; i < this.count; i++) {
      blocks += this.due[i];
      t = walk.run(t, this.addMs[i], this.length[i], Number.POSITIVE_INFINITY, this);
    }
    if (blocks > 0) {
      pool.take(blocks);
      owner.noteGroupBlocks(blocks);
    }
    group.advance(this.passes);
    this.passes = 0;
  }

  addPasses(gapMs: number, passes: number): void {
    this.gaps.addShared(gapMs, passes * this.owner.group.size);
  }
}

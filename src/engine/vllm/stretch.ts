import type { BlockPool } from '../kv/block-pool.js';
import type { GapSink } from '../request-log.js';
import type { PassClock } from '../timing/pass-clock.js';
import { ClockWalk } from '../timing/walk.js';
import type { DecodeGroup } from './decode-group.js';

interface StretchOwner {
  readonly group: DecodeGroup;
  noteGroupBlocks(blocks: number): void;
}

/**
 * A planned run of passes in which the decode group does nothing but decode. Between two passes that need new blocks
 * every pass takes equally long, so the plan is a list of (blocks taken, passes, time added per pass).
 */
export class Stretch {
  /** Passes planned, and when the first and the last of them end. */
  passes = 0;
  firstEndMs = 0;
  endMs = 0;
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
  ) {}

  /** Plans passes that begin before `limitMs`, through the first that ends a request. @returns their end, or -1 */
  plan(nowMs: number, limitMs: number): number {
    const { pool, clock, walk } = this;
    const { group } = this.owner;
    const toEnd = group.nextEnd - group.pass;
    let active = pool.active;
    let headroom = pool.headroom;
    let t = nowMs;
    let passes = 0;
    this.count = 0;
    while (passes < toEnd && t < limitMs) {
      const due = group.blocksDueAfter(passes);
      if (due > headroom) break;
      headroom -= due;
      active += due;
      const span = clock.readsContext ? 1 : this.evenPasses(group, passes, toEnd);
      const context = Math.floor(group.lengthSum / group.size) + passes;
      const addMs = clock.decodeMs(group.size, active, context);
      if (passes === 0) this.firstEndMs = t + addMs;
      t = walk.run(t, addMs, span, limitMs);
      const at = this.count++;
      this.due[at] = due;
      this.length[at] = walk.passes;
      this.addMs[at] = addMs;
      passes += walk.passes;
    }
    this.passes = passes;
    this.startMs = nowMs;
    this.endMs = t;
    return passes > 0 ? t : -1;
  }

  /** Passes from `from` on until the next one that needs blocks. */
  private evenPasses(group: DecodeGroup, from: number, end: number): number {
    let to = from + 1;
    while (to < end && group.blocksDueAfter(to) === 0) to++;
    return to - from;
  }

  /** Makes the planned passes happen; the members that ended with the last one are left to the caller. */
  commit(gaps: GapSink): void {
    const { pool, walk, owner } = this;
    const { group } = owner;
    const { size } = group;
    const listener = (gapMs: number, passes: number) => gaps.addShared(gapMs, passes * size);
    let t = this.startMs;
    for (let i = 0; i < this.count; i++) {
      if (this.due[i] > 0) {
        pool.take(this.due[i]);
        owner.noteGroupBlocks(this.due[i]);
      }
      t = walk.run(t, this.addMs[i], this.length[i], Number.POSITIVE_INFINITY, listener);
      group.advance(this.length[i]);
    }
    this.passes = 0;
  }
}

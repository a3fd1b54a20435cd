import type { PassClock } from '../../timing/pass-clock.js';
import type { BlockPool } from '../kv/block-pool.js';
import { PassEnds } from '../pass-ends.js';
import type { GapSink } from '../request-log.js';
import type { Stretch, StretchOwner } from './stretch.js';

/** A stretch where time follows from the tokens that requests know, so that each pass takes longer than the one before. */
export class GrowingStretch implements Stretch {
  private readonly ends: PassEnds;

  constructor(
    private readonly owner: StretchOwner,
    private readonly pool: BlockPool,
    clock: PassClock,
    gaps: GapSink,
    /** Whether a planned pass may evict; not where somebody hears of it. */
    private readonly evicts: boolean,
  ) {
    this.ends = new PassEnds(clock, gaps);
  }

  get passes(): number {
    return this.ends.passes;
  }

  get firstEndMs(): number {
    return this.ends.firstEndMs;
  }

  get lastStartMs(): number {
    return this.ends.lastStartMs;
  }

  get startMs(): number {
    return this.ends.startMs;
  }

  get lastCommittedMs(): number {
    return this.ends.lastCommittedMs;
  }

  plan(nowMs: number, limitMs: number): number {
    const { group } = this.owner;
    return this.ends.plan(nowMs, group.size, group.lengthSum, this.coveredPasses(), limitMs);
  }

  shorten(limitMs: number): number {
    return this.ends.shorten(limitMs);
  }

  /** Passes through the first that ends a request, as far as there are blocks for them. */
  private coveredPasses(): number {
    const { group } = this.owner;
    const toEnd = group.nextEnd - group.pass;
    let headroom = this.evicts ? this.pool.headroom : this.pool.unused;
    let passes = 0;
    while (passes < toEnd) {
      headroom -= group.blocksDueAfter(passes);
      if (headroom < 0) return passes;
      passes += group.passesToNextDue(passes);
    }
    return toEnd;
  }

  commit(untilMs: number): number {
    const { owner, pool } = this;
    const { group } = owner;
    const passes = this.ends.commit(untilMs);
    let blocks = 0;
    for (let pass = 0; pass < passes; pass += group.passesToNextDue(pass))
      blocks += group.blocksDueAfter(pass);
    if (blocks > 0) {
      pool.take(blocks);
      owner.noteGroupBlocks(blocks);
    }
    group.advance(passes);
    return passes;
  }

  drop(): void {
    this.ends.passes = 0;
  }
}

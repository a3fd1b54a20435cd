import type { GapSink } from '../engine/request-log.js';

/** Keeps the gaps of each request until it completes, for runs that a time cap may stop before it does. */
export class OwnGaps implements GapSink {
  private readonly gaps = new Map<number, number[]>();

  addShared(): void {
    throw new Error('a capped run notes gaps request by request');
  }

  addRun(): void {
    this.addShared();
  }

  addOwn(slot: number, gapMs: number): void {
    const own = this.gaps.get(slot);
    if (own) own.push(gapMs);
    else this.gaps.set(slot, [gapMs]);
  }

  /** Hands over the gaps of a request that completed. */
  take(slot: number): readonly number[] {
    const own = this.gaps.get(slot) ?? [];
    this.gaps.delete(slot);
    return own;
  }
}

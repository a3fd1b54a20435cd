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

  of(slot: number): readonly number[] {
    return this.gaps.get(slot) ?? [];
  }

  forget(slot: number): void {
    this.gaps.delete(slot);
  }
}

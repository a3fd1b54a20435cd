import type { Lockstep } from '../lockstep.js';
import type { NewTokenRatio } from './ratio.js';

/** A rank as its worker sees it. */
interface Rank {
  readonly ratio: NewTokenRatio;
  readonly isDecoding: boolean;
}

/** Passes after one that prefills in which no rank of the worker prefills (`prefill_decode_interval`). */
export class PrefillPause implements Lockstep {
  /** Passes of the pause that are left. */
  left = 0;
  private hasComputed = false;
  private hasEmitted = false;
  private readonly ranks: Rank[] = [];

  /** @param length of a pause, in passes */
  constructor(private readonly length: number) {}

  join(rank: Rank): void {
    this.ranks.push(rank);
  }

  /** Notes what the pass of a rank does. */
  note(computes: boolean, emits: boolean): void {
    this.hasComputed ||= computes;
    this.hasEmitted ||= emits;
  }

  passed(): boolean {
    const { left } = this;
    if (left > 0 && !this.hasEmitted) this.resetIdle();
    this.left = this.hasComputed ? this.length : Math.max(0, left - 1);
    this.hasComputed = false;
    this.hasEmitted = false;
    return this.left < left;
  }

  rested(): void {
    if (this.left > 0) this.resetIdle();
    this.left = 0;
  }

  /** Passes in which all that ran has decoded. */
  decoded(passes: number): void {
    this.left = Math.max(0, this.left - passes);
  }

  private resetIdle(): void {
    for (const { ratio, isDecoding } of this.ranks) if (!isDecoding) ratio.reset();
  }
}

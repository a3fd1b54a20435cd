import type { Lockstep } from '../lockstep.js';

/** A rank as its worker sees it. */
interface Rank {
  readonly keptCount: number;
}

/**
 * Passes of a worker in which prompts may begin on all of its ranks: every so many, so that ranks which only decode are
 * not held up by prompts on others each time (`prefill_schedule_interval`).
 */
export class PrefillTurns implements Lockstep {
  private passes = 0;
  private readonly ranks: Rank[] = [];

  /** @param interval passes from one in which prompts may begin to the next */
  constructor(private readonly interval: number) {}

  join(rank: Rank): void {
    this.ranks.push(rank);
  }

  /** Whether prompts may begin in the next pass. */
  get isOpen(): boolean {
    return this.passes % this.interval === 0;
  }

  passed(): boolean {
    this.passes++;
    return false;
  }

  rested(): void {
    if (this.ranks.every(({ keptCount }) => keptCount === 0)) this.passes = 0;
  }
}

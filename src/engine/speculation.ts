import { Bernoulli, SeededRandom } from '../random/std-rng.js';

/** Draws how many tokens a request emits in one pass when a draft of several tokens is verified at once. */
export class Speculation {
  /** Most tokens of one pass. */
  readonly maxBurst: number;
  private readonly coins: Bernoulli[];
  private readonly random: SeededRandom;

  constructor(acceptRates: readonly number[], seed: bigint, isPrefill: boolean) {
    this.maxBurst = isPrefill ? 1 : acceptRates.length + 1;
    this.coins = acceptRates.map((rate) => new Bernoulli(rate));
    this.random = new SeededRandom(seed);
  }

  /** One token, and one more for each draft token accepted in a row, at most `remaining`. */
  burst(remaining: number): number {
    let tokens = 1;
    if (this.maxBurst === 1) return Math.min(tokens, remaining);
    for (const coin of this.coins) {
      if (!coin.draw(this.random)) break;
      tokens++;
    }
    return Math.min(tokens, remaining);
  }
}

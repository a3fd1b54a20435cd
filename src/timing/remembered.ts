import type { TimingModel } from './timing-model.js';

/** Tokens that a key has room for. */
const TOKEN_LIMIT = 2 ** 26;

/** Answers of a kind that are kept; all go when there are more, which costs less than to tell old from new. */
const MOST_ANSWERS = 2 ** 20;

/** A timing model whose answers are dear: what was asked once is remembered. */
export class RememberedTiming implements TimingModel {
  readonly readsContext = true;
  private readonly decodes = new Map<number, number>();
  private readonly prefills = new Map<number, Map<number, number>>();

  readonly mixedMs: TimingModel['mixedMs'];

  constructor(private readonly model: Pick<TimingModel, 'prefillMs' | 'decodeMs' | 'mixedMs'>) {
    this.mixedMs = model.mixedMs?.bind(model);
  }

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    const shape = batch * TOKEN_LIMIT + newTokens;
    let byPrefix = this.prefills.get(shape);
    if (!byPrefix) {
      if (this.prefills.size >= MOST_ANSWERS) this.prefills.clear();
      byPrefix = new Map();
      this.prefills.set(shape, byPrefix);
    }
    const known = byPrefix.get(prefixTokens);
    if (known !== undefined) return known;
    const ms = this.model.prefillMs(batch, newTokens, prefixTokens);
    byPrefix.set(prefixTokens, ms);
    return ms;
  }

  decodeMs(batch: number, activeTokens: number, contextTokens: number, totalTokens: number): number {
    const key = batch * TOKEN_LIMIT + contextTokens;
    const known = this.decodes.get(key);
    if (known !== undefined) return known;
    const ms = this.model.decodeMs(batch, activeTokens, contextTokens, totalTokens);
    if (this.decodes.size >= MOST_ANSWERS) this.decodes.clear();
    this.decodes.set(key, ms);
    return ms;
  }
}

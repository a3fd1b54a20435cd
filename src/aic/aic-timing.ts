import type { TimingModel } from '../engine/timing/timing-model.js';
import type { AicEstimator } from './estimator.js';

/** Contexts that a decode key has room for. */
const CONTEXT_LIMIT = 2 ** 26;

/** Engine passes timed by AI Configurator tables; what was asked once is remembered. */
export class AicTiming implements TimingModel {
  readonly readsContext = true;
  private readonly decodes = new Map<number, number>();
  private readonly prefills = new Map<number, Map<number, number>>();

  constructor(private readonly estimator: AicEstimator) {}

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    const shape = batch * CONTEXT_LIMIT + newTokens;
    let byPrefix = this.prefills.get(shape);
    if (!byPrefix) {
      byPrefix = new Map();
      this.prefills.set(shape, byPrefix);
    }
    const known = byPrefix.get(prefixTokens);
    if (known !== undefined) return known;
    const ms = this.estimator.prefillMs(batch, newTokens + prefixTokens, prefixTokens);
    byPrefix.set(prefixTokens, ms);
    return ms;
  }

  decodeMs(batch: number, _activeTokens: number, contextTokens: number): number {
    const key = batch * CONTEXT_LIMIT + contextTokens;
    const known = this.decodes.get(key);
    if (known !== undefined) return known;
    const ms = this.estimator.decodeMs(batch, contextTokens);
    this.decodes.set(key, ms);
    return ms;
  }
}

import type { TimingModel } from '../timing-model.js';
import type { AicEstimator } from './estimator.js';

/** Engine passes timed by AI Configurator tables, as the simulator asks for them. */
export function aicTiming(estimator: AicEstimator): TimingModel {
  return {
    readsContext: true,
    prefillMs: (batch, newTokens, prefix) => estimator.prefillMs(batch, newTokens + prefix, prefix),
    decodeMs: (batch, _active, context) => estimator.decodeMs(batch, context),
  };
}

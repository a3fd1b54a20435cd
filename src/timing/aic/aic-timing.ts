import type { PromptPart, TimingModel } from '../timing-model.js';
import type { PassEstimator } from './estimator.js';

/** Engine passes timed by AI Configurator tables, as the simulator asks for them. */
/** @param isFused whether passes with prompts and decodes read weights once, not twice as in the reference */
export function aicTiming(estimator: PassEstimator, isFused = false): TimingModel {
  return {
    readsContext: true,
    prefillMs: (batch, newTokens, prefix) => estimator.prefillMs(batch, newTokens + prefix, prefix),
    decodeMs: (batch, _active, context) => estimator.decodeMs(batch, context),
    ...(isFused
      ? { mixedMs: (prompts, decodes, context) => fusedMs(estimator, prompts, decodes, context) }
      : {}),
  };
}

/** One pass over the rows of prompts and of decodes, with attention for each. */
export function fusedMs(
  estimator: PassEstimator,
  { batch, newTokens, prefixTokens }: PromptPart,
  decodes: number,
  contextTokens: number,
): number {
  if (decodes === 0) return estimator.prefillMs(batch, newTokens + prefixTokens, prefixTokens);
  return estimator.mixedMs(batch * newTokens, newTokens, prefixTokens, decodes, contextTokens + 1);
}

import type { ModelSpec } from '../aic/model.js';
import type { Parallelism } from '../aic/parallelism.js';
import type { ExpertConstants } from './constants.js';
import type { NumberFormat } from './formats.js';

const VALUE_BYTES = 2;

export interface ExpertOptions {
  model: ModelSpec;
  parallel: Parallelism;
  format: NumberFormat;
  constants: ExpertConstants;
  /** Bytes in a microsecond that are reached. */
  memory: number;
}

/**
 * Experts that the tokens of a pass find on one rank: of `experts`, `perToken` for each, drawn unevenly, so that tokens
 * count less than in an even draw.
 */
function distinctExperts(experts: number, perToken: number, ranks: number, tokens: number): number {
  const drawn = (experts / ranks) * (1 - (1 - perToken / experts) ** tokens);
  return Math.max(drawn, perToken / ranks, 1);
}

/** Microseconds of the experts' products of one layer. @param tokens of all attention ranks together */
export function expertsUs(
  { model, parallel, format, constants, memory }: ExpertOptions,
  tokens: number,
): number {
  const { experts, expertsPerToken, hidden } = model;
  const ranks = parallel.moeExpert;
  const width = model.expertIntermediate / parallel.moeTensor;
  const hit = distinctExperts(experts, expertsPerToken, ranks, constants.spread * tokens);
  const all = tokens * expertsPerToken;
  const rows = Math.min(all * ranks ** (constants.imbalance - 1), all);
  const math = (6 * (rows + constants.paddingRows * hit) * hidden * width) / (format.flops * constants.math);
  const bytes = hit * 3 * hidden * width * format.weightBytes + rows * (4 * hidden + 6 * width) * VALUE_BYTES;
  return constants.startUs + Math.hypot(math, bytes / memory);
}

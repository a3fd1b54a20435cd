import type { MeasuredPass } from './table.js';
import type { TimingModel } from './timing-model.js';

/** Coefficients of pass times in milliseconds; see `fittedTiming`. */
export interface FittedCoefficients {
  prefill: readonly [constant: number, perToken: number, perTokenSquared: number];
  decode: readonly [constant: number, perRequest: number, perContextToken: number];
}

function prefillTerms(newTokens: number): [number, number, number] {
  return [1, newTokens, newTokens * newTokens];
}

function decodeTerms(batch: number, context: number): [number, number, number] {
  return [1, batch, batch * context];
}

function weigh(coefficients: readonly number[], terms: readonly number[]): number {
  return terms.reduce((sum, term, index) => sum + coefficients[index] * term, 0);
}

/** Prefill by the new tokens of a pass and their square, decode by requests and by the tokens that they attend to. */
export function fittedTiming({ prefill, decode }: FittedCoefficients): TimingModel {
  return {
    readsContext: true,
    prefillMs: (batch, newTokens) => Math.max(0, weigh(prefill, prefillTerms(batch * newTokens))),
    decodeMs: (batch, _active, context) => Math.max(0, weigh(decode, decodeTerms(batch, context))),
  };
}

/** Least squares of relative errors over measured passes of both phases. */
export function fitTiming(passes: readonly MeasuredPass[]): FittedCoefficients {
  const of = (phase: MeasuredPass['phase']) => passes.filter((pass) => pass.phase === phase && pass.ms > 0);
  return {
    prefill: solve(
      of('prefill').map(({ batch, tokens, ms }) => ({ terms: prefillTerms(batch * tokens), ms })),
    ),
    decode: solve(of('decode').map(({ batch, context, ms }) => ({ terms: decodeTerms(batch, context), ms }))),
  };
}

interface Equation {
  terms: [number, number, number];
  ms: number;
}

/** Weighted normal equations by Gaussian elimination; a term that the data cannot tell apart gets 0. */
function solve(equations: readonly Equation[]): [number, number, number] {
  const scale = [0, 1, 2].map((i) => Math.max(1e-300, ...equations.map(({ terms }) => Math.abs(terms[i]))));
  const rows = [0, 1, 2].map((i) => {
    const row = [0, 0, 0, 0];
    for (const { terms, ms } of equations) {
      const scaled = terms.map((term, index) => term / scale[index] / ms);
      for (let j = 0; j < 3; j++) row[j] += scaled[i] * scaled[j];
      row[3] += scaled[i];
    }
    return row;
  });
  for (let pivot = 0; pivot < 3; pivot++) {
    if (Math.abs(rows[pivot][pivot]) < 1e-12) {
      rows[pivot] = [0, 1, 2].map((i) => (i === pivot ? 1 : 0)).concat(0);
      continue;
    }
    for (let other = 0; other < 3; other++) {
      if (other === pivot) continue;
      const factor = rows[other][pivot] / rows[pivot][pivot];
      for (let j = 0; j < 4; j++) rows[other][j] -= factor * rows[pivot][j];
    }
  }
  return [0, 1, 2].map((i) => rows[i][3] / rows[i][i] / scale[i]) as [number, number, number];
}

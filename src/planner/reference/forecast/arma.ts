import { minimise } from './minimise.js';

/** Coefficients of an ARMA process around a constant: w(t) = constant + Σ ar·w(t-i) + e(t) + Σ ma·e(t-j). */
interface Arma {
  readonly constant: number;
  readonly ar: readonly number[];
  readonly ma: readonly number[];
}

export interface ArmaFit {
  readonly arma: Arma;
  /** Logarithm of the exact likelihood. */
  readonly logLikelihood: number;
  /** The value expected after the last. */
  readonly next: number;
  /** Where the search ended, to begin the next one from. */
  readonly at: readonly number[];
}

const LOG_2PI = Math.log(2 * Math.PI);
/** Doublings of the time over which the start of a process is summed up: 2^40 steps forget all but unit roots. */
const DOUBLINGS = 40;

/**
 * Fits an ARMA(p, q) process by exact maximum likelihood (Harvey's state space form; Gardner, Harvey, Phillips, 1980).
 * The search moves over partial autocorrelations, so that every process tried is stationary and invertible (Monahan,
 * 1984).
 * @param start where an earlier search of the same order ended
 */
export function fitArma(
  series: readonly number[],
  p: number,
  q: number,
  hasConstant: boolean,
  start?: readonly number[],
): ArmaFit {
  const scale = Math.sqrt(meanOf(series.map((value) => value * value))) || 1;
  const scaled = series.map((value) => value / scale);
  const processAt = (at: readonly number[]): Arma => {
    const ar = coefficients(at.slice(0, p));
    const ma = coefficients(at.slice(p, p + q)).map((value) => -value);
    // The mean is searched for, since it hardly depends on the rest.
    const mean = hasConstant ? at[p + q] : 0;
    return { constant: mean * (1 - ar.reduce((sum, value) => sum + value, 0)), ar, ma };
  };
  const first = start ?? [...new Array(p + q).fill(0.1), ...(hasConstant ? [meanOf(scaled)] : [])];
  const at = minimise(
    (candidate) => -filter(scaled, processAt(candidate)).logLikelihood / series.length,
    first,
  );
  const arma = processAt(at);
  const { logLikelihood, next } = filter(scaled, arma);
  return {
    arma: { ...arma, constant: arma.constant * scale },
    logLikelihood: logLikelihood - series.length * Math.log(scale),
    next: next * scale,
    at,
  };
}

/** Coefficients of a stationary process from any numbers, by way of partial autocorrelations (Levinson, Durbin). */
function coefficients(free: readonly number[]): number[] {
  let found: number[] = [];
  for (const value of free) {
    const partial = value / Math.sqrt(1 + value * value);
    found = [...found.map((earlier, i) => earlier - partial * found[found.length - 1 - i]), partial];
  }
  return found;
}

/** The Kalman filter over a series, the variance of its noise at the likeliest. */
function filter(series: readonly number[], { constant, ar, ma }: Arma) {
  const size = Math.max(ar.length, ma.length + 1);
  const step = (i: number) => ar[i] ?? 0;
  const noise = Array.from({ length: size }, (_, i) => (i === 0 ? 1 : (ma[i - 1] ?? 0)));
  const mean = constant / (1 - ar.reduce((sum, value) => sum + value, 0));
  const state = new Array<number>(size).fill(0);
  const covariance = startCovariance(size, step, noise);
  let [logs, squares] = [0, 0];
  const moved = new Array<number>(size);
  for (const value of series) {
    const spread = Math.max(covariance[0][0], 1e-300);
    const miss = value - mean - state[0];
    logs += Math.log(spread);
    squares += (miss * miss) / spread;
    const gain = covariance.map((row) => row[0] / spread);
    const updated = state.map((held, i) => held + gain[i] * miss);
    for (let i = 0; i < size; i++) moved[i] = step(i) * updated[0] + (updated[i + 1] ?? 0);
    const left = covariance.map((row, i) => row.map((held, j) => held - gain[i] * covariance[0][j]));
    advance(left, covariance, size, step, noise);
    for (let i = 0; i < size; i++) state[i] = moved[i];
  }
  const { length } = series;
  const variance = Math.max(squares / length, 1e-300);
  return {
    logLikelihood: -0.5 * (length * (LOG_2PI + Math.log(variance) + 1) + logs),
    next: mean + state[0],
  };
}

/** Moves a covariance by one step of the process: T·P·Tᵀ + R·Rᵀ, where T shifts and adds multiples of the first. */
function advance(
  from: readonly number[][],
  to: number[][],
  size: number,
  step: (i: number) => number,
  noise: readonly number[],
): void {
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++)
      to[i][j] =
        step(i) * step(j) * from[0][0] +
        step(i) * (from[0][j + 1] ?? 0) +
        step(j) * (from[i + 1]?.[0] ?? 0) +
        (from[i + 1]?.[j + 1] ?? 0) +
        noise[i] * noise[j];
}

/** The covariance that the process has had since ever: the sum of T^k·R·Rᵀ·T^kᵀ, by doubling. */
function startCovariance(size: number, step: (i: number) => number, noise: readonly number[]): number[][] {
  let shift = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (j === 0 ? step(i) : j === i + 1 ? 1 : 0)),
  );
  let sum = noise.map((a) => noise.map((b) => a * b));
  for (let round = 0; round < DOUBLINGS; round++) {
    const more = product(product(shift, sum), transposed(shift));
    const size = more.reduce((most, row) => Math.max(most, ...row.map(Math.abs)), 0);
    sum = sum.map((row, i) => row.map((value, j) => value + more[i][j]));
    if (size < 1e-14 * sum[0][0]) break;
    shift = product(shift, shift);
  }
  return sum;
}

function product(a: readonly number[][], b: readonly number[][]): number[][] {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

function transposed(a: readonly number[][]): number[][] {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How near an AR or MA part comes to a unit root: the greatest absolute value among its inverse roots. */
export function greatestInverseRoot(coefficientsOf: readonly number[]): number {
  const size = coefficientsOf.length;
  if (size === 0) return 0;
  // The growth of the companion matrix under repeated squaring.
  let power = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (i === 0 ? coefficientsOf[j] : j === i - 1 ? 1 : 0)),
  );
  let logGrowth = 0;
  for (let round = 0; round < 12; round++) {
    const norm = Math.sqrt(
      power.reduce((sum, row) => sum + row.reduce((part, value) => part + value * value, 0), 0),
    );
    if (norm === 0) return 0;
    power = power.map((row) => row.map((value) => value / norm));
    logGrowth = 2 * (logGrowth + Math.log(norm));
    power = product(power, power);
  }
  return Math.exp(logGrowth / 2 ** 12);
}

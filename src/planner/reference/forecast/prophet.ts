import type { SeriesModel } from './predictor.js';

const LEAST_VALUES = 5;
const MOST_CHANGES = 25;
/** Part of the series, from its start, in which the trend may change. */
const CHANGE_RANGE = 0.8;
/** Standard deviations of the slope and the level, scale of changes of the slope, standard deviation of the noise. */
const TREND_SCALE = 5;
const CHANGE_SCALE = 0.05;
const NOISE_SCALE = 0.5;

/**
 * Forecasts by a trend that is linear in pieces, as Prophet does on series that are shorter than two days (Taylor and
 * Letham, 2018): normal priors on slope and level, Laplace priors on the changes of the slope, the mode of the posterior.
 * There are no seasons in so short a time.
 */
export class ProphetModel implements SeriesModel {
  private values: number[] = [];
  private readonly window: number;
  private readonly isLogarithmic: boolean;

  constructor({ window, isLogarithmic }: { window: number; isLogarithmic: boolean }) {
    this.window = window;
    this.isLogarithmic = isLogarithmic;
  }

  add(value: number): void {
    this.values.push(this.isLogarithmic ? Math.log1p(Math.max(0, value)) : value);
    if (this.values.length > this.window) this.values.shift();
  }

  predict(): number {
    const { values, isLogarithmic } = this;
    const isShort = values.length < LEAST_VALUES;
    const next = isShort ? (values[values.length - 1] ?? 0) : nextOfTrend(values);
    if (!isLogarithmic) return isShort ? next : Math.max(0, next);
    return Math.max(0, Math.expm1(next));
  }
}

/** The value after the last of a series, by the likeliest trend. */
function nextOfTrend(values: readonly number[]): number {
  if (values.every((value) => value === values[0])) return values[0];
  const last = values.length - 1;
  const scale = Math.max(...values.map(Math.abs));
  const scaled = values.map((value) => value / scale);
  const changes = changeTimes(values.length);
  const columns = [(t: number) => t, () => 1, ...changes.map((at) => (t: number) => Math.max(0, t - at))];
  const weights = likeliest(
    columns.map((column) => values.map((_, i) => column(i / last))),
    scaled,
  );
  const nextTime = (last + 1) / last;
  return scale * columns.reduce((sum, column, i) => sum + weights[i] * column(nextTime), 0);
}

/** Where the slope may change: at equal distances within the first part of the series, its start left out. */
function changeTimes(length: number): number[] {
  const range = Math.floor(length * CHANGE_RANGE);
  const count = Math.min(MOST_CHANGES, range - 1);
  return Array.from(
    { length: count },
    (_, i) => roundHalfEven(((i + 1) * (range - 1)) / count) / (length - 1),
  );
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * Weights of slope, level and changes at the mode of the posterior: coordinate by coordinate, and the noise in between.
 * @param columns of the regression: the first two have normal priors, the others Laplace priors
 */
function likeliest(columns: readonly number[][], target: readonly number[]): number[] {
  const { length } = target;
  const products = columns.map((a) => columns.map((b) => dot(a, b)));
  const withTarget = columns.map((column) => dot(column, target));
  const targetSquare = dot(target, target);
  const slope = target[length - 1] - target[0];
  const weights = columns.map((_, i) => (i === 0 ? slope : i === 1 ? target[0] : 0));
  const residualSquare = () => {
    let sum = targetSquare;
    for (let i = 0; i < weights.length; i++)
      sum += weights[i] * (dot(products[i], weights) - 2 * withTarget[i]);
    return Math.max(sum, 1e-18);
  };
  let variance = likeliestVariance(residualSquare(), length);
  for (let round = 0; round < 500; round++) {
    let moved = 0;
    for (let sweep = 0; sweep < 20; sweep++) moved = sweepOnce(weights, products, withTarget, variance);
    const next = likeliestVariance(residualSquare(), length);
    const isSettled = moved < 1e-10 && Math.abs(next - variance) < 1e-12 * variance;
    variance = next;
    if (isSettled) break;
  }
  return weights;
}

/** Sets each weight to its best for the others. @returns the greatest change */
function sweepOnce(
  weights: number[],
  products: readonly number[][],
  withTarget: readonly number[],
  variance: number,
): number {
  let most = 0;
  for (let i = 0; i < weights.length; i++) {
    const pull = withTarget[i] - dot(products[i], weights) + products[i][i] * weights[i];
    const weight =
      i < 2
        ? pull / (products[i][i] + variance / TREND_SCALE ** 2)
        : shrunk(pull, variance / CHANGE_SCALE) / products[i][i];
    most = Math.max(most, Math.abs(weight - weights[i]));
    weights[i] = weight;
  }
  return most;
}

function shrunk(value: number, by: number): number {
  return Math.sign(value) * Math.max(0, Math.abs(value) - by);
}

/** The variance v that minimises n/2·ln v + r/(2v) + v/(2s²): where n·v + v²/s² = r. */
function likeliestVariance(residualSquare: number, length: number): number {
  const square = NOISE_SCALE ** 2;
  return (2 * residualSquare) / (length + Math.sqrt(length * length + (4 * residualSquare) / square));
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

import type { Samples } from './sample-store.js';
import { solveNormal } from './solve.js';

/** Milliseconds of a pass by its size. */
export type Fit = (x: readonly number[]) => number;

const SHORTEST_MS = 1e-6;
/** Passes shorter than this weigh alike, so that short ones do not decide alone. */
const SHORTEST_WEIGHED_MS = 25;
const HINGE_SAMPLES = 6;
const SLOPE_SLACK = -1e-6;

/** Fits what was observed of one kind of pass; nothing fits when too little was, or when time falls with work. */
export function fitSamples(samples: Samples, minSamples: number): Fit | undefined {
  if (samples.count < minSamples) return undefined;
  const isOneDimensional = samples.axes.length === 1;
  const hinge =
    isOneDimensional && samples.count >= Math.max(minSamples, HINGE_SAMPLES) ? fitHinge(samples) : undefined;
  return hinge ?? fitLinear(samples);
}

/** A line with one bend, by least squares of errors relative to the duration. */
function fitHinge({ axes: [x], y, count }: Samples): Fit | undefined {
  let best: { score: number; fit: Fit } | undefined;
  for (const knot of candidateKnots(x, count)) {
    const solved = solveHinge(x, y, count, knot);
    if (!solved) continue;
    const [intercept, leftSlope, bend] = solved;
    const fit: Fit = ([at]) => intercept + leftSlope * at + bend * Math.max(at - knot, 0);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const error = (intercept + leftSlope * x[i] + bend * Math.max(x[i] - knot, 0) - y[i]) * weightOf(y[i]);
      sum += error * error;
    }
    const score = Math.sqrt(sum / count);
    if (!best || score < best.score) best = { score, fit };
  }
  if (!best) return undefined;
  const hinge = best.fit;
  return (at) => Math.max(hinge(at), SHORTEST_MS);
}

const weightOf = (ms: number) => 1 / Math.max(ms, SHORTEST_WEIGHED_MS);

function solveHinge(
  x: Float64Array,
  y: Float64Array,
  count: number,
  knot: number,
): [number, number, number] | undefined {
  const rows = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const term = [1, 0, 0];
  for (let i = 0; i < count; i++) {
    const weight = weightOf(y[i]);
    term[1] = x[i];
    term[2] = Math.max(x[i] - knot, 0);
    for (let row = 0; row < 3; row++) {
      const weighted = term[row] * weight;
      rows[row][3] += weighted * y[i] * weight;
      for (let column = 0; column < 3; column++) rows[row][column] += weighted * term[column] * weight;
    }
  }
  const solution = solveNormal(rows);
  if (!solution) return undefined;
  const [intercept, left, bend] = solution;
  const right = left + bend;
  if (!Number.isFinite(intercept) || !Number.isFinite(left) || !Number.isFinite(right)) return undefined;
  if (left < SLOPE_SLACK || right < SLOPE_SLACK) return undefined;
  const leftSlope = Math.max(left, 0);
  return [intercept, leftSlope, Math.max(right, 0) - leftSlope];
}

/** Where the line may bend: at quantiles of the sizes seen, and at equal ratios between the least and the largest. */
function candidateKnots(x: Float64Array, count: number): number[] {
  const distinct = [...new Set(x.subarray(0, count))].sort((a, b) => a - b);
  if (distinct.length < 3) return [];
  const least = distinct[0];
  const largest = distinct[distinct.length - 1];
  const knots: number[] = [];
  for (let i = 1; i <= 4; i++) knots.push(distinct[Math.floor((i * (distinct.length - 1)) / 5)]);
  if (least > 0) {
    const from = Math.log(least);
    const range = Math.log(largest) - from;
    for (let i = 1; i <= 8; i++) knots.push(Math.exp(from + (i / 9) * range));
  }
  const inside = knots.filter((knot) => knot > least && knot < largest).sort((a, b) => a - b);
  return inside.filter((knot, index) => index === 0 || !isSame(inside[index - 1], knot));
}

const isSame = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1);

/** A plane with slopes that are not negative: the best of those through each subset of the axes. */
function fitLinear({ axes, y, count }: Samples): Fit | undefined {
  let best: { error: number; intercept: number; slopes: number[] } | undefined;
  for (let subset = 0; subset < 1 << axes.length; subset++) {
    const used = axes.map((_, axis) => axis).filter((axis) => subset & (1 << axis));
    const solution = solveNormal(
      normalRows(
        used.map((axis) => axes[axis]),
        y,
        count,
      ),
    );
    if (!solution?.every((value, index) => Number.isFinite(value) && (index === 0 || value >= 0))) continue;
    const slopes = axes.map(() => 0);
    for (let i = 0; i < used.length; i++) slopes[used[i]] = solution[i + 1];
    const [intercept] = solution;
    const error = squaredError(axes, y, count, intercept, slopes);
    if (!best || error < best.error) best = { error, intercept, slopes };
  }
  if (!best || (count > axes.length && !best.slopes.some((slope) => slope > 0))) return undefined;
  const { intercept, slopes } = best;
  return (x) => Math.max(intercept + weighted(slopes, x), SHORTEST_MS);
}

function weighted(slopes: readonly number[], x: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < slopes.length; i++) sum += slopes[i] * x[i];
  return sum;
}

function normalRows(axes: readonly Float64Array[], y: Float64Array, count: number): Float64Array[] {
  const size = axes.length + 1;
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
  const term = new Float64Array(size);
  term[0] = 1;
  for (let i = 0; i < count; i++) {
    for (let axis = 0; axis < axes.length; axis++) term[axis + 1] = axes[axis][i];
    for (let row = 0; row < size; row++) {
      rows[row][size] += term[row] * y[i];
      for (let column = 0; column < size; column++) rows[row][column] += term[row] * term[column];
    }
  }
  return rows;
}

function squaredError(
  axes: readonly Float64Array[],
  y: Float64Array,
  count: number,
  intercept: number,
  slopes: readonly number[],
): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let rest = 0;
    for (let axis = 0; axis < axes.length; axis++) rest += slopes[axis] * axes[axis][i];
    const error = y[i] - (intercept + rest);
    sum += error * error;
  }
  return sum;
}

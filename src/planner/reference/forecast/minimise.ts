const MOST_STEPS = 200;
const GRADIENT_END = 1e-7;

/** Finds a local minimum of a smooth function by BFGS with central differences. */
export function minimise(cost: (at: readonly number[]) => number, start: readonly number[]): number[] {
  let at = [...start];
  const size = at.length;
  if (size === 0) return at;
  let value = cost(at);
  let gradient = slope(cost, at);
  let inverse = identity(size);
  for (let step = 0; step < MOST_STEPS; step++) {
    if (Math.max(...gradient.map(Math.abs)) < GRADIENT_END) break;
    let direction = inverse.map((row) => -dot(row, gradient));
    if (dot(direction, gradient) >= 0) {
      inverse = identity(size);
      direction = gradient.map((part) => -part);
    }
    const found = search(cost, at, value, direction, dot(direction, gradient));
    if (!found) break;
    const nextGradient = slope(cost, found.at);
    const moved = found.at.map((part, i) => part - at[i]);
    const turned = nextGradient.map((part, i) => part - gradient[i]);
    const gain = value - found.value;
    at = found.at;
    value = found.value;
    gradient = nextGradient;
    inverse = updated(inverse, moved, turned);
    if (gain <= 1e-13 * Math.max(1, Math.abs(value))) break;
  }
  return at;
}

/** Halves the way until the function falls enough (Armijo). */
function search(
  cost: (at: readonly number[]) => number,
  at: readonly number[],
  value: number,
  direction: readonly number[],
  descent: number,
): { at: number[]; value: number } | undefined {
  for (let length = 1; length > 1e-10; length /= 2) {
    const tried = at.map((part, i) => part + length * direction[i]);
    const triedValue = cost(tried);
    if (triedValue <= value + 1e-4 * length * descent) return { at: tried, value: triedValue };
  }
  return undefined;
}

function slope(cost: (at: readonly number[]) => number, at: readonly number[]): number[] {
  return at.map((part, i) => {
    const width = 1e-5 * Math.max(1, Math.abs(part));
    const shifted = (by: number) => cost(at.map((other, j) => (j === i ? other + by : other)));
    return (shifted(width) - shifted(-width)) / (2 * width);
  });
}

/** The BFGS update of the inverse of the second derivatives. */
function updated(inverse: number[][], moved: readonly number[], turned: readonly number[]): number[][] {
  const curve = dot(moved, turned);
  if (curve <= 1e-12) return inverse;
  const spread = inverse.map((row) => dot(row, turned));
  const factor = (1 + dot(turned, spread) / curve) / curve;
  return inverse.map((row, i) =>
    row.map(
      (value, j) =>
        value + factor * moved[i] * moved[j] - (spread[i] * moved[j] + moved[i] * spread[j]) / curve,
    ),
  );
}

function identity(size: number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

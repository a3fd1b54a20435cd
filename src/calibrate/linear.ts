/** Rows of a linear least-squares problem: what is to be explained, and by how much each parameter explains it. */
export interface Row {
  residual: number;
  slopes: readonly number[];
}

/**
 * The step that explains the rows best, damped towards none (Levenberg and Marquardt).
 * @param at where the parameters are, of which none may go below `least`
 */
export function bestStep(
  rows: readonly Row[],
  at: readonly number[],
  least: readonly number[],
  damping: number,
): number[] {
  const held = new Map<number, number>();
  for (;;) {
    const free = at.map((_, i) => i).filter((i) => !held.has(i));
    const step = solveFor(rows, held, free, damping);
    const leaving = free.find((i) => at[i] + step[i] < least[i]);
    if (leaving === undefined) return step;
    held.set(leaving, least[leaving] - at[leaving]);
  }
}

/** The best step of the free parameters where the others make steps that are given. */
function solveFor(
  rows: readonly Row[],
  held: ReadonlyMap<number, number>,
  free: readonly number[],
  damping: number,
): number[] {
  const matrix = free.map(() => new Array<number>(free.length).fill(0));
  const right = new Array<number>(free.length).fill(0);
  for (const { residual, slopes } of rows) {
    let left = residual;
    for (const [parameter, step] of held) left -= slopes[parameter] * step;
    for (let i = 0; i < free.length; i++) {
      right[i] += slopes[free[i]] * left;
      for (let j = 0; j < free.length; j++) matrix[i][j] += slopes[free[i]] * slopes[free[j]];
    }
  }
  for (let i = 0; i < free.length; i++) matrix[i][i] = matrix[i][i] * (1 + damping) + 1e-12;
  const solution = eliminate(matrix, right);
  const step = new Array<number>(free.length + held.size).fill(0);
  for (const [parameter, made] of held) step[parameter] = made;
  free.forEach((parameter, i) => {
    step[parameter] = solution[i];
  });
  return step;
}

/** Gauss's elimination with pivots. */
function eliminate(matrix: number[][], right: number[]): number[] {
  const n = right.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++)
      if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) pivot = row;
    [matrix[column], matrix[pivot]] = [matrix[pivot], matrix[column]];
    [right[column], right[pivot]] = [right[pivot], right[column]];
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row][column] / matrix[column][column];
      for (let k = column; k < n; k++) matrix[row][k] -= factor * matrix[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) right[row] -= matrix[row][k] * right[k];
    right[row] /= matrix[row][row];
  }
  return right;
}

const SMALLEST_PIVOT = 1e-12;
const RIDGE = 1e-9;

/**
 * Solves normal equations by Gauss-Jordan elimination; near-singular ones with a small ridge on all but the intercept.
 * @param rows the matrix with the right-hand side as its last column; overwritten
 */
export function solveNormal(rows: readonly Float64Array[]): Float64Array | undefined {
  const copy = rows.map((row) => row.slice());
  const solution = eliminate(copy);
  if (solution) return solution;
  let trace = 0;
  for (let i = 0; i < rows.length; i++) trace += Math.abs(rows[i][i]);
  const ridge = Math.max(trace, 1) * RIDGE;
  for (let i = 1; i < rows.length; i++) rows[i][i] += ridge;
  return eliminate(rows);
}

function eliminate(rows: readonly Float64Array[]): Float64Array | undefined {
  const order = [...rows];
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++)
      if (Math.abs(order[row][column]) >= Math.abs(order[pivot][column])) pivot = row;
    if (!(Math.abs(order[pivot][column]) >= SMALLEST_PIVOT)) return undefined;
    [order[column], order[pivot]] = [order[pivot], order[column]];
    const pivotRow = order[column];
    const divisor = pivotRow[column];
    for (let j = column; j <= size; j++) pivotRow[j] /= divisor;
    for (const row of order) {
      const factor = row[column];
      if (row === pivotRow || factor === 0) continue;
      for (let j = column; j <= size; j++) row[j] -= factor * pivotRow[j];
    }
  }
  return Float64Array.from(order, (row) => row[size]);
}

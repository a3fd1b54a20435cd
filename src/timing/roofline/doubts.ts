import type { OpTimes } from '../aic/estimator.js';
import type { Leaf } from '../aic/ops.js';

/** Formulas are within a factor of two of sound tables, nine times of ten. */
const MOST_FACTOR = 4;
/** How much longer than in bfloat16 all products of a pass may take in shorter numbers. */
const MOST_SLOWER = 2.5;
/** A pass of moderate size, in which weights are what is read. */
const QUERY = { rows: 16, batch: 16, tokens: 2000, prefix: 0 };

/** Whether a time may be right that a formula gives for comparison. */
export function isBelievable(ms: number, byFormula: number): boolean {
  return !(Number.isNaN(ms) || ms > MOST_FACTOR * byFormula || ms < byFormula / MOST_FACTOR);
}

/** Time of some operations of a pass; NaN when one cannot be said. */
function totalMs(times: OpTimes, leaves: readonly Leaf[]): number {
  return leaves.reduce((sum, leaf) => sum + times.opMs(leaf, QUERY) * leaf.count, 0);
}

/**
 * What of some tables cannot be right: matrix products or experts far from what the data sheet allows, and products of
 * short numbers that take longer than those of long ones. Some collections timed launches and not kernels.
 */
export function doubts(tables: OpTimes, formulas: OpTimes, operations: readonly Leaf[]): string[] {
  const found: string[] = [];
  const products = operations.filter((leaf) => leaf.kind === 'gemm');
  const experts = operations.filter((leaf) => leaf.kind === 'moe');
  const attention = operations.filter((leaf) => leaf.kind === 'generationAttention');
  for (const [name, leaves] of [
    ['matrix products', products],
    ['experts', experts],
    ['attention', attention],
  ] as const) {
    const ms = totalMs(tables, leaves);
    const factor = ms / totalMs(formulas, leaves);
    if (!Number.isNaN(factor) && !isBelievable(ms, ms / factor))
      found.push(`${name} of a decode pass take ${factor.toFixed(1)} times what a formula says`);
  }
  const shortened = products.filter(({ mode }) => mode !== 'bfloat16');
  const long = shortened.map((leaf) => ({ ...leaf, mode: 'bfloat16' }));
  const slower = totalMs(tables, shortened) / totalMs(tables, long);
  if (slower > MOST_SLOWER)
    found.push(`${shortened[0].mode} products take ${slower.toFixed(1)} times as long as bfloat16 ones`);
  return found;
}

import { describe, expect, it } from 'vitest';
import { bestStep, type Row } from './linear.js';

/** Rows of a line with an offset: y = 3 + 2 x, and z, which explains nothing. */
const ROWS: Row[] = [0, 1, 2, 5].map((x) => ({ residual: 3 + 2 * x, slopes: [1, x, x * x * 0] }));
const FREE = [-100, -100, -100];

describe('the best step', () => {
  it('explains what can be explained, whatever cannot', () => {
    const [offset, slope, nothing] = bestStep(ROWS, [0, 0, 0], FREE, 0);
    expect(offset).toBeCloseTo(3, 9);
    expect(slope).toBeCloseTo(2, 9);
    expect(nothing).toBe(0);
  });

  it('stays within bounds, and the others do what they can', () => {
    // With an offset of at most 1 below, a slope alone explains best: sum(xy) / sum(xx) of y = -3 + 2 x, less 1.
    const rows = [1, 2, 3].map((x) => ({ residual: -3 + 2 * x, slopes: [1, x] }));
    const [offset, slope] = bestStep(rows, [0, 0], [-1, -100], 0);
    expect(offset).toBe(-1);
    expect(slope).toBeCloseTo((0 * 1 + 2 * 2 + 4 * 3) / 14, 9);
  });

  it('is shorter when it is damped', () => {
    const length = (damping: number) => Math.hypot(...bestStep(ROWS, [0, 0, 0], FREE, damping));
    expect(length(1)).toBeLessThan(length(0));
    expect(length(100)).toBeLessThan(length(1) / 10);
  });
});

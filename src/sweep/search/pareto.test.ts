import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crowding, dominates, frontOf, frontRanks, hypervolume } from './pareto.js';

const values = (objectives: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: objectives, maxLength: objectives }), {
    minLength: 1,
    maxLength: 30,
  });

describe('a front', () => {
  it('holds what nothing dominates, equal values once', () => {
    fc.assert(
      fc.property(values(2), (all) => {
        const front = frontOf(all).map((at) => all[at]);
        for (const value of all) {
          const isBeaten = all.some((other) => dominates(other, value));
          expect(front.some((one) => one.join() === value.join())).toBe(!isBeaten);
        }
        expect(new Set(front.map((one) => one.join())).size).toBe(front.length);
      }),
    );
  });

  it('is taken away rank by rank', () => {
    fc.assert(
      fc.property(values(3), (all) => {
        const ranks = frontRanks(all);
        all.forEach((value, at) => {
          const above = all.flatMap((other, index) => (dominates(other, value) ? [ranks[index]] : []));
          expect(ranks[at]).toBe(Math.max(-1, ...above) + 1);
        });
      }),
    );
  });

  it('has lonely ends', () => {
    expect(
      crowding([
        [0, 4],
        [1, 3],
        [4, 0],
      ]),
    ).toEqual([Number.POSITIVE_INFINITY, 2, Number.POSITIVE_INFINITY]);
  });
});

describe('the volume under a front', () => {
  it('is that of its boxes', () => {
    expect(hypervolume([[3], [2]], [1])).toBe(2);
    const stairs = [
      [1, 3],
      [2, 2],
      [3, 1],
    ];
    expect(hypervolume(stairs, [0, 0])).toBe(6);
    expect(hypervolume([[2, 2, 2]], [0, 0, 0])).toBe(8);
  });

  it('counts unit cells that a value dominates', () => {
    fc.assert(
      fc.property(values(3), (all) => {
        let cells = 0;
        for (let x = 0; x < 9; x++)
          for (let y = 0; y < 9; y++)
            for (let z = 0; z < 9; z++) if (all.some(([a, b, c]) => a > x && b > y && c > z)) cells++;
        expect(hypervolume(all, [0, 0, 0])).toBeCloseTo(cells, 9);
      }),
      { numRuns: 30 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockWalk } from './walk.js';

function oneByOne(start: number, add: number, max: number, limit: number) {
  let t = start;
  const gaps = new Map<number, number>();
  let passes = 0;
  while (passes < max && t < limit) {
    const next = t + add;
    gaps.set(next - t, (gaps.get(next - t) ?? 0) + 1);
    t = next;
    passes++;
  }
  return { t, passes, gaps };
}

describe('clock walk', () => {
  it('equals adding one pass at a time, bit for bit, gaps included', () => {
    const walk = new ClockWalk();
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.oneof(
          fc.double({ min: 1e-6, max: 100, noNaN: true }),
          fc.integer({ min: 1, max: 40_000_000 }).map((ns) => (ns / 1e9) * 1000),
          fc.integer({ min: 1, max: 63 }).map((n) => n * 2 ** -27),
        ),
        fc.integer({ min: 1, max: 3000 }),
        fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.double({ min: 0, max: 20000, noNaN: true })),
        (start, add, max, span) => {
          const limit = start + span;
          const gaps = new Map<number, number>();
          const sink = { addPasses: (gap: number, n: number) => gaps.set(gap, (gaps.get(gap) ?? 0) + n) };
          const t = walk.run(start, add, max, limit, sink);
          const expected = oneByOne(start, add, max, limit);
          expect({ t, passes: walk.passes, gaps }).toEqual(expected);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

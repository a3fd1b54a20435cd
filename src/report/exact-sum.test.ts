import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactSum } from './exact-sum.js';

const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const counted = fc.array(fc.tuple(number, fc.integer({ min: 1, max: 1000 })), { maxLength: 60 });

function sumOf(entries: readonly (readonly [number, number])[]): number {
  const sum = new ExactSum();
  for (const [value, count] of entries) sum.addTimes(value, count);
  return sum.value;
}

describe('an exact sum', () => {
  it('is the same in any order and in any pieces', () => {
    fc.assert(
      fc.property(counted, (entries) => {
        const singly = entries.flatMap(([value, count]) => Array(count).fill([value, 1] as const));
        expect(sumOf(entries.toReversed())).toBe(sumOf(entries));
        expect(sumOf(singly)).toBe(sumOf(entries));
      }),
    );
  });

  it('keeps what plain sums lose', () => {
    expect(
      sumOf([
        [1e16, 1],
        [1, 3],
        [-1e16, 1],
      ]),
    ).toBe(3);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharedHashes } from './shared-hashes.js';

function shared(rows: readonly (readonly number[])[]): number[] {
  const ids = rows.flat();
  let start = 0;
  const starts = Float64Array.from(rows, (row) => {
    start += row.length;
    return start - row.length;
  });
  return [
    ...sharedHashes(
      starts,
      rows.length,
      Uint32Array.from(ids, (id) => id >>> 0),
      Uint32Array.from(ids, (id) => Math.floor(id / 2 ** 32)),
      ids.length,
    ),
  ];
}

describe('shared hashes', () => {
  it('end before the first id that occurs once', () => {
    expect(shared([[1, 2, 3, 4], [1, 2, 5, 4], [6], []])).toEqual([2, 2, 0, 0]);
  });

  it('never leave out a prefix that another prompt has', () => {
    const rows = fc.array(fc.array(fc.integer({ min: 0, max: 12 }).map((id) => id * 0x1_0000_0001)));
    fc.assert(
      fc.property(rows, (prompts) => {
        const found = shared(prompts);
        for (const [i, a] of prompts.entries())
          for (const [j, b] of prompts.entries()) {
            if (i === j) continue;
            let common = 0;
            while (common < a.length && common < b.length && a[common] === b[common]) common++;
            expect(found[i]).toBeGreaterThanOrEqual(common);
          }
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixIndex } from './prefix-index.js';
import { TargetLoad } from './target-load.js';

/** A path down a tree in which block `b` has the children 3b + 1 to 3b + 3. */
const path = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 6 }).map((turns) => {
  let block = 0;
  return Int32Array.from(turns, (turn) => {
    block = 3 * block + turn;
    return block;
  });
});

describe('load of a target', () => {
  it('counts each block of the prompts in service once, for one word of targets and for more', () => {
    const steps = fc.array(fc.record({ ids: path, target: fc.constantFrom(0, 1, 40), ends: fc.boolean() }));
    fc.assert(
      fc.property(steps, fc.constantFrom(2, 41), (all, targets) => {
        const index = new PrefixIndex();
        index.growTo(targets);
        const loads = [0, 1, 40].map((target) => new TargetLoad(target % targets, index, false));
        const known = new Int32Array(targets);
        const inService = loads.map(() => new Map<number, Int32Array>());
        all.forEach(({ ids, target, ends }, request) => {
          // With two targets, all of the third's requests go to the first.
          const at = target === 40 ? (targets > 40 ? 2 : 0) : target;
          const there = inService[at];
          const first = there.keys().next().value;
          if (ends && first !== undefined) {
            there.delete(first);
            loads[at].ended(first, 0);
          } else {
            index.match(ids, ids.length, known);
            there.set(request, ids);
            loads[at].add(request, { ids, otherBlocks: 0 }, known[[0, 1, 40][at]]);
          }
          inService.forEach((requests, which) => {
            const blocks = new Set([...requests.values()].flatMap((held) => [...held]));
            expect(loads[which].blocks).toBe(blocks.size);
          });
        });
        for (const [which, requests] of inService.entries())
          for (const request of requests.keys()) loads[which].ended(request, 0);
        expect(index.isEmpty).toBe(true);
      }),
    );
  });

  it('keeps what targets hold when there come to be more of them than fit in a word', () => {
    const index = new PrefixIndex();
    index.stored(3, 7);
    index.stored(5, 7);
    index.stored(5, 9);
    index.growTo(100);
    index.stored(64, 7);
    const overlaps = new Int32Array(100);
    index.match(Int32Array.of(7, 9), 2, overlaps);
    expect([overlaps[3], overlaps[5], overlaps[64], overlaps[4]]).toEqual([1, 2, 1, 0]);
    for (const target of [3, 5, 64]) index.removed(target, 7);
    index.removed(5, 9);
    expect(index.isEmpty).toBe(true);
  });
});

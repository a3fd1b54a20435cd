import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from './heap.js';

const small = fc.integer({ min: -3, max: 3 });

describe('a heap', () => {
  it('gives entries back in the order of their keys, whenever they come and go', () => {
    const entries = fc.array(fc.option(fc.tuple(small, small), { nil: undefined }), { maxLength: 300 });
    fc.assert(
      fc.property(entries, (steps) => {
        const heap = new Heap(3, 4);
        // A third key, the order of coming, makes all entries distinct.
        let model: [number, number, number, number][] = [];
        for (const [order, entry] of steps.entries()) {
          if (entry) {
            heap.push(entry[0], entry[1], order, 2 * order);
            model.push([entry[0], entry[1], order, 2 * order]);
          } else if (model.length > 0) {
            model = model.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
            expect([0, 1, 2, 3].map((field) => heap.least(field))).toEqual(model.shift());
            heap.pop();
          }
          expect(heap.size).toBe(model.length);
          const all = Array.from({ length: heap.size }, (_, index) => heap.at(index, 2));
          expect(all.toSorted((a, b) => a - b)).toEqual(
            model.map(([, , own]) => own).toSorted((a, b) => a - b),
          );
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Link, Links, type LinkUse } from './link.js';
import { SharedTiers, type TierOptions } from './shared.js';
import { TierStore } from './store.js';
import { Tiers } from './tiers.js';

const NO_USE = (): LinkUse => ({ bytes: 0, transfers: 0, busyMs: 0, queueMs: 0, maxQueueMs: 0 });
const BYTES_PER_MS = 1e6;

/** Counts the holders of names. */
class Names {
  readonly holders = new Map<number, number>();

  retain(id: number): void {
    this.holders.set(id, (this.holders.get(id) ?? 0) + 1);
  }

  release(id: number): void {
    const left = (this.holders.get(id) ?? 0) - 1;
    if (left < 0) throw new Error(`${id} is released too often`);
    if (left === 0) this.holders.delete(id);
    else this.holders.set(id, left);
  }
}

describe('a link', () => {
  it('is shared evenly by the transfers on it', () => {
    const links = new Links();
    const use = NO_USE();
    const link = links.add(1, use);
    const done: [string, number][] = [];
    link.start(0, 4e6, (ms) => done.push(['a', ms]));
    links.advance(1);
    link.start(1, 1e6, (ms) => done.push(['b', ms]));
    // 3 MB and 1 MB are left at 1 ms and get half of the link each; from 3 ms on the first has it alone.
    expect(link.nextMs).toBe(3);
    links.advance(10);
    expect(done).toEqual([
      ['b', 3],
      ['a', 5],
    ]);
    expect(use).toEqual({ bytes: 5e6, transfers: 2, busyMs: 5, queueMs: 2, maxQueueMs: 1 });
  });

  it('without a bandwidth takes no time', () => {
    const links = new Links();
    const link = links.add(0, NO_USE());
    const done: number[] = [];
    link.start(7, 1e12, (ms) => done.push(ms));
    expect(link.isDue(7)).toBe(true);
    links.advance(7);
    expect(done).toEqual([7]);
  });

  it('is never idle while something waits and never faster than its bandwidth', () => {
    const transfers = fc.array(
      fc.record({ gapMs: fc.nat(20), bytes: fc.integer({ min: 1, max: 50 }).map((mb) => mb * 1e5) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(transfers, (list) => {
        const links = new Links();
        const use = NO_USE();
        const link = links.add(1, use);
        let nowMs = 0;
        let busyMs = 0;
        let freeMs = 0;
        let completed = 0;
        for (const { gapMs, bytes } of list) {
          nowMs += gapMs;
          links.advance(nowMs);
          const startMs = nowMs;
          link.start(startMs, bytes, (doneMs) => {
            completed++;
            expect(doneMs).toBeGreaterThanOrEqual(startMs + bytes / BYTES_PER_MS - 1e-6);
          });
          // A link that conserves work is busy as long as a queue served one by one would be.
          freeMs = Math.max(freeMs, startMs) + bytes / BYTES_PER_MS;
          busyMs += bytes / BYTES_PER_MS;
        }
        links.advance(freeMs + 1e-6);
        expect(completed).toBe(list.length);
        expect(use.busyMs).toBeCloseTo(busyMs, 6);
      }),
    );
  });
});

describe('a store', () => {
  it('evicts the tail of a chain first, and nothing that is pinned', () => {
    const names = new Names();
    const gone: number[] = [];
    const store = new TierStore(3, names, { stored: () => {}, removed: (id) => gone.push(id) });
    store.makeRoom(3);
    store.arrive({ id: 1, parentId: TierStore.NO_PARENT });
    store.arrive({ id: 2, parentId: 1 });
    store.arrive({ id: 9, parentId: TierStore.NO_PARENT });
    store.pin(2);
    expect(store.available).toBe(2);
    store.makeRoom(1);
    // 1 waits longest, but not for an idle continuation: 2 is pinned.
    expect(gone).toEqual([1]);
    store.unpin(2);
    store.makeRoom(1);
    expect(gone).toEqual([1, 9]);
    store.check('G2');
    expect([...names.holders.keys()]).toEqual([2]);
  });
});

const OPTIONS: TierOptions = {
  g2Blocks: 8,
  g3Blocks: 0,
  g4: false,
  batchBlocks: 2,
  blockBytes: 1e6,
  g1ToG2: 1,
  g2ToG1: 1,
  g2ToG3: 1,
  g3ToG2: 0.5,
  g2ToG4: 1,
  g4ToG2: 0.25,
};

function chain(...ids: number[]) {
  return ids.map((id, index) => ({ id, parentId: index > 0 ? ids[index - 1] : TierStore.NO_PARENT }));
}

function rank(options: Partial<TierOptions>) {
  const all = { ...OPTIONS, ...options };
  const names = new Names();
  const shared = new SharedTiers(all, names);
  const freed: [number, number][] = [];
  const tiers: Tiers = new Tiers(all, shared, names, (count) => freed.push([tiers.nowMs, count]), undefined);
  const offload = (...ids: number[]) => {
    for (const id of ids) tiers.keepName(id);
    tiers.offload(chain(...ids));
  };
  return { tiers, shared, names, freed, offload };
}

describe('the lower tiers of a rank', () => {
  it('take evicted blocks in batches that share the link', () => {
    const { tiers, shared, freed, offload } = rank({});
    tiers.advance(10);
    offload(1, 2, 3);
    const group = tiers.openGroup;
    expect(group?.left).toBe(3);
    // Batches of 2 MB and 1 MB: the small one is over after 2 ms, the other 1 ms later.
    expect(tiers.nextMs).toBe(12);
    tiers.advance(12);
    expect(freed).toEqual([[12, 1]]);
    expect(tiers.nextMs).toBe(13);
    tiers.advance(13);
    expect(freed).toEqual([
      [12, 1],
      [13, 2],
    ]);
    expect(group?.left).toBe(0);
    expect(tiers.find(Int32Array.of(1, 2, 3, 4), 0, 4)).toEqual({ g2: 3, g3: 0, g4: 0 });
    offload(1, 4);
    expect(shared.use).toMatchObject({ knownBlocks: 1, offloadedBlocks: 3 });
  });

  it('drop what has no room', () => {
    const { tiers, shared, freed, offload } = rank({ g2Blocks: 2, batchBlocks: 8 });
    offload(1, 2, 3, 4);
    expect(freed).toEqual([[0, 2]]);
    tiers.advance(2);
    expect(shared.use).toMatchObject({ offloadedBlocks: 2, crowdedOutBlocks: 2 });
    tiers.check();
  });

  it('stage what only shared tiers have through G2, then bring all of it up at once', () => {
    const { tiers, shared, names, offload } = rank({ g2Blocks: 4, g3Blocks: 5, g4: true, batchBlocks: 4 });
    offload(1, 2, 3, 4);
    tiers.advance(100);
    expect(shared.use.copiedBlocks).toEqual({ g3: 4, g4: 4 });
    offload(11, 12, 13);
    tiers.advance(200);
    // The tail of the chain left G2 and G3 for the three others.
    const ids = Int32Array.of(1, 2, 3, 4);
    const found = tiers.find(ids, 0, 4);
    expect(found).toEqual({ g2: 1, g3: 1, g4: 2 });
    const done: number[] = [];
    tiers.hold(ids, 0, found);
    tiers.onboard(ids, 0, found, () => done.push(tiers.nowMs));
    // 1 MB from G3 at 0.5 MB/ms, 2 MB from G4 at 0.25 MB/ms, then 4 MB up at 1 MB/ms.
    tiers.advance(208);
    expect(tiers.nextMs).toBe(212);
    tiers.advance(212);
    expect(done).toEqual([212]);
    expect(shared.use.onboardedBlocks).toEqual({ g2: 1, g3: 1, g4: 2 });
    tiers.check();
    expect([...names.holders.values()].every((holders) => holders > 0)).toBe(true);
  });

  it('neither lose nor double a block, whatever comes and goes', () => {
    // Ascending, so that no block comes to lie below itself.
    const ids = fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 6 });
    const step = fc.record({
      gapMs: fc.nat(6),
      ids: ids.map((list) => list.toSorted((a, b) => a - b)),
      brings: fc.boolean(),
    });
    const sizes = fc.record({
      g2Blocks: fc.integer({ min: 1, max: 12 }),
      g3Blocks: fc.nat(12),
      g4: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, fc.array(step, { maxLength: 40 }), (options, steps) => {
        const { tiers, freed, names, offload } = rank(options);
        let nowMs = 0;
        let taken = 0;
        let parked = 0;
        for (const { gapMs, ids, brings } of steps) {
          nowMs += gapMs;
          tiers.advance(nowMs);
          const list = Int32Array.from(ids);
          const found = tiers.find(list, 0, list.length);
          if (brings && found.g2 + found.g3 + found.g4 > 0) {
            parked++;
            tiers.hold(list, 0, found);
            tiers.onboard(list, 0, found, () => parked--);
          } else {
            taken += ids.length;
            offload(...ids);
          }
          tiers.check();
        }
        tiers.advance(1e6);
        tiers.check();
        expect(parked).toBe(0);
        expect(freed.reduce((sum, [, count]) => sum + count, 0)).toBe(taken);
        expect(tiers.g2.arriving).toBe(0);
        expect(names.holders.size).toBeLessThanOrEqual(31);
      }),
    );
  });
});

it('links of one clock complete in the order of time', () => {
  const links = new Links();
  const order: string[] = [];
  const [fast, slow]: Link[] = [links.add(2, NO_USE()), links.add(1, NO_USE())];
  slow.start(0, 3e6, () => order.push('slow'));
  fast.start(0, 2e6, (ms) => {
    order.push('fast');
    fast.start(ms, 2e6, () => order.push('follows'));
  });
  links.advance(50);
  expect(order).toEqual(['fast', 'follows', 'slow']);
});

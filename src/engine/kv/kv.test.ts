import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryList } from './block-pool.js';
import { IntMap } from './int-map.js';
import { KvbmPool } from './kvbm-pool.js';
import { Lineage } from './lineage.js';
import { NativePool } from './native-pool.js';
import { NodeMap } from './node-map.js';
import { PrefixTree } from './prefix-tree.js';
import { PromptBlocks, type PromptContent } from './prompt-blocks.js';

describe('int map', () => {
  it('behaves as a Map under random operations', () => {
    const operation = fc.record({
      key: fc.integer({ min: -40, max: 200 }),
      value: fc.nat(1000),
      drop: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
        const map = new IntMap();
        const model = new Map<number, number>();
        for (const { key, value, drop } of operations) {
          if (!drop) {
            map.set(key, value);
            model.set(key, value);
          } else if (model.delete(key)) map.delete(key);
          for (let k = -40; k <= 200; k += 7) expect(map.get(k)).toBe(model.get(k) ?? -1);
        }
        expect(map.size).toBe(model.size);
      }),
      { numRuns: 60 },
    );
  });
});

describe('node map', () => {
  it('behaves as a Map under random operations, however much of it lies in an array', () => {
    const operation = fc.record({
      node: fc.integer({ min: -20, max: 3000 }),
      value: fc.nat(1000),
      kind: fc.constantFrom('set', 'getOrSet', 'delete', 'drop'),
    });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 300 }),
        fc.constantFrom(0, 1, 1500, 1 << 20),
        (list, near) => {
          const map = new NodeMap(near, 100);
          const model = new Map<number, number>();
          for (const { node, value, kind } of list) {
            const known = model.get(node);
            if (kind === 'set') map.set(node, value);
            if (kind === 'getOrSet') expect(map.getOrSet(node, value)).toBe(known ?? -1);
            if (kind === 'delete' && known !== undefined) map.delete(node);
            if (kind === 'drop' && known !== undefined) expect(map.drop(node, value)).toBe(known === value);
            if (kind === 'set' || (kind === 'getOrSet' && known === undefined)) model.set(node, value);
            if (kind === 'delete' || (kind === 'drop' && known === value)) model.delete(node);
            for (const at of [node, -3, 0, 1499, 1500, 2999]) expect(map.get(at)).toBe(model.get(at) ?? -1);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('prefix tree', () => {
  it('gives equal prefixes equal nodes and 64-bit keys their own', () => {
    const tree = new PrefixTree();
    const a = tree.child(tree.root, 1, 0);
    expect(tree.child(tree.root, 1, 0)).toBe(a);
    expect(tree.child(tree.root, 1, 1)).not.toBe(a);
    expect(tree.child(a, 1, 0)).not.toBe(a);
  });

  it('holds ancestors while a descendant is referred to, and nothing afterwards', () => {
    const tree = new PrefixTree();
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }), { maxLength: 40 }),
        (paths) => {
          const leaves = paths.map((path) => {
            let node = tree.root;
            for (const key of path) node = tree.child(node, key, 7);
            tree.retain(node);
            return node;
          });
          const distinct = new Set(paths.flatMap((path) => path.map((_, i) => path.slice(0, i + 1).join())));
          expect(tree.size).toBe(distinct.size);
          for (const leaf of leaves) tree.release(leaf);
          expect(tree.size).toBe(0);
        },
      ),
    );
  });
});

function prompt(inputTokens: number, hashes: number[]): PromptContent {
  return {
    inputTokens,
    hashLow: Uint32Array.from(hashes),
    hashHigh: new Uint32Array(hashes.length),
    hashCount: hashes.length,
    sharedHashes: hashes.length,
    tokens: undefined,
    plannedOutput: undefined,
  };
}

function blocksOf(hashBlockTokens: number, blockTokens: number): PromptBlocks {
  const blocks = new PromptBlocks({
    hashBlockTokens,
    blockTokens,
    hasTokens: false,
    isShared: true,
    namesUnique: false,
    pools: 1,
  });
  blocks.growTo(4);
  return blocks;
}

describe('prompt blocks', () => {
  it('are equal exactly as far as the tokens from the start are, whatever the two block sizes', () => {
    const size = fc.integer({ min: 1, max: 9 });
    const hashes = fc.array(fc.nat(2), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(size, fc.integer({ min: 2, max: 9 }), hashes, hashes, (hashBlock, block, left, right) => {
        const blocks = blocksOf(hashBlock, block);
        const tokens = [left, right].map((list) => list.flatMap((id) => Array<number>(hashBlock).fill(id)));
        blocks.enter(0, prompt(tokens[0].length, left));
        blocks.enter(1, prompt(tokens[1].length, right));
        let common = 0;
        while (common < tokens[0].length && tokens[0][common] === tokens[1][common]) common++;
        for (let i = 0; i < Math.min(blocks.counts[0], blocks.counts[1]); i++)
          expect(blocks.ids[0][i] === blocks.ids[1][i]).toBe((i + 1) * block <= common);
        expect(new Set(blocks.ids[0].subarray(0, blocks.counts[0])).size).toBe(blocks.counts[0]);
        blocks.leave(0);
        blocks.leave(1);
        expect(blocks.tree.size).toBe(0);
      }),
    );
  });
});

describe('native pool', () => {
  it('evicts the block released first, which is the last of its request', () => {
    const blocks = blocksOf(4, 4);
    const pool = new NativePool(4, blocks, undefined);
    blocks.enter(0, prompt(12, [1, 2, 3]));
    const own = new Int32Array(4);
    expect(pool.allocate(own, blocks.ids[0], 3, 0, 3, 0)).toBe(true);
    pool.publish(own, blocks.ids[0], 0, 3);
    pool.releaseNamed(own, 3);
    expect([pool.active, pool.headroom]).toEqual([0, 4]);
    pool.take(2);
    pool.probe(blocks.ids[0], 3);
    expect([pool.hits, pool.activeHits]).toEqual([2, 0]);
    pool.check();
  });

  it('keeps a duplicate findable when the first copy goes', () => {
    const blocks = blocksOf(4, 4);
    const pool = new NativePool(2, blocks, undefined);
    blocks.enter(0, prompt(4, [9]));
    const [first, second] = [new Int32Array(1), new Int32Array(1)];
    for (const own of [first, second]) expect(pool.allocate(own, blocks.ids[0], 1, 0, 1, 0)).toBe(true);
    for (const own of [first, second]) pool.publish(own, blocks.ids[0], 0, 1);
    pool.releaseNamed(first, 1);
    pool.take(1);
    pool.probe(blocks.ids[0], 1);
    expect([pool.hits, pool.activeHits]).toEqual([1, 1]);
  });

  it('refuses an allocation that does not fit and changes nothing', () => {
    const blocks = blocksOf(4, 4);
    const pool = new NativePool(2, blocks, undefined);
    blocks.enter(0, prompt(12, [1, 2, 3]));
    expect(pool.allocate(new Int32Array(3), blocks.ids[0], 3, 0, 3, 0)).toBe(false);
    expect([pool.active, pool.headroom]).toEqual([0, 2]);
  });
});

describe('kvbm pool', () => {
  it('serves a block from its allocation on and never holds it twice', () => {
    const blocks = blocksOf(4, 4);
    const pool = new KvbmPool(4, blocks, undefined);
    blocks.enter(0, prompt(8, [1, 2]));
    const own = new Int32Array(2);
    expect(pool.allocate(own, blocks.ids[0], 2, 0, 2)).toBe(true);
    pool.probe(blocks.ids[0], 2);
    expect([pool.hits, pool.activeHits, pool.active]).toEqual([2, 2, 2]);
    expect(pool.allocate(new Int32Array(2), blocks.ids[0], 2, 0, 2)).toBe(true);
    expect(pool.active).toBe(2);
  });
});

describe('lineage', () => {
  it('evicts leaves before their ancestors, however old those are', () => {
    const lineage = new Lineage();
    lineage.insert(1, Lineage.NO_PARENT);
    lineage.insert(2, 1);
    lineage.insert(7, Lineage.NO_PARENT);
    lineage.insert(3, 2);
    expect([lineage.evict(), lineage.evict(), lineage.evict(), lineage.evict()]).toEqual([7, 3, 2, 1]);
  });

  it('keeps a parent back while a ghost below it has idle children', () => {
    const lineage = new Lineage();
    for (const [id, parent] of [
      [1, Lineage.NO_PARENT],
      [2, 1],
      [3, 2],
    ])
      lineage.insert(id, parent);
    lineage.remove(2);
    lineage.insert(9, Lineage.NO_PARENT);
    expect([lineage.evict(), lineage.evict(), lineage.evict()]).toEqual([3, 1, 9]);
  });
});

describe('entry list', () => {
  it('keeps order through removals', () => {
    const list = new EntryList();
    for (const entry of [3, 1, 2]) list.append(entry);
    list.remove(1);
    list.append(1);
    expect([list.head, list.next[3], list.next[2], list.tail]).toEqual([3, 2, 1, 1]);
  });
});

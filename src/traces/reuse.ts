import { BlockTable } from './block-table.js';

/** Part of all prompt blocks that a cache of some size finds. */
export interface CachePoint {
  blocks: number;
  hitRatio: number;
}

/**
 * How many other blocks were used between two uses of a block: what a cache must hold to find it again (Mattson et al.,
 * IBM Systems Journal 1970), counted in a Fenwick tree over the uses. A block counts as found by a cache when all blocks
 * of its prompt before it are found too.
 */
export class ReuseDistances {
  refs = 0;
  prefixHits = 0;
  private readonly lastUse = new BlockTable();
  /** Marks of the last uses; a use is a place in it. */
  private tree = new Int32Array(1 << 12);
  private uses = 0;
  /** Uses found at a distance of less than 2^k blocks, by k, before they are summed up. */
  private readonly byPower: number[] = [];

  get distinct(): number {
    return this.lastUse.size;
  }

  /** Takes the blocks of a prompt. @returns how many of them lie in a prefix seen before */
  add(low: Uint32Array, high: Uint32Array, count: number): number {
    let found = 0;
    let farthest = 0;
    for (let i = 0; i < count; i++) {
      if (this.uses + 1 >= this.tree.length) this.makeRoom();
      const before = this.lastUse.get(low[i], high[i]);
      const use = ++this.uses;
      if (before >= 0) {
        if (found === i) {
          found++;
          farthest = Math.max(farthest, this.countUpTo(use - 1) - this.countUpTo(before));
          const power = Math.ceil(Math.log2(farthest + 1));
          this.byPower[power] = (this.byPower[power] ?? 0) + 1;
        }
        this.mark(before, -1);
      }
      this.mark(use, 1);
      this.lastUse.set(low[i], high[i], use);
    }
    this.refs += count;
    this.prefixHits += found;
    return found;
  }

  curve(): CachePoint[] {
    const points: CachePoint[] = [];
    let hits = 0;
    for (let power = 0; power < this.byPower.length; power++) {
      hits += this.byPower[power] ?? 0;
      points.push({ blocks: 2 ** power, hitRatio: hits / this.refs });
    }
    return points;
  }

  private mark(use: number, by: number): void {
    for (let i = use; i < this.tree.length; i += i & -i) this.tree[i] += by;
  }

  private countUpTo(use: number): number {
    let count = 0;
    for (let i = use; i > 0; i -= i & -i) count += this.tree[i];
    return count;
  }

  /** Forgets uses that were not the last of their block: the others are renumbered in their order. */
  private makeRoom(): void {
    const live = this.distinct;
    this.lastUse.replaceAll((use) => this.countUpTo(use));
    const length = live >= this.tree.length / 2 ? 2 * this.tree.length : this.tree.length;
    this.tree = new Int32Array(length);
    this.uses = live;
    for (let i = 1; i < length; i++) {
      const from = i - (i & -i);
      this.tree[i] = Math.max(0, Math.min(i, live) - from);
    }
  }
}

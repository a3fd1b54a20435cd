import { grown } from '../../structures/column.js';

const ROOT = 0;
const NONE = -1;
const FIRST_UNIQUE = -2;
const LAST_UNIQUE = -2147483647;

/**
 * Cells of a node: its parent, its 64-bit key, its references, the next node of its bucket (or next free one), the child
 * that is found without hashing, and how many children are hashed.
 */
const CELLS = 8;
const PARENT = 0;
const LOW = 1;
const HIGH = 2;
const REFS = 3;
const LINK = 4;
const CHILD = 5;
const HASHED = 6;

/**
 * Gives every distinct (parent, content) a small integer, so that equal prefixes have equal nodes. A node lives while
 * something refers to it (a request, a cached block, a child); its number is then used again, which keeps the tree as
 * large as what is in flight or cached. Content is a 64-bit key: a trace's hash id, or a hash of tokens.
 *
 * Most nodes have one child, made right after them: a node's first child is kept in its own cells, so that neighbours in
 * a prompt are neighbours in memory; only further children are hashed.
 */
export class PrefixTree {
  private cells = new Int32Array(1024 * CELLS);
  private buckets = new Int32Array(1024).fill(NONE);
  private used = 1;
  private live = 0;
  private firstFree = NONE;

  private nextUnique = FIRST_UNIQUE;

  constructor() {
    this.cells[CHILD] = NONE;
  }

  /** A number below 0 that stands for content that occurs once; they come round after two thousand million. */
  uniqueId(): number {
    if (this.nextUnique <= LAST_UNIQUE) this.nextUnique = FIRST_UNIQUE;
    return this.nextUnique--;
  }

  get root(): number {
    return ROOT;
  }

  /** Nodes alive, for conservation checks. */
  get size(): number {
    return this.live;
  }

  /** The child of `parent` with this content; made with no reference when new. */
  child(parent: number, lowKey: number, highKey: number): number {
    const { cells } = this;
    const low = lowKey | 0;
    const high = highKey | 0;
    const first = cells[parent * CELLS + CHILD];
    if (first !== NONE && cells[first * CELLS + LOW] === low && cells[first * CELLS + HIGH] === high)
      return first;
    if (cells[parent * CELLS + HASHED] === 0) return this.create(parent, low, high);
    const bucket = this.bucketOf(parent, low, high);
    for (let node = this.buckets[bucket]; node !== NONE; node = cells[node * CELLS + LINK]) {
      const at = node * CELLS;
      if (cells[at + LOW] === low && cells[at + PARENT] === parent && cells[at + HIGH] === high) return node;
    }
    return this.create(parent, low, high);
  }

  retain(node: number): void {
    this.cells[node * CELLS + REFS]++;
  }

  /** Drops a reference; a node that nothing refers to any more goes, and so may its ancestors. */
  release(node: number): void {
    const { cells } = this;
    let at = node;
    while (at !== ROOT && --cells[at * CELLS + REFS] === 0) {
      const parent = cells[at * CELLS + PARENT];
      this.unlink(at);
      cells[at * CELLS + LINK] = this.firstFree;
      this.firstFree = at;
      this.live--;
      at = parent;
    }
  }

  private create(parent: number, low: number, high: number): number {
    let node = this.firstFree;
    if (node !== NONE) this.firstFree = this.cells[node * CELLS + LINK];
    else {
      if ((this.used + 1) * CELLS > this.cells.length) this.grow();
      node = this.used++;
    }
    const { cells } = this;
    const at = node * CELLS;
    cells[at + PARENT] = parent;
    cells[at + LOW] = low;
    cells[at + HIGH] = high;
    cells[at + REFS] = 0;
    cells[at + CHILD] = NONE;
    cells[at + HASHED] = 0;
    if (parent !== ROOT) cells[parent * CELLS + REFS]++;
    if (cells[parent * CELLS + CHILD] === NONE) cells[parent * CELLS + CHILD] = node;
    else {
      cells[parent * CELLS + HASHED]++;
      this.hash(node);
    }
    this.live++;
    return node;
  }

  private hash(node: number): void {
    const { cells } = this;
    const at = node * CELLS;
    const bucket = this.bucketOf(cells[at + PARENT], cells[at + LOW], cells[at + HIGH]);
    cells[at + LINK] = this.buckets[bucket];
    this.buckets[bucket] = node;
  }

  private unlink(node: number): void {
    const { cells } = this;
    const at = node * CELLS;
    const parentAt = cells[at + PARENT] * CELLS;
    if (cells[parentAt + CHILD] === node) {
      cells[parentAt + CHILD] = NONE;
      return;
    }
    cells[parentAt + HASHED]--;
    const bucket = this.bucketOf(cells[at + PARENT], cells[at + LOW], cells[at + HIGH]);
    if (this.buckets[bucket] === node) {
      this.buckets[bucket] = cells[at + LINK];
      return;
    }
    let before = this.buckets[bucket];
    while (cells[before * CELLS + LINK] !== node) before = cells[before * CELLS + LINK];
    cells[before * CELLS + LINK] = cells[at + LINK];
  }

  private bucketOf(parent: number, low: number, high: number): number {
    let mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x27d4eb2f);
    return (mixed ^ (mixed >>> 13)) & (this.buckets.length - 1);
  }

  private grow(): void {
    const cells = grown(this.cells, this.cells.length * 2);
    this.cells = cells;
    this.buckets = new Int32Array(cells.length / CELLS).fill(NONE);
    for (let node = 1; node < this.used; node++)
      if (cells[cells[node * CELLS + PARENT] * CELLS + CHILD] !== node) this.hash(node);
  }
}

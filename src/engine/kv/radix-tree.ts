import { AgeHeap } from './age-heap.js';

/** A run of pages on one edge of the tree. */
export class RadixNode {
  readonly children = new Map<number, RadixNode>();
  locks = 0;

  constructor(
    public parent: RadixNode | undefined,
    /** Identities of the pages, and the pages that hold them. */
    public keys: number[],
    public pages: number[],
    /** When the node was last used, as a count of uses. */
    public stamp: number,
  ) {}
}

/**
 * SGLang's prefix cache (`cache/radix_cache.rs` of the reference): pages by identity along paths from the root. Locked
 * nodes belong to running requests; unlocked leaves are evicted, those used longest ago first. Counts are pages.
 */
export class RadixTree {
  readonly root = new RadixNode(undefined, [], [], 0);
  /** Pages that eviction could free, and pages that requests hold. */
  evictable = 0;
  protected = 0;
  private ticks = 0;
  /** Unlocked leaves by stamp; entries that no longer hold are skipped when they surface. */
  private readonly leaves = new AgeHeap<RadixNode>();

  /** @param names keeps the identities alive that the tree holds */
  constructor(private readonly names: { retain(id: number): void; release(id: number): void }) {}

  /** Result of the last `match`: matched pages and the node where the match ends. */
  matched = 0;
  matchedNode: RadixNode = this.root;
  /** Pages of the child behind the node of the last walk that match too, where not all of them do. */
  private matchedPart = 0;

  /** Finds the longest cached prefix; an edge matched in part is split. Marks what is used. */
  match(keys: Int32Array, count: number): void {
    this.walk(keys, count);
    const now = this.tick();
    for (let at: RadixNode | undefined = this.matchedNode; at; at = at.parent) this.touch(at, now);
    if (this.matchedPart === 0) return;
    const child = this.matchedNode.children.get(keys[this.matched - this.matchedPart])!;
    this.matchedNode = this.split(child, this.matchedPart);
  }

  /** Length of the longest cached prefix, leaving the tree as it is. */
  matchLength(keys: Int32Array, count: number): number {
    this.walk(keys, count);
    return this.matched;
  }

  private walk(keys: Int32Array, count: number): void {
    let at = this.root;
    this.matched = 0;
    this.matchedPart = 0;
    while (this.matched < count && this.matchedPart === 0) {
      const child = at.children.get(keys[this.matched]);
      if (!child) break;
      const common = commonLength(child.keys, keys, this.matched, count);
      this.matched += common;
      if (common < child.keys.length) this.matchedPart = common;
      else at = child;
    }
    this.matchedNode = at;
  }

  /** Adds pages `from` to `to` of a request below a node. @returns the node where they end */
  insert(start: RadixNode, keys: Int32Array, pages: number[], from: number, to: number): RadixNode {
    if (to === from) return start;
    const now = this.tick();
    for (let node: RadixNode | undefined = start; node; node = node.parent) this.touch(node, now);
    let at = start;
    let next = from;
    while (next < to) {
      const canGrow = at.locks === 0 || (at === start && at.locks === 1);
      if (at !== this.root && at.children.size === 0 && canGrow) {
        for (let i = next; i < to; i++) {
          at.keys.push(keys[i]);
          at.pages.push(pages[i]);
          this.names.retain(keys[i]);
        }
        this.touch(at, now);
        if (at.locks === 0) this.evictable += to - next;
        else this.protected += to - next;
        return at;
      }
      const child = at.children.get(keys[next]);
      if (!child) return this.addChild(at, keys, pages, next, to);
      const common = commonLength(child.keys, keys, next, to);
      next += common;
      if (common < child.keys.length) {
        const upper = this.split(child, common);
        return next < to ? this.addChild(upper, keys, pages, next, to) : upper;
      }
      at = child;
      this.touch(child, now);
    }
    return at;
  }

  lock(node: RadixNode): void {
    for (let at = node; at.parent; at = at.parent) {
      if (at.locks++ > 0) continue;
      this.evictable -= at.keys.length;
      this.protected += at.keys.length;
    }
  }

  unlock(node: RadixNode): void {
    for (let at = node; at.parent; at = at.parent) {
      if (--at.locks > 0) continue;
      this.evictable += at.keys.length;
      this.protected -= at.keys.length;
      this.noteLeaf(at);
    }
  }

  /** Evicts at least `count` pages where there are so many. @returns the pages freed, in order */
  evict(count: number): number[] {
    const pages: number[] = [];
    const keys: number[] = [];
    while (pages.length < count) {
      const victim = this.oldestLeaf();
      if (!victim) break;
      const taken = Math.min(count - pages.length, victim.keys.length);
      const kept = victim.keys.length - taken;
      for (let i = kept; i < victim.keys.length; i++) {
        pages.push(victim.pages[i]);
        keys.push(victim.keys[i]);
      }
      victim.pages.length = kept;
      victim.keys.length = kept;
      this.evictable -= taken;
      if (kept > 0) this.noteLeaf(victim);
      else this.removeLeaf(victim, keys[keys.length - taken]);
    }
    for (const key of keys) this.names.release(key);
    return pages;
  }

  private removeLeaf(node: RadixNode, firstKey: number): void {
    const parent = node.parent!;
    parent.children.delete(firstKey);
    node.parent = undefined;
    this.noteLeaf(parent);
  }

  /** Puts an upper node above the rest of an edge. */
  private split(node: RadixNode, length: number): RadixNode {
    const upper = new RadixNode(
      node.parent,
      node.keys.slice(0, length),
      node.pages.slice(0, length),
      node.stamp,
    );
    upper.locks = node.locks;
    node.parent!.children.set(upper.keys[0], upper);
    node.keys = node.keys.slice(length);
    node.pages = node.pages.slice(length);
    node.parent = upper;
    upper.children.set(node.keys[0], node);
    return upper;
  }

  private addChild(
    parent: RadixNode,
    keys: Int32Array,
    pages: number[],
    from: number,
    to: number,
  ): RadixNode {
    const child = new RadixNode(parent, [...keys.subarray(from, to)], pages.slice(from, to), this.tick());
    parent.children.set(child.keys[0], child);
    for (const key of child.keys) this.names.retain(key);
    this.evictable += to - from;
    this.noteLeaf(child);
    return child;
  }

  private tick(): number {
    return ++this.ticks;
  }

  private touch(node: RadixNode, stamp: number): void {
    node.stamp = stamp;
    this.noteLeaf(node);
  }

  private isLeaf(node: RadixNode): boolean {
    return node.parent !== undefined && node.locks === 0 && node.children.size === 0;
  }

  private noteLeaf(node: RadixNode): void {
    if (this.isLeaf(node)) this.leaves.push(node.stamp, node);
  }

  private oldestLeaf(): RadixNode | undefined {
    for (let leaf = this.leaves.pop(); leaf; leaf = this.leaves.pop())
      if (leaf.item.stamp === leaf.age && this.isLeaf(leaf.item)) return leaf.item;
    return undefined;
  }
}

function commonLength(edge: number[], keys: Int32Array, from: number, to: number): number {
  const most = Math.min(edge.length, to - from);
  let length = 0;
  while (length < most && edge[length] === keys[from + length]) length++;
  return length;
}

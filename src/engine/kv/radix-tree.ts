import { grown } from '../../structures/column.js';
import { AgeHeap } from './age-heap.js';

/** Pages for which a new edge has room beyond its own: those of what is generated, mostly. */
const ROOM = 16;

/** A run of pages on one edge of the tree. */
export class RadixNode {
  /** Made with the first child, for most nodes never have one. */
  children: Map<number, RadixNode> | undefined;
  locks = 0;

  constructor(
    public parent: RadixNode | undefined,
    /** Identities of the pages: the first `length` of the list, which keeps its room when pages go. */
    public keys: Int32Array,
    public length: number,
    /** When the node was last used, as a count of uses. */
    public stamp: number,
  ) {}

  get isChildless(): boolean {
    return this.children === undefined || this.children.size === 0;
  }

  childAt(key: number): RadixNode | undefined {
    return this.children?.get(key);
  }

  setChild(key: number, child: RadixNode): void {
    this.children ??= new Map();
    this.children.set(key, child);
  }

  append(keys: Int32Array, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.keys.length) {
      this.keys = grown(this.keys, length + (length >> 2) + 16);
    }
    if (to === from + 1) this.keys[this.length] = keys[from];
    else this.keys.set(keys.subarray(from, to), this.length);
    this.length = length;
  }
}

/**
 * SGLang's prefix cache (`cache/radix_cache.rs` of the reference): pages by identity along paths from the root. Locked
 * nodes belong to running requests; unlocked leaves are evicted, those used longest ago first. Counts are pages.
 */
export class RadixTree {
  readonly root = new RadixNode(undefined, new Int32Array(0), 0, 0);
  /** Pages that eviction could free, and pages that requests hold. */
  evictable = 0;
  protected = 0;
  private ticks = 0;
  /** Unlocked leaves by stamp; entries that no longer hold are skipped when they surface. */
  private readonly leaves = new AgeHeap<RadixNode>();

  /** @param names keeps the identities alive that the tree holds */
  constructor(
    private readonly names: {
      retainRun(ids: Int32Array, from: number, to: number): void;
      releaseRun(ids: Int32Array, from: number, to: number): void;
    },
  ) {}

  /** Result of the last `match`: matched pages and the node where the match ends. */
  matched = 0;
  matchedNode: RadixNode = this.root;
  /** Pages of the last insertion that the tree had already. */
  doubled = 0;
  /** Pages of the child behind the node of the last walk that match too, where not all of them do. */
  private matchedPart = 0;

  /** Finds the longest cached prefix; an edge matched in part is split. Marks what is used. */
  match(keys: Int32Array, count: number): void {
    this.walk(keys, count);
    const now = this.tick();
    for (let at: RadixNode | undefined = this.matchedNode; at; at = at.parent) this.touch(at, now);
    if (this.matchedPart === 0) return;
    const child = this.matchedNode.childAt(keys[this.matched - this.matchedPart])!;
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
      const child = at.childAt(keys[this.matched]);
      if (!child) break;
      const common = commonLength(child, keys, this.matched, count);
      this.matched += common;
      if (common < child.length) this.matchedPart = common;
      else at = child;
    }
    this.matchedNode = at;
  }

  /** Adds pages `from` to `to` of a request below a node; `doubled` says how many of them, the first ones, were known. */
  insert(start: RadixNode, keys: Int32Array, from: number, to: number): RadixNode {
    const now = this.tick();
    for (let node: RadixNode | undefined = start; node; node = node.parent) this.touch(node, now);
    let at = start;
    let next = from;
    while (next < to) {
      const canGrow = at.locks === 0 || (at === start && at.locks === 1);
      if (at !== this.root && at.isChildless && canGrow) {
        at.append(keys, next, to);
        this.names.retainRun(keys, next, to);
        this.doubled = next - from;
        this.touch(at, now);
        if (at.locks === 0) this.evictable += to - next;
        else this.protected += to - next;
        return at;
      }
      this.doubled = next - from;
      const child = at.childAt(keys[next]);
      if (!child) return this.addChild(at, keys, next, to);
      const common = commonLength(child, keys, next, to);
      next += common;
      this.doubled += common;
      if (common < child.length) {
        const upper = this.split(child, common);
        return next < to ? this.addChild(upper, keys, next, to) : upper;
      }
      at = child;
      this.touch(child, now);
    }
    return at;
  }

  lock(node: RadixNode): void {
    for (let at = node; at.parent; at = at.parent) {
      if (at.locks++ > 0) continue;
      this.evictable -= at.length;
      this.protected += at.length;
    }
  }

  unlock(node: RadixNode): void {
    for (let at = node; at.parent; at = at.parent) {
      if (--at.locks > 0) continue;
      this.evictable += at.length;
      this.protected -= at.length;
      this.noteLeaf(at);
    }
  }

  /**
   * Evicts `count` pages, or all where there are fewer.
   * @param freed told of the identities, in order, as ranges of a list
   * @returns how many were evicted
   */
  evict(count: number, freed?: (keys: Int32Array, from: number, to: number) => void): number {
    let left = count;
    while (left > 0) {
      const victim = this.oldestLeaf();
      if (!victim) break;
      const { keys, length } = victim;
      const kept = Math.max(0, length - left);
      freed?.(keys, kept, length);
      this.names.releaseRun(keys, kept, length);
      left -= length - kept;
      this.evictable -= length - kept;
      victim.length = kept;
      if (kept === 0) this.removeLeaf(victim);
    }
    return count - left;
  }

  private removeLeaf(node: RadixNode): void {
    const parent = node.parent!;
    parent.children!.delete(node.keys[0]);
    node.parent = undefined;
    this.noteLeaf(parent);
  }

  /** Puts an upper node above the rest of an edge. */
  private split(node: RadixNode, length: number): RadixNode {
    const upper = new RadixNode(node.parent, node.keys.slice(0, length), length, node.stamp);
    upper.locks = node.locks;
    node.parent!.setChild(upper.keys[0], upper);
    node.keys = node.keys.slice(length, node.length);
    node.length -= length;
    node.parent = upper;
    upper.setChild(node.keys[0], node);
    return upper;
  }

  private addChild(parent: RadixNode, keys: Int32Array, from: number, to: number): RadixNode {
    const length = to - from;
    const room = new Int32Array(length + ROOM);
    for (let i = 0; i < length; i++) room[i] = keys[from + i];
    const child = new RadixNode(parent, room, length, this.tick());
    parent.setChild(keys[from], child);
    this.names.retainRun(keys, from, to);
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
    return node.parent !== undefined && node.locks === 0 && node.isChildless;
  }

  private noteLeaf(node: RadixNode): void {
    if (this.isLeaf(node)) this.leaves.push(node.stamp, node);
  }

  /** The unlocked leaf used longest ago; it stays among the leaves. */
  private oldestLeaf(): RadixNode | undefined {
    const { leaves } = this;
    for (let leaf = leaves.first; leaf; leaf = leaves.first) {
      if (leaf.stamp === leaves.firstAge && this.isLeaf(leaf)) return leaf;
      leaves.pop();
    }
    return undefined;
  }
}

function commonLength(edge: RadixNode, keys: Int32Array, from: number, to: number): number {
  const most = Math.min(edge.length, to - from);
  let length = 0;
  while (length < most && edge.keys[length] === keys[from + length]) length++;
  return length;
}

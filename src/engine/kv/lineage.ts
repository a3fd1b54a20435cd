import { AgeHeap } from './age-heap.js';

interface Node {
  id: number;
  parentId: number;
  /** Whether the block itself is idle; otherwise the node only holds its idle descendants. */
  isReal: boolean;
  tick: number;
  children: number;
  isLinked: boolean;
}

const NO_PARENT = -2147483647;

/**
 * Idle blocks as a forest: the victim is the idle block without idle children that has waited longest. A block that
 * is reused leaves a ghost behind while it has idle descendants (`pools/inactive/backends/lineage` of the reference).
 */
export class Lineage {
  static readonly NO_PARENT = NO_PARENT;
  size = 0;
  private readonly nodes = new Map<number, Node>();
  private nextTick = 0;
  /** Candidates by tick; entries that no longer hold are skipped when they surface. */
  private readonly leaves = new AgeHeap<Node>();

  insert(id: number, parentId: number): void {
    let node = this.nodes.get(id);
    if (!node) {
      node = { id, parentId, isReal: false, tick: 0, children: 0, isLinked: false };
      this.nodes.set(id, node);
    }
    node.isReal = true;
    node.parentId = parentId;
    node.tick = this.nextTick++;
    this.size++;
    if (parentId !== NO_PARENT && !node.isLinked) {
      let parent = this.nodes.get(parentId);
      if (!parent) {
        parent = { id: parentId, parentId: NO_PARENT, isReal: false, tick: 0, children: 0, isLinked: false };
        this.nodes.set(parentId, parent);
      }
      parent.children++;
      node.isLinked = true;
    }
    if (node.children === 0) this.pushLeaf(node);
  }

  /** Takes out an idle block that is used again. */
  remove(id: number): void {
    let node = this.nodes.get(id);
    if (!node) throw new Error('a block that is not idle cannot be taken from the idle blocks');
    node.isReal = false;
    this.size--;
    while (node && !node.isReal && node.children === 0) {
      this.nodes.delete(node.id);
      if (!node.isLinked) return;
      const parent: Node | undefined = this.nodes.get(node.parentId);
      if (!parent) return;
      parent.children--;
      if (parent.isReal && parent.children === 0) this.pushLeaf(parent);
      node = parent;
    }
  }

  /** Takes out the victim and returns its identity. */
  evict(): number {
    const id = this.victim();
    this.remove(id);
    return id;
  }

  /** Identity of the block that would be evicted next. */
  victim(): number {
    const { leaves, nodes } = this;
    for (let node = leaves.first; node; node = leaves.first) {
      const isLeaf = node.isReal && node.children === 0;
      if (isLeaf && node.tick === leaves.firstAge && nodes.get(node.id) === node) return node.id;
      leaves.pop();
    }
    throw new Error('no idle block is left to evict');
  }

  private pushLeaf(node: Node): void {
    this.leaves.push(node.tick, node);
  }
}

import { grown } from '../../structures/column.js';
import { IntMap } from './int-map.js';

const ABSENT = -1;
const FIRST_LENGTH = 1024;
const FIRST_EXPECTED = 4096;

/**
 * A map from tree nodes to numbers from 0 on. Nodes are small numbers, and those of one prompt mostly follow each other,
 * so that the first `near` of them have cells in an array, which is faster than hashing by far; the others, and names
 * below 0, which stand for content that occurs once, are hashed.
 */
export class NodeMap {
  private cells: Int32Array;
  private readonly far: IntMap;

  constructor(
    private readonly near: number,
    expected: number,
  ) {
    this.cells = new Int32Array(Math.min(FIRST_LENGTH, near)).fill(ABSENT);
    this.far = new IntMap(near > expected ? 16 : Math.min(expected, FIRST_EXPECTED));
  }

  /** The value of a node, or -1. */
  get(node: number): number {
    if (node >= 0 && node < this.cells.length) return this.cells[node];
    return node < 0 || node >= this.near ? this.far.get(node) : ABSENT;
  }

  set(node: number, value: number): void {
    if (this.makeNear(node)) this.cells[node] = value;
    else this.far.set(node, value);
  }

  /** The value of a node, or -1 after giving it this one. */
  getOrSet(node: number, value: number): number {
    if (!this.makeNear(node)) return this.far.getOrSet(node, value);
    const known = this.cells[node];
    if (known === ABSENT) this.cells[node] = value;
    return known;
  }

  /** Removes a node that is present. */
  delete(node: number): void {
    if (node >= 0 && node < this.cells.length) this.cells[node] = ABSENT;
    else this.far.delete(node);
  }

  /** Removes a node that is present if it has this value; false when it has another. */
  drop(node: number, value: number): boolean {
    if (node < 0 || node >= this.cells.length) return this.far.drop(node, value);
    if (this.cells[node] !== value) return false;
    this.cells[node] = ABSENT;
    return true;
  }

  /** Makes sure that a node has a cell, unless it is hashed. @returns whether it has one */
  private makeNear(node: number): boolean {
    if (node >= 0 && node < this.cells.length) return true;
    if (node < 0 || node >= this.near) return false;
    const { length } = this.cells;
    this.cells = grown(this.cells, Math.min(Math.max(node + 1, length * 2), this.near)).fill(ABSENT, length);
    return true;
  }
}

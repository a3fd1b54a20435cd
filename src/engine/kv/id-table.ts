import { grown } from '../../structures/column.js';
import { NodeMap } from './node-map.js';
import type { PromptBlocks } from './prompt-blocks.js';

const ABSENT = -1;

/** Finds a pool entry by block identity, and keeps the tree node of every identity in it alive. */
export interface IdTable {
  /** The entry of an identity, or -1. */
  get(id: number): number;
  set(id: number, entry: number): void;
  /** The entry of an identity, or -1 after giving it this one. */
  getOrSet(id: number, entry: number): number;
  /** Removes an identity if it has this entry; false when it has another. */
  drop(id: number, entry: number): boolean;
}

/** @param capacity blocks of the pool */
export function createIdTable(blocks: PromptBlocks, capacity: number): IdTable {
  return blocks.stride === 1 ? new PlainTable(blocks, capacity) : new RowTable(blocks, capacity);
}

/** Identities that are tree nodes themselves. */
class PlainTable implements IdTable {
  private readonly entries: NodeMap;

  constructor(
    private readonly blocks: PromptBlocks,
    capacity: number,
  ) {
    this.entries = new NodeMap(blocks.nearNodes, capacity);
  }

  get(id: number): number {
    return this.entries.get(id);
  }

  set(id: number, entry: number): void {
    if (id >= 0 && this.entries.get(id) === ABSENT) this.blocks.tree.retain(id);
    this.entries.set(id, entry);
  }

  getOrSet(id: number, entry: number): number {
    const known = this.entries.getOrSet(id, entry);
    if (known < 0 && id >= 0) this.blocks.tree.retain(id);
    return known;
  }

  drop(id: number, entry: number): boolean {
    if (!this.entries.drop(id, entry)) return false;
    if (id >= 0) this.blocks.tree.release(id);
    return true;
  }
}

/**
 * Identities of which several belong to one tree node. They are neighbours, so they share a row of a table and the rows
 * are found by node: one hash lookup serves all blocks of a hash block.
 */
class RowTable implements IdTable {
  private readonly rowOf: NodeMap;
  private readonly stride: number;
  /** Entries by row; the last cell of a row counts the others that are set. */
  private cells: Int32Array;
  private rows = 0;
  private readonly freeRows: number[] = [];
  private lastNode = -2147483647;
  private lastRow = ABSENT;

  constructor(
    private readonly blocks: PromptBlocks,
    capacity: number,
  ) {
    this.stride = blocks.stride;
    this.rowOf = new NodeMap(blocks.nearNodes, Math.ceil(capacity / this.stride));
    this.cells = new Int32Array(64 * (this.stride + 1));
  }

  get(id: number): number {
    const { stride } = this;
    const node = id < 0 ? id : Math.floor(id / stride);
    const row = this.findRow(node);
    if (row === ABSENT) return ABSENT;
    return this.cells[row * (stride + 1) + (id < 0 ? 0 : id - node * stride)];
  }

  set(id: number, entry: number): void {
    if (this.getOrSet(id, entry) === ABSENT) return;
    const { stride } = this;
    const node = id < 0 ? id : Math.floor(id / stride);
    this.cells[this.findRow(node) * (stride + 1) + (id < 0 ? 0 : id - node * stride)] = entry;
  }

  getOrSet(id: number, entry: number): number {
    const { stride } = this;
    const node = id < 0 ? id : Math.floor(id / stride);
    let row = this.findRow(node);
    if (row === ABSENT) row = this.addRow(node);
    const base = row * (stride + 1);
    const cell = base + (id < 0 ? 0 : id - node * stride);
    const known = this.cells[cell];
    if (known !== ABSENT) return known;
    this.cells[cell] = entry;
    this.cells[base + stride]++;
    return ABSENT;
  }

  drop(id: number, entry: number): boolean {
    const { stride } = this;
    const node = id < 0 ? id : Math.floor(id / stride);
    const row = this.findRow(node);
    const base = row * (stride + 1);
    const cell = base + (id < 0 ? 0 : id - node * stride);
    if (this.cells[cell] !== entry) return false;
    this.cells[cell] = ABSENT;
    if (--this.cells[base + stride] > 0) return true;
    this.rowOf.delete(node);
    this.freeRows.push(row);
    this.lastRow = ABSENT;
    this.lastNode = -2147483647;
    if (node >= 0) this.blocks.tree.release(node);
    return true;
  }

  private findRow(node: number): number {
    if (node === this.lastNode) return this.lastRow;
    const row = this.rowOf.get(node);
    if (row === ABSENT) return ABSENT;
    this.lastNode = node;
    this.lastRow = row;
    return row;
  }

  private addRow(node: number): number {
    const width = this.stride + 1;
    const row = this.freeRows.pop() ?? this.rows++;
    if ((row + 1) * width > this.cells.length) this.cells = grown(this.cells, this.cells.length * 2);
    this.cells.fill(ABSENT, row * width, (row + 1) * width - 1);
    this.cells[(row + 1) * width - 1] = 0;
    this.rowOf.set(node, row);
    this.lastNode = node;
    this.lastRow = row;
    if (node >= 0) this.blocks.tree.retain(node);
    return row;
  }
}

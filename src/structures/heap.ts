import { grown } from './column.js';

/**
 * A binary heap of entries that are a few numbers each: the least first, by the first number, among equals by the second,
 * and so on through the keys; the numbers after those only come along. Entries lie one after the other in one array,
 * the first in row 1 and the children of row i in rows 2i and 2i + 1; row 0 is the one in hand.
 */
export class Heap {
  size = 0;
  private rows: Float64Array;

  /**
   * @param keys numbers that order the entries
   * @param fields numbers of an entry, at most five
   */
  constructor(
    private readonly keys: number,
    private readonly fields: number,
  ) {
    this.rows = new Float64Array(64 * fields);
  }

  /** A number of the least entry; there must be one. */
  least(field: number): number {
    return this.rows[this.fields + field];
  }

  /** A number of an entry, in no order. @param index from 0 to `size` less one */
  at(index: number, field: number): number {
    return this.rows[(index + 1) * this.fields + field];
  }

  push(first: number, second: number, third = 0, fourth = 0, fifth = 0): void {
    const { fields } = this;
    if ((this.size + 2) * fields > this.rows.length) this.rows = grown(this.rows, this.rows.length * 2);
    const { rows } = this;
    rows[0] = first;
    rows[1] = second;
    if (fields > 2) rows[2] = third;
    if (fields > 3) rows[3] = fourth;
    if (fields > 4) rows[4] = fifth;
    let hole = ++this.size;
    while (hole > 1) {
      const parent = hole >> 1;
      if (!this.isBefore(0, parent)) break;
      this.copy(parent, hole);
      hole = parent;
    }
    this.copy(0, hole);
  }

  /** Takes out the least entry; there must be one. */
  pop(): void {
    this.copy(this.size--, 0);
    const { size } = this;
    let hole = 1;
    for (;;) {
      let child = 2 * hole;
      if (child > size) break;
      if (child < size && this.isBefore(child + 1, child)) child++;
      if (!this.isBefore(child, 0)) break;
      this.copy(child, hole);
      hole = child;
    }
    this.copy(0, hole);
  }

  clear(): void {
    this.size = 0;
  }

  private isBefore(row: number, other: number): boolean {
    const { rows, fields, keys } = this;
    const a = row * fields;
    const b = other * fields;
    for (let key = 0; key < keys; key++)
      if (rows[a + key] !== rows[b + key]) return rows[a + key] < rows[b + key];
    return false;
  }

  private copy(from: number, to: number): void {
    const { rows, fields } = this;
    for (let field = 0; field < fields; field++) rows[to * fields + field] = rows[from * fields + field];
  }
}

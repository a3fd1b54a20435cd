const EMPTY = -2147483648;

/**
 * A hash map from int32 keys to int32 values in one typed array of pairs: linear probing, deletion by shifting back.
 * -2147483648 cannot be a key.
 */
export class IntMap {
  size = 0;
  private mask: number;
  private cells: Int32Array;

  constructor(expected = 16) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.mask = capacity - 1;
    this.cells = new Int32Array(capacity * 2).fill(EMPTY);
  }

  /** The value of a key, or -1. */
  get(key: number): number {
    const { cells, mask } = this;
    for (let slot = home(key, mask); ; slot = (slot + 1) & mask) {
      const found = cells[slot << 1];
      if (found === key) return cells[(slot << 1) + 1];
      if (found === EMPTY) return -1;
    }
  }

  set(key: number, value: number): void {
    if (this.size * 2 > this.mask) this.grow();
    const { cells, mask } = this;
    let slot = home(key, mask);
    while (cells[slot << 1] !== EMPTY && cells[slot << 1] !== key) slot = (slot + 1) & mask;
    if (cells[slot << 1] === EMPTY) {
      cells[slot << 1] = key;
      this.size++;
    }
    cells[(slot << 1) + 1] = value;
  }

  /** The value of a key, or -1 after giving it this one. */
  getOrSet(key: number, value: number): number {
    if (this.size * 2 > this.mask) this.grow();
    const { cells, mask } = this;
    let slot = home(key, mask);
    for (; cells[slot << 1] !== EMPTY; slot = (slot + 1) & mask)
      if (cells[slot << 1] === key) return cells[(slot << 1) + 1];
    cells[slot << 1] = key;
    cells[(slot << 1) + 1] = value;
    this.size++;
    return -1;
  }

  /** Removes a key that is present. */
  delete(key: number): void {
    const { cells, mask } = this;
    let hole = home(key, mask);
    while (cells[hole << 1] !== key) hole = (hole + 1) & mask;
    this.close(hole);
  }

  /** Empties a slot, moving up what had to go past it. */
  private close(emptied: number): void {
    const { cells, mask } = this;
    let hole = emptied;
    for (let slot = (hole + 1) & mask; cells[slot << 1] !== EMPTY; slot = (slot + 1) & mask) {
      const distance = (slot - home(cells[slot << 1], mask)) & mask;
      if (distance < ((slot - hole) & mask)) continue;
      cells[hole << 1] = cells[slot << 1];
      cells[(hole << 1) + 1] = cells[(slot << 1) + 1];
      hole = slot;
    }
    cells[hole << 1] = EMPTY;
    this.size--;
  }

  /** Removes a key that is present if it has this value; false when it has another. */
  drop(key: number, value: number): boolean {
    const { cells, mask } = this;
    let slot = home(key, mask);
    while (cells[slot << 1] !== key) slot = (slot + 1) & mask;
    if (cells[(slot << 1) + 1] !== value) return false;
    this.close(slot);
    return true;
  }

  private grow(): void {
    const { cells } = this;
    this.mask = this.mask * 2 + 1;
    this.cells = new Int32Array(cells.length * 2).fill(EMPTY);
    this.size = 0;
    for (let cell = 0; cell < cells.length; cell += 2)
      if (cells[cell] !== EMPTY) this.set(cells[cell], cells[cell + 1]);
  }
}

function home(key: number, mask: number): number {
  const mixed = Math.imul(key, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}

const EMPTY = -2147483648;

/** A hash map from int32 keys to int32 values in two typed arrays: linear probing, deletion by shifting back. */
export class IntMap {
  size = 0;
  private mask: number;
  private keys: Int32Array;
  private values: Int32Array;

  constructor(expected = 16) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.mask = capacity - 1;
    this.keys = new Int32Array(capacity).fill(EMPTY);
    this.values = new Int32Array(capacity);
  }

  /** The value of a key, or -1. */
  get(key: number): number {
    const { keys, mask } = this;
    for (let slot = home(key, mask); ; slot = (slot + 1) & mask) {
      const found = keys[slot];
      if (found === key) return this.values[slot];
      if (found === EMPTY) return -1;
    }
  }

  set(key: number, value: number): void {
    if (this.size * 2 > this.mask) this.grow();
    const { keys, mask } = this;
    let slot = home(key, mask);
    while (keys[slot] !== EMPTY && keys[slot] !== key) slot = (slot + 1) & mask;
    if (keys[slot] === EMPTY) {
      keys[slot] = key;
      this.size++;
    }
    this.values[slot] = value;
  }

  /** Removes a key that is present. */
  delete(key: number): void {
    const { keys, values, mask } = this;
    let hole = home(key, mask);
    while (keys[hole] !== key) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; keys[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const distance = (slot - home(keys[slot], mask)) & mask;
      if (distance >= ((slot - hole) & mask)) {
        keys[hole] = keys[slot];
        values[hole] = values[slot];
        hole = slot;
      }
    }
    keys[hole] = EMPTY;
    this.size--;
  }

  private grow(): void {
    const { keys, values } = this;
    const capacity = keys.length * 2;
    this.mask = capacity - 1;
    this.keys = new Int32Array(capacity).fill(EMPTY);
    this.values = new Int32Array(capacity);
    this.size = 0;
    for (let slot = 0; slot < keys.length; slot++) if (keys[slot] !== EMPTY) this.set(keys[slot], values[slot]);
  }
}

function home(key: number, mask: number): number {
  const mixed = Math.imul(key, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}

/**
 * Numbers session names in order of first appearance. Keeps 96 bits of hash a name instead of the text, so that
 * millions of sessions stay small; two names are taken for one with a chance below 1e-14 at ten million names.
 */
export class SessionIds {
  private capacity = 1024;
  private keys = new Uint32Array(this.capacity * 3);
  private values = new Int32Array(this.capacity).fill(-1);
  private size = 0;

  /** The number stored for a name; `fresh` is stored and returned when the name is new. */
  intern(name: string, fresh: number): number {
    let a = 0x9e3779b9;
    let b = 0x85ebca6b;
    let c = 0xc2b2ae35;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      a ^= a >>> 15;
      b = Math.imul(b + code, 0x27d4eb2f);
      b ^= b >>> 13;
      c = Math.imul(c ^ (code + (c << 7)), 0x165667b1);
      c ^= c >>> 16;
    }
    if (this.size * 2 >= this.capacity) this.grow();
    return this.insert(a >>> 0, b >>> 0, c >>> 0, fresh);
  }

  private insert(a: number, b: number, c: number, fresh: number): number {
    const mask = this.capacity - 1;
    let slot = Math.imul(a ^ (b >>> 7), 0x9e3779b1) & mask;
    for (; this.values[slot] >= 0; slot = (slot + 1) & mask) {
      const k = slot * 3;
      if (this.keys[k] === a && this.keys[k + 1] === b && this.keys[k + 2] === c) return this.values[slot];
    }
    this.keys.set([a, b, c], slot * 3);
    this.values[slot] = fresh;
    this.size++;
    return fresh;
  }

  private grow(): void {
    const { keys, values } = this;
    this.capacity *= 2;
    this.keys = new Uint32Array(this.capacity * 3);
    this.values = new Int32Array(this.capacity).fill(-1);
    this.size = 0;
    for (let slot = 0; slot < values.length; slot++)
      if (values[slot] >= 0)
        this.insert(keys[slot * 3], keys[slot * 3 + 1], keys[slot * 3 + 2], values[slot]);
  }
}

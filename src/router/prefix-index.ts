import { grown } from '../structures/column.js';

/** Which targets hold which blocks: a row of bits a block. A target's overlap is its longest held prefix. */
export class PrefixIndex {
  /** Words of 32 targets in a row. */
  private words = 1;
  /** Row of an identity, less one; identities are small numbers, used again when nothing has them any more. */
  private rowOf = new Int32Array(64);
  private rows = new Int32Array(64);
  private used = 0;
  private readonly free: number[] = [];
  private active = new Int32Array(1);

  /** Makes room for targets numbered below `targets`. */
  growTo(targets: number): void {
    const words = Math.ceil(targets / 32);
    if (words <= this.words) return;
    const wider = Math.max(words, this.words * 2);
    const rows = new Int32Array(Math.max(64, this.used * wider));
    for (let row = 0; row < this.used; row++)
      rows.set(this.rows.subarray(row * this.words, (row + 1) * this.words), row * wider);
    this.rows = rows;
    this.words = wider;
    this.active = new Int32Array(wider);
  }

  /** Identities below 0 occur once, so that there is nothing to find. */
  stored(target: number, id: number): void {
    if (id < 0) return;
    if (id >= this.rowOf.length) this.rowOf = grown(this.rowOf, Math.max(id + 1, 2 * this.rowOf.length));
    let row = this.rowOf[id] - 1;
    if (row < 0) {
      row = this.free.pop() ?? this.used++;
      if ((row + 1) * this.words > this.rows.length)
        this.rows = grown(this.rows, Math.max((row + 1) * this.words, 2 * this.rows.length));
      this.rowOf[id] = row + 1;
    }
    this.rows[row * this.words + (target >> 5)] |= 1 << (target & 31);
  }

  removed(target: number, id: number): void {
    const row = this.rowAt(id);
    if (row < 0) return;
    const at = row * this.words;
    this.rows[at + (target >> 5)] &= ~(1 << (target & 31));
    for (let word = 0; word < this.words; word++) if (this.rows[at + word] !== 0) return;
    this.rowOf[id] = 0;
    this.free.push(row);
  }

  has(target: number, id: number): boolean {
    const row = this.rowAt(id);
    return row >= 0 && (this.rows[row * this.words + (target >> 5)] & (1 << (target & 31))) !== 0;
  }

  private rowAt(id: number): number {
    return id >= 0 && id < this.rowOf.length ? this.rowOf[id] - 1 : -1;
  }

  /** Forgets everything that a target holds. */
  forget(target: number): void {
    for (let id = 0; id < this.rowOf.length; id++) this.removed(target, id);
  }

  /** Whether it holds nothing of anybody. */
  get isEmpty(): boolean {
    return this.free.length === this.used;
  }

  private bits(id: number, word: number): number {
    const row = this.rowAt(id);
    return row < 0 || word >= this.words ? 0 : this.rows[row * this.words + word];
  }

  /** Leading blocks of `ids` that each target holds, here or in another index besides, into `overlaps`. */
  match(ids: Int32Array, count: number, overlaps: Int32Array, other?: PrefixIndex): void {
    overlaps.fill(0);
    const { words, active } = this;
    active.fill(-1);
    for (let i = 0; i < count; i++) {
      let any = 0;
      for (let word = 0; word < words; word++) {
        const before = active[word];
        const held = this.bits(ids[i], word) | (other ? other.bits(ids[i], word) : 0);
        const now = before & held;
        if (now !== before && i > 0) note(before & ~now, word, i, overlaps);
        active[word] = now;
        any |= now;
      }
      if (any === 0) return;
    }
    this.settle(count, overlaps);
  }

  /** Gives the targets that hold everything so far their overlap. */
  private settle(length: number, overlaps: Int32Array): void {
    if (length === 0) return;
    for (let word = 0; word < this.words; word++) note(this.active[word], word, length, overlaps);
  }
}

/** Enters the overlap of the targets whose bits are set in a word. */
function note(targets: number, word: number, length: number, overlaps: Int32Array): void {
  for (let bits = targets; bits !== 0; bits &= bits - 1)
    overlaps[word * 32 + 31 - Math.clz32(bits & -bits)] = length;
}

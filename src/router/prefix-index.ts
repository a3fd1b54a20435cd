import { grown } from '../structures/column.js';

/** Which targets hold which blocks: a row of bits a block. A target's overlap is its longest held prefix. */
export class PrefixIndex {
  /** Words of 32 targets in a row. */
  private words = 1;
  /**
   * Row of an identity, less one; identities are small numbers, used again when nothing has them any more. Where a row
   * is one word it has the number of its identity, and this is not used.
   */
  private rowOf = new Int32Array(0);
  private rows = new Int32Array(64);
  private used = 0;
  private free: number[] = [];
  /** Blocks that somebody holds. */
  private held = 0;
  private active = new Int32Array(1);

  /** Makes room for targets numbered below `targets`. */
  growTo(targets: number): void {
    const words = Math.ceil(targets / 32);
    if (words <= this.words) return;
    const wider = Math.max(words, this.words * 2);
    const { rows, rowOf } = this;
    const ids = this.words === 1 ? rows.length : rowOf.length;
    const wide = new Int32Array(Math.max(64, this.held * wider));
    const wideRowOf = new Int32Array(ids);
    let used = 0;
    for (let id = 0; id < ids; id++) {
      const row = this.rowAt(id);
      if (row < 0 || (this.words === 1 && rows[row] === 0)) continue;
      wide.set(rows.subarray(row * this.words, (row + 1) * this.words), used * wider);
      wideRowOf[id] = ++used;
    }
    this.rows = wide;
    this.rowOf = wideRowOf;
    this.used = used;
    this.free = [];
    this.words = wider;
    this.active = new Int32Array(wider);
  }

  /** Identities below 0 occur once, so that there is nothing to find. */
  stored(target: number, id: number): void {
    if (id < 0) return;
    if (this.words > 1) {
      const row = this.rowFor(id);
      this.rows[row * this.words + (target >> 5)] |= 1 << (target & 31);
      return;
    }
    if (id >= this.rows.length) this.rows = grown(this.rows, Math.max(id + 1, this.rows.length * 2));
    const { rows } = this;
    if (rows[id] === 0) this.held++;
    rows[id] |= 1 << target;
  }

  /** The row of an identity, which gets one where it has none. */
  private rowFor(id: number): number {
    if (id >= this.rowOf.length) this.rowOf = grown(this.rowOf, Math.max(id + 1, this.rowOf.length * 2));
    let row = this.rowOf[id] - 1;
    if (row >= 0) return row;
    row = this.free.pop() ?? this.used++;
    if ((row + 1) * this.words > this.rows.length)
      this.rows = grown(this.rows, Math.max(this.rows.length * 2, (row + 1) * this.words));
    this.rowOf[id] = row + 1;
    this.held++;
    return row;
  }

  removed(target: number, id: number): void {
    const row = this.rowAt(id);
    if (row < 0) return;
    const { rows, words } = this;
    const at = row * words;
    if (words === 1) {
      const before = rows[row];
      rows[row] = before & ~(1 << target);
      if (before !== 0 && rows[row] === 0) this.held--;
      return;
    }
    rows[at + (target >> 5)] &= ~(1 << (target & 31));
    for (let word = 0; word < words; word++) if (rows[at + word] !== 0) return;
    this.rowOf[id] = 0;
    this.free.push(row);
    this.held--;
  }

  /** The row of an identity, or -1. */
  private rowAt(id: number): number {
    if (this.words === 1) return id < this.rows.length ? id : -1;
    return id >= 0 && id < this.rowOf.length ? this.rowOf[id] - 1 : -1;
  }

  /** Forgets everything that a target holds. */
  forget(target: number): void {
    const ids = this.words === 1 ? this.rows.length : this.rowOf.length;
    for (let id = 0; id < ids; id++) this.removed(target, id);
  }

  /** Whether it holds nothing of anybody. */
  get isEmpty(): boolean {
    return this.held === 0;
  }

  private bits(id: number, word: number): number {
    const row = this.rowAt(id);
    return row < 0 || word >= this.words ? 0 : this.rows[row * this.words + word];
  }

  /** Leading blocks of `ids` that each target holds, here or in another index besides, into `overlaps`. */
  match(ids: Int32Array, count: number, overlaps: Int32Array, other?: PrefixIndex): void {
    overlaps.fill(0);
    if (this.words === 1 && !other) {
      this.matchWord(ids, count, overlaps);
      return;
    }
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

  /** The same for at most 32 targets. */
  private matchWord(ids: Int32Array, count: number, overlaps: Int32Array): void {
    const { rows } = this;
    let active = -1;
    for (let i = 0; i < count; i++) {
      const id = ids[i];
      const now = id >= 0 && id < rows.length ? active & rows[id] : 0;
      if (now !== active && i > 0) note(active & ~now, 0, i, overlaps);
      if (now === 0) return;
      active = now;
    }
    if (count > 0) note(active, 0, count, overlaps);
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

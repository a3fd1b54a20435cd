/** Which targets hold which blocks: a row of bits a block. A target's overlap is its longest held prefix. */
export class PrefixIndex {
  private readonly words: number;
  private readonly rowOf = new Map<number, number>();
  private rows = new Int32Array(64);
  private used = 0;
  private readonly free: number[] = [];

  constructor(targets: number) {
    this.words = Math.max(1, Math.ceil(targets / 32));
  }

  stored(target: number, id: number): void {
    let row = this.rowOf.get(id);
    if (row === undefined) {
      row = this.free.pop() ?? this.used++;
      if ((row + 1) * this.words > this.rows.length) this.grow();
      this.rowOf.set(id, row);
    }
    this.rows[row * this.words + (target >> 5)] |= 1 << (target & 31);
  }

  removed(target: number, id: number): void {
    const row = this.rowOf.get(id);
    if (row === undefined) return;
    const at = row * this.words;
    this.rows[at + (target >> 5)] &= ~(1 << (target & 31));
    for (let word = 0; word < this.words; word++) if (this.rows[at + word] !== 0) return;
    this.rowOf.delete(id);
    this.free.push(row);
  }

  /** Leading blocks of `ids` that each target holds, into `overlaps`. */
  match(ids: Int32Array, count: number, overlaps: Int32Array): void {
    overlaps.fill(0);
    const { words, rows } = this;
    const active = new Int32Array(words).fill(-1);
    for (let i = 0; i < count; i++) {
      const row = this.rowOf.get(ids[i]);
      if (row === undefined) return;
      let any = 0;
      for (let word = 0; word < words; word++) {
        active[word] &= rows[row * words + word];
        any |= active[word];
      }
      if (any === 0) return;
      for (let target = 0; target < overlaps.length; target++)
        if ((active[target >> 5] >> (target & 31)) & 1) overlaps[target] = i + 1;
    }
  }

  private grow(): void {
    const grown = new Int32Array(this.rows.length * 2);
    grown.set(this.rows);
    this.rows = grown;
  }
}

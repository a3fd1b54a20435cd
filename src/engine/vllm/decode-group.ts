/**
 * The leading part of the running list whose requests do nothing but decode: each emits one token in every pass. What
 * a pass means for all of them follows from a few sums, so it costs nothing per request:
 * - lengths grow by one a pass: a request's length is its base plus the pass counter;
 * - a request needs a block when its computed tokens fill the last one: a histogram by phase, turned by one a pass;
 * - a request ends at a pass known when it joins: a heap.
 */
export class DecodeGroup {
  size = 0;
  /** Passes emitted so far. */
  pass = 0;
  /** Requests whose second token comes with the next pass. */
  readonly awaitingSecond: number[] = [];
  private readonly dueByPhase: Int32Array;
  /** A bit for each phase in which some member needs a block. */
  private readonly dueBits: Int32Array;
  private phase = 0;
  private baseSum = 0;
  private endPass = new Float64Array(64);
  private endOrder = new Float64Array(64);
  private endSlot = new Int32Array(64);

  constructor(private readonly blockTokens: number) {
    this.dueByPhase = new Int32Array(blockTokens);
    this.dueBits = new Int32Array((blockTokens >> 5) + 1);
  }

  /** New blocks that the next pass needs. */
  get blocksDue(): number {
    return this.dueByPhase[this.phase];
  }

  /** New blocks needed `passes` after the next pass. */
  blocksDueAfter(passes: number): number {
    return this.dueByPhase[(this.phase + passes) % this.blockTokens];
  }

  /** Passes from `passes` ahead to the next one after it that needs blocks; a whole turn where there is no other. */
  passesToNextDue(passes: number): number {
    const { blockTokens, dueBits } = this;
    const from = (this.phase + passes) % blockTokens;
    let phase = from + 1;
    for (let turn = 0; turn < 2; turn++) {
      for (let word = phase >> 5; word < dueBits.length; word++) {
        let bits = dueBits[word];
        if (word === phase >> 5) bits &= -1 << (phase & 31);
        if (bits === 0) continue;
        const found = (word << 5) + 31 - Math.clz32(bits & -bits);
        return found > from ? found - from : found + blockTokens - from;
      }
      phase = 0;
    }
    return blockTokens;
  }

  /** Known tokens of all members. */
  get lengthSum(): number {
    return this.baseSum + this.size * this.pass;
  }

  /** The pass counter at which the next member has ended. */
  get nextEnd(): number {
    return this.size > 0 ? this.endPass[0] : Number.POSITIVE_INFINITY;
  }

  /**
   * @param length known tokens
   * @param remaining tokens still to emit, at least 1; while a request is a member its table entry holds the length
   *   that it will end with
   */
  join(slot: number, length: number, remaining: number, order: number): void {
    const phase = this.phaseOf(length);
    this.dueByPhase[phase]++;
    this.dueBits[phase >> 5] |= 1 << (phase & 31);
    this.baseSum += length - this.pass;
    if (this.size === this.endPass.length) this.grow();
    const end = this.pass + remaining;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.endPass[parent] < end || (this.endPass[parent] === end && this.endOrder[parent] < order))
        break;
      this.move(parent, hole);
      hole = parent;
    }
    this.endPass[hole] = end;
    this.endOrder[hole] = order;
    this.endSlot[hole] = slot;
  }

  private phaseOf(length: number): number {
    const filled = (length - 1) % this.blockTokens;
    return filled === 0 ? this.phase : (this.phase + this.blockTokens - filled) % this.blockTokens;
  }

  advance(passes: number): void {
    this.pass += passes;
    this.phase = (this.phase + passes) % this.blockTokens;
  }

  /** Takes out the next member that has ended, in running order; -1 when there is none. */
  popEnded(endLengths: Int32Array): number {
    if (this.size === 0 || this.endPass[0] !== this.pass) return -1;
    const slot = this.endSlot[0];
    const last = --this.size;
    const end = this.endPass[last];
    const order = this.endOrder[last];
    const lastSlot = this.endSlot[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(child + 1, child)) child++;
      if (end < this.endPass[child] || (end === this.endPass[child] && order < this.endOrder[child])) break;
      this.move(child, hole);
      hole = child;
    }
    this.endPass[hole] = end;
    this.endOrder[hole] = order;
    this.endSlot[hole] = lastSlot;
    const length = endLengths[slot];
    const phase = this.phaseOf(length);
    if (--this.dueByPhase[phase] === 0) this.dueBits[phase >> 5] &= ~(1 << (phase & 31));
    this.baseSum -= length - this.pass;
    return slot;
  }

  /** Empties the group, telling each member's known tokens. */
  dissolve(endLengths: Int32Array, tell: (slot: number, length: number) => void): void {
    for (let i = 0; i < this.size; i++) {
      const slot = this.endSlot[i];
      tell(slot, endLengths[slot] - (this.endPass[i] - this.pass));
    }
    this.size = 0;
    this.baseSum = 0;
    this.awaitingSecond.length = 0;
    this.dueByPhase.fill(0);
    this.dueBits.fill(0);
  }

  private isBefore(a: number, b: number): boolean {
    return (
      this.endPass[a] < this.endPass[b] ||
      (this.endPass[a] === this.endPass[b] && this.endOrder[a] < this.endOrder[b])
    );
  }

  private move(from: number, to: number): void {
    this.endPass[to] = this.endPass[from];
    this.endOrder[to] = this.endOrder[from];
    this.endSlot[to] = this.endSlot[from];
  }

  private grow(): void {
    const length = this.endPass.length * 2;
    const endPass = new Float64Array(length);
    const endOrder = new Float64Array(length);
    const endSlot = new Int32Array(length);
    endPass.set(this.endPass);
    endOrder.set(this.endOrder);
    endSlot.set(this.endSlot);
    this.endPass = endPass;
    this.endOrder = endOrder;
    this.endSlot = endSlot;
  }
}

import { Heap } from '../../structures/heap.js';

/**
 * The leading part of the running list whose requests do nothing but decode: each emits one token in every pass. What
 * a pass means for all of them follows from a few sums, so it costs nothing per request:
 * - lengths grow by one a pass: a request's length is its base plus the pass counter;
 * - a request needs a block when its computed tokens fill the last one: a histogram by phase, turned by one a pass;
 * - a request ends at a pass known when it joins: a heap.
 */
export class DecodeGroup {
  /** Passes emitted so far. */
  pass = 0;
  /** Requests whose second token comes with the next pass. */
  readonly awaitingSecond: number[] = [];
  private readonly dueByPhase: Int32Array;
  /** A bit for each phase in which some member needs a block. */
  private readonly dueBits: Int32Array;
  private phase = 0;
  private baseSum = 0;
  /** When members end: pass, place in running order, slot. */
  private readonly ends = new Heap(2, 3);

  constructor(private readonly blockTokens: number) {
    this.dueByPhase = new Int32Array(blockTokens);
    this.dueBits = new Int32Array((blockTokens >> 5) + 1);
  }

  get size(): number {
    return this.ends.size;
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
    return this.size > 0 ? this.ends.least(0) : Number.POSITIVE_INFINITY;
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
    this.ends.push(this.pass + remaining, order, slot);
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
    const { ends } = this;
    if (ends.size === 0 || ends.least(0) !== this.pass) return -1;
    const slot = ends.least(2);
    ends.pop();
    const length = endLengths[slot];
    const phase = this.phaseOf(length);
    if (--this.dueByPhase[phase] === 0) this.dueBits[phase >> 5] &= ~(1 << (phase & 31));
    this.baseSum -= length - this.pass;
    return slot;
  }

  /** Empties the group, telling each member's known tokens. */
  dissolve(endLengths: Int32Array, tell: (slot: number, length: number) => void): void {
    const { ends } = this;
    for (let i = 0; i < ends.size; i++) {
      const slot = ends.at(i, 2);
      tell(slot, endLengths[slot] - (ends.at(i, 0) - this.pass));
    }
    ends.clear();
    this.baseSum = 0;
    this.awaitingSecond.length = 0;
    this.dueByPhase.fill(0);
    this.dueBits.fill(0);
  }
}

const UNKNOWN = Number.NaN;

/** Takes inter-token gaps, in milliseconds. */
export interface GapSink {
  /** `count` requests that emit together each saw this gap. */
  addShared(gapMs: number, count: number): void;
  /** `count` requests that emit together saw the gaps between passes that end one after the other. */
  addRun(startMs: number, ends: Float64Array, passes: number, count: number): void;
  /** One request saw this gap. */
  addOwn(slot: number, gapMs: number): void;
}

/**
 * What engines note about the requests in flight, by slot: admissions and token times (milliseconds, NaN while
 * unknown). One log serves all engines of a fleet.
 */
export class RequestLog {
  firstAdmitMs = new Float64Array(0);
  firstTokenMs = new Float64Array(0);
  secondTokenMs = new Float64Array(0);
  lastTokenMs = new Float64Array(0);
  emittedTokens = new Int32Array(0);
  firstReusedTokens = new Int32Array(0);
  reusedTokens = new Int32Array(0);
  preemptions = new Int32Array(0);

  reserve(slots: number): void {
    if (slots <= this.firstAdmitMs.length) return;
    this.firstAdmitMs = grownFloats(this.firstAdmitMs, slots);
    this.firstTokenMs = grownFloats(this.firstTokenMs, slots);
    this.secondTokenMs = grownFloats(this.secondTokenMs, slots);
    this.lastTokenMs = grownFloats(this.lastTokenMs, slots);
    this.emittedTokens = grownInts(this.emittedTokens, slots);
    this.firstReusedTokens = grownInts(this.firstReusedTokens, slots);
    this.reusedTokens = grownInts(this.reusedTokens, slots);
    this.preemptions = grownInts(this.preemptions, slots);
  }

  clear(slot: number): void {
    this.firstAdmitMs[slot] = UNKNOWN;
    this.firstTokenMs[slot] = UNKNOWN;
    this.secondTokenMs[slot] = UNKNOWN;
    this.lastTokenMs[slot] = UNKNOWN;
    this.emittedTokens[slot] = 0;
    this.firstReusedTokens[slot] = 0;
    this.reusedTokens[slot] = 0;
    this.preemptions[slot] = 0;
  }

  admitted(slot: number, nowMs: number, reusedTokens: number): void {
    if (Number.isNaN(this.firstAdmitMs[slot])) {
      this.firstAdmitMs[slot] = nowMs;
      this.firstReusedTokens[slot] = reusedTokens;
    }
    if (reusedTokens > this.reusedTokens[slot]) this.reusedTokens[slot] = reusedTokens;
  }

  /** Notes one token and its gap to the one before. */
  token(slot: number, timeMs: number, gaps: GapSink): void {
    const emitted = ++this.emittedTokens[slot];
    if (emitted === 1) this.firstTokenMs[slot] = timeMs;
    else {
      if (emitted === 2) this.secondTokenMs[slot] = timeMs;
      gaps.addOwn(slot, Math.max(0, timeMs - this.lastTokenMs[slot]));
    }
    this.lastTokenMs[slot] = timeMs;
  }
}

export function grownFloats(old: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const array = new Float64Array(length);
  array.set(old);
  return array;
}

export function grownInts(old: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const array = new Int32Array(length);
  array.set(old);
  return array;
}

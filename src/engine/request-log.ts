import { growColumns } from '../structures/column.js';
import type { PassClock } from '../timing/pass-clock.js';

const UNKNOWN = Number.NaN;

/** Takes inter-token gaps, in milliseconds. */
export interface GapSink {
  /** `count` requests that emit together each saw this gap. */
  addShared(gapMs: number, count: number): void;
  /** `batch` requests that emit together saw the gaps of a run of passes, as `PassClock.decodeRun` times it. */
  addRun(clock: PassClock, startMs: number, batch: number, firstTokens: number, passes: number): void;
  /** One request saw this gap. */
  addOwn(slot: number, gapMs: number): void;
}

/** A request began to run, or began again, with a part of what it knows in the cache. */
interface Admission {
  atMs: number;
  reusedTokens: number;
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
  /** When a router that held a request back let it go; NaN for one that it did not. */
  dispatchMs = new Float64Array(0);
  /** Time out of service after preemptions so far, that before the first token, and when the current one began. */
  stallMs = new Float64Array(0);
  firstStallMs = new Float64Array(0);
  /** Time in passes that computed nothing of a prompt that was begun. */
  chunkWaitMs = new Float64Array(0);
  private preemptedMs = new Float64Array(0);
  /** Every admission, where those are kept. */
  private readonly history: Admission[][] | undefined;

  /** @param keepsHistory whether every admission is kept, and not only what is known of all */
  constructor(keepsHistory = false) {
    this.history = keepsHistory ? [] : undefined;
  }

  /** Admissions of a request in order; none where they are not kept. */
  admissionsOf(slot: number): readonly Admission[] {
    return this.history?.[slot] ?? [];
  }

  growTo(slots: number): void {
    if (slots > this.firstAdmitMs.length) growColumns(this, slots);
  }

  clear(slot: number): void {
    this.firstAdmitMs[slot] = UNKNOWN;
    this.firstTokenMs[slot] = UNKNOWN;
    this.secondTokenMs[slot] = UNKNOWN;
    this.lastTokenMs[slot] = UNKNOWN;
    this.emittedTokens[slot] = 0;
    this.firstReusedTokens[slot] = 0;
    this.reusedTokens[slot] = 0;
    if (this.history) this.history[slot] = [];
    this.preemptions[slot] = 0;
    this.dispatchMs[slot] = UNKNOWN;
    this.stallMs[slot] = 0;
    this.firstStallMs[slot] = 0;
    this.chunkWaitMs[slot] = 0;
    this.preemptedMs[slot] = UNKNOWN;
  }

  admitted(slot: number, nowMs: number, reusedTokens: number): void {
    this.history?.[slot].push({ atMs: nowMs, reusedTokens });
    if (Number.isNaN(this.firstAdmitMs[slot])) {
      this.firstAdmitMs[slot] = nowMs;
      this.firstReusedTokens[slot] = reusedTokens;
    }
    if (reusedTokens > this.reusedTokens[slot]) this.reusedTokens[slot] = reusedTokens;
    if (Number.isNaN(this.preemptedMs[slot])) return;
    const stallMs = nowMs - this.preemptedMs[slot];
    this.stallMs[slot] += stallMs;
    if (this.emittedTokens[slot] === 0) this.firstStallMs[slot] += stallMs;
    this.preemptedMs[slot] = UNKNOWN;
  }

  preempted(slot: number, nowMs: number): void {
    this.preemptions[slot]++;
    this.preemptedMs[slot] = nowMs;
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

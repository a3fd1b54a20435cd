import { growColumns, grown } from '../structures/column.js';

export const WAITING = 0;
export const RUNNING = 1;
export const PREEMPTED = 2;

/** Scheduler state of the requests in flight, by slot. Counts in tokens unless named otherwise. */
export class SchedulerRequests {
  promptTokens = new Int32Array(0);
  maxOutputTokens = new Int32Array(0);
  /** Known tokens: prompt and generated. */
  length = new Int32Array(0);
  /** Tokens whose KV is computed. */
  computed = new Int32Array(0);
  /** Tokens covered by owned blocks. */
  allocated = new Int32Array(0);
  status = new Uint8Array(0);
  /** Whether a decode worker computes the prompt itself. */
  computesPrompt = new Uint8Array(0);
  /** Place in the running order: later admissions are larger. */
  order = new Float64Array(0);
  /** Place in the order in which requests came to their scheduler, or asked it for room. */
  arrivalOrder = new Float64Array(0);
  /** Pass in which the request was scheduled last, and what it got there. */
  scheduledPass = new Float64Array(0);
  scheduledTokens = new Int32Array(0);
  scheduledPrompt = new Int32Array(0);
  scheduledPrefix = new Int32Array(0);
  /** When the request reached the rank that has it. */
  receivedMs = new Float64Array(0);
  /** Pool entries of the named blocks that are owned. */
  readonly own: Int32Array[] = [];

  constructor(private readonly maxModelTokens: number | undefined) {}

  /** Output tokens that a request may still emit. */
  remaining(slot: number): number {
    const length = this.length[slot];
    const output = Math.max(0, this.maxOutputTokens[slot] - (length - this.promptTokens[slot]));
    if (this.maxModelTokens === undefined) return output;
    return Math.min(output, Math.max(0, this.maxModelTokens - length));
  }

  growTo(slots: number): void {
    if (slots <= this.length.length) return;
    growColumns(this, slots);
    while (this.own.length < slots) this.own.push(new Int32Array(16));
  }

  /** Prepares a slot for a request that enters. */
  enter(slot: number, promptTokens: number, maxOutputTokens: number): void {
    this.promptTokens[slot] = promptTokens;
    this.maxOutputTokens[slot] = maxOutputTokens;
    this.length[slot] = promptTokens;
    this.computed[slot] = 0;
    this.allocated[slot] = 0;
    this.status[slot] = WAITING;
    this.computesPrompt[slot] = 0;
    this.scheduledPass[slot] = -1;
  }

  /** Entries of a slot, with room for `blocks`. */
  ownedBlocks(slot: number, blocks: number): Int32Array {
    const own = this.own[slot];
    if (own.length >= blocks) return own;
    const longer = grown(own, Math.max(blocks, own.length * 2));
    this.own[slot] = longer;
    return longer;
  }
}

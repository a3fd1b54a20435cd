import type { StageOutcome } from '../report/outcome.js';
import { growColumns } from '../structures/column.js';

/** What is done for a request on its way from a prefill worker to a decode worker. */
export const SUBMIT_PREFILL = 0;
export const RESERVE_DESTINATION = 1;
export const START_TRANSFER = 2;
export const ACTIVATE_DESTINATION = 3;
export const RELEASE_SOURCE = 4;
export const CANCEL_SOURCE = 5;
export const CANCEL_DESTINATION = 6;

/** What has happened: bits of a request's state. The first ones mark actions that were issued. */
const ISSUED = 1;
export const HELD = 1 << 8;
export const RESERVED = 1 << 9;
export const TRANSFERRED = 1 << 10;
export const ACTIVATED = 1 << 11;
export const FAILED = 1 << 12;
/** The source is released, or what was left of a failure is cleaned up. */
export const OVER = 1 << 13;

/**
 * The handoff of each request, by slot (`common/handoff.rs` of the reference). Whether the source is held before the
 * destination is reserved, or the other way round, is a matter of the engine.
 */
export class Handoffs {
  prefillRank = new Int32Array(0);
  decodeRank = new Int32Array(0);
  prefillOverlapTokens = new Int32Array(0);
  decodeOverlapTokens = new Int32Array(0);
  transferTokens = new Int32Array(0);
  sourceHeldMs = new Float64Array(0);
  destinationReservedMs = new Float64Array(0);
  destinationActivatedMs = new Float64Array(0);
  sourceReleasedMs = new Float64Array(0);
  /** Place in the order in which requests came. */
  order = new Float64Array(0);
  private begun = 0;
  private state = new Int32Array(0);
  /** Cancellations under way. */
  private cancelling = new Int32Array(0);

  constructor(private readonly isSourceFirst: boolean) {}

  growTo(slots: number): void {
    growColumns(this, slots);
  }

  /** Begins the handoff of a request. @returns its first action */
  begin(slot: number): number {
    this.order[slot] = this.begun++;
    this.prefillRank[slot] = -1;
    this.decodeRank[slot] = -1;
    this.prefillOverlapTokens[slot] = -1;
    this.decodeOverlapTokens[slot] = -1;
    this.sourceHeldMs[slot] = Number.NaN;
    this.destinationReservedMs[slot] = Number.NaN;
    this.destinationActivatedMs[slot] = Number.NaN;
    this.sourceReleasedMs[slot] = Number.NaN;
    this.cancelling[slot] = 0;
    this.state[slot] = 0;
    return this.issue(slot, this.isSourceFirst ? SUBMIT_PREFILL : RESERVE_DESTINATION);
  }

  has(slot: number, fact: number): boolean {
    return (this.state[slot] & fact) !== 0;
  }

  hasIssued(slot: number, action: number): boolean {
    return (this.state[slot] & (ISSUED << action)) !== 0;
  }

  private issue(slot: number, action: number): number {
    this.state[slot] |= ISSUED << action;
    return action;
  }

  /** Notes that something has happened. @returns the action that follows from it, or -1 */
  note(slot: number, fact: number): number {
    this.state[slot] |= fact;
    if (this.has(slot, FAILED)) return -1;
    const mayIssue = (action: number) => !this.hasIssued(slot, action);
    if (this.has(slot, HELD) && mayIssue(RESERVE_DESTINATION)) return this.issue(slot, RESERVE_DESTINATION);
    if (this.has(slot, RESERVED) && mayIssue(SUBMIT_PREFILL)) return this.issue(slot, SUBMIT_PREFILL);
    if (this.has(slot, HELD) && this.has(slot, RESERVED) && mayIssue(START_TRANSFER))
      return this.issue(slot, START_TRANSFER);
    if (this.has(slot, TRANSFERRED) && mayIssue(ACTIVATE_DESTINATION))
      return this.issue(slot, ACTIVATE_DESTINATION);
    if (this.has(slot, ACTIVATED) && mayIssue(RELEASE_SOURCE)) return this.issue(slot, RELEASE_SOURCE);
    return -1;
  }

  /** The request cannot go on. @returns the actions that clean up after it */
  fail(slot: number): number[] {
    this.state[slot] |= FAILED;
    const cleanup: number[] = [];
    if (this.hasIssued(slot, SUBMIT_PREFILL)) cleanup.push(CANCEL_SOURCE);
    if (this.hasIssued(slot, RESERVE_DESTINATION)) cleanup.push(CANCEL_DESTINATION);
    this.cancelling[slot] = cleanup.length;
    return cleanup;
  }

  /** One cancellation is done. @returns whether all are */
  cancelled(slot: number): boolean {
    return --this.cancelling[slot] === 0;
  }

  /** Tells the way of a request as far as it is known here. */
  describe(slot: number, stages: StageOutcome): void {
    stages.prefillWorker = orNull(this.prefillRank[slot]);
    stages.sourceHeldMs = this.sourceHeldMs[slot];
    stages.destinationReservedMs = this.destinationReservedMs[slot];
    stages.destinationActivatedMs = this.destinationActivatedMs[slot];
    stages.sourceReleasedMs = this.sourceReleasedMs[slot];
    stages.prefillOverlapTokens = orNull(this.prefillOverlapTokens[slot]);
    stages.decodeOverlapTokens = orNull(this.decodeOverlapTokens[slot]);
  }
}

function orNull(value: number): number | null {
  return value < 0 ? null : value;
}

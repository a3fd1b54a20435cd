import { EventQueue } from './event-queue.js';

/** Kinds of events. */
export const PASS_END = 0;
export const WORKER_READY = 1;
export const TRANSFER_END = 2;

const KINDS = 4;
/** Events that one round of a time can cause, of each kind. */
const ROUND = 2 ** 40;

/** Whether an event no longer stands for anything. */
type IsVoid = (subject: number, order: number) => boolean;

/**
 * The clock of a run and what is to come. What happens at one time happens in rounds; among events of equal time those
 * come first that were caused first: at an earlier time, in an earlier round, transfers before the passes that start
 * after them, passes by the number of their worker. By other rules they come by their kind, and then by number.
 */
export class Agenda {
  nowMs = 0;
  round = 0;
  private readonly events = new EventQueue();
  private transfers = 0;

  /** @param ordersByKind whether events of equal time come by their kind, whatever caused them first */
  constructor(private readonly ordersByKind = false) {}

  /** Asked for ends of passes and for ready workers. */
  isVoid: IsVoid = () => false;

  /** Time of the next event; Infinity when there is none. */
  get nextMs(): number {
    this.dropVoid();
    return this.events.timeMs;
  }

  private dropVoid(): void {
    const { events } = this;
    while (events.size > 0) {
      const kind = events.actor % KINDS;
      if (kind === TRANSFER_END || !this.isVoid(Math.floor(events.actor / KINDS), events.order)) return;
      events.pop();
    }
  }

  /** A pass that began, or will begin, at `startMs` ends. @returns a name for the event */
  pushPassEnd(endMs: number, startMs: number, worker: number): number {
    if (this.ordersByKind) return this.pushByKind(endMs, worker, worker, PASS_END);
    const round = startMs === this.nowMs ? this.round : 0;
    return this.events.push(endMs, startMs, round * ROUND + ROUND / 2 + worker, worker * KINDS + PASS_END);
  }

  /** @param order of its request, which counts where events come by kind and number */
  pushTransferEnd(endMs: number, slot: number, order: number): void {
    if (this.ordersByKind) {
      this.pushByKind(endMs, order, slot, TRANSFER_END);
      return;
    }
    const rank = this.round * ROUND + this.transfers++;
    this.events.push(endMs, this.nowMs, rank, slot * KINDS + TRANSFER_END);
  }

  /** @returns a name for the event */
  pushReady(readyMs: number, worker: number): number {
    if (this.ordersByKind) return this.pushByKind(readyMs, worker, worker, WORKER_READY);
    const rank = this.round * ROUND + ROUND * 0.75 + worker;
    return this.events.push(readyMs, this.nowMs, rank, worker * KINDS + WORKER_READY);
  }

  private pushByKind(timeMs: number, order: number, subject: number, kind: number): number {
    return this.events.push(timeMs, kind, order, subject * KINDS + kind);
  }

  /** Handles the next events as long as they are of this kind and due now. @returns whether there was one */
  takeAll(kind: number, handle: (subject: number) => void): boolean {
    let any = false;
    for (let subject = this.take(kind); subject >= 0; subject = this.take(kind)) {
      handle(subject);
      any = true;
    }
    return any;
  }

  /** @returns the worker or slot of the next event, or -1 when it is of another kind or to come */
  private take(kind: number): number {
    this.dropVoid();
    const { events } = this;
    if (events.timeMs !== this.nowMs || events.actor % KINDS !== kind) return -1;
    const subject = Math.floor(events.actor / KINDS);
    events.pop();
    return subject;
  }
}

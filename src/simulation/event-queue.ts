import { Heap } from '../structures/heap.js';

/**
 * Events of numbered actors at times: earliest first, among equals what was caused first (by time of the cause, then by
 * rank), then the smaller actor. An event is named by the order in which it was pushed.
 */
export class EventQueue {
  private readonly events = new Heap(4, 5);
  private nextOrder = 0;

  get size(): number {
    return this.events.size;
  }

  /** Infinity when empty. */
  get timeMs(): number {
    return this.events.size > 0 ? this.events.least(0) : Number.POSITIVE_INFINITY;
  }

  get actor(): number {
    return this.events.least(3);
  }

  get order(): number {
    return this.events.least(4);
  }

  /** @returns the order number of the event */
  push(timeMs: number, causeMs: number, rank: number, actor: number): number {
    this.events.push(timeMs, causeMs, rank, actor, this.nextOrder);
    return this.nextOrder++;
  }

  pop(): void {
    this.events.pop();
  }
}

import type { PassMetrics } from './pass-meter.js';
import { SlotQueue } from './slot-queue.js';

/** What a scheduler does for requests whose prompt is computed elsewhere and arrives by transfer. */
export interface DestinationHost {
  /** Whether the prompt would fit into an empty pool. */
  fits(slot: number): boolean;
  promptTokens(slot: number): number;
  /** Whether another request may run at all. */
  hasRoom(): boolean;
  /** Takes the blocks of the prompt. @returns tokens that must be transferred, or -1 when blocks are short */
  reserve(slot: number): number;
  /** The prompt has arrived: the request may run. @returns whether that freed blocks */
  activate(slot: number): boolean;
  /** Gives back the blocks of a prompt that will not arrive. */
  giveUp(slot: number): void;
}

/**
 * Requests of a decode worker that wait for room, first in first out, and those that have it and wait for their
 * transfer (`scheduler/*` and `kv_manager/*` of the reference). Only the head is tried, and again only after something
 * has freed capacity.
 */
export class Destinations {
  /** Requests that hold blocks and wait for their transfer. */
  reserved = 0;
  /** Prompt tokens of all requests here, with room or without. */
  promptTokens = 0;
  /** Tokens that the last request to get room must have transferred. */
  transferTokens = 0;
  private readonly waiting = new SlotQueue();
  private headWasTried = false;

  constructor(private readonly host: DestinationHost) {}

  get pending(): number {
    return this.waiting.size;
  }

  /** Whether the next end of a pass may give the head its room. */
  get wantsRetry(): boolean {
    return this.waiting.size > 0 && !this.headWasTried;
  }

  /** Queues a request. @returns false when its prompt can never fit */
  request(slot: number): boolean {
    if (!this.host.fits(slot)) return false;
    this.promptTokens += this.host.promptTokens(slot);
    this.waiting.pushBack(slot);
    return true;
  }

  /** Tries the head, once until capacity changes. @returns the request that got room, or -1 */
  retry(): number {
    if (!this.wantsRetry) return -1;
    const slot = this.waiting.first;
    const tokens = this.host.hasRoom() ? this.host.reserve(slot) : -1;
    if (tokens < 0) {
      this.headWasTried = true;
      return -1;
    }
    this.waiting.popFront();
    this.reserved++;
    this.transferTokens = tokens;
    return slot;
  }

  activate(slot: number): void {
    this.reserved--;
    this.promptTokens -= this.host.promptTokens(slot);
    if (this.host.activate(slot)) this.capacityChanged();
  }

  /** A request that waits here, for room or for its transfer, will not come. */
  cancel(slot: number): void {
    if (this.waiting.has(slot)) this.waiting.remove(slot);
    else {
      this.reserved--;
      this.host.giveUp(slot);
    }
    this.capacityChanged();
  }

  /** Something gave blocks back, so that the head may be tried again. */
  capacityChanged(): void {
    this.headWasTried = false;
  }

  /** Counts all requests here as queued to decode, but for those that came after a time. */
  measure(queued: PassMetrics, receivedMs: Float64Array, untilMs: number): void {
    const { waiting } = this;
    queued.queuedDecodeRequests += waiting.size + this.reserved;
    queued.queuedDecodeTokens += this.promptTokens;
    for (let i = waiting.size - 1; i >= 0 && receivedMs[waiting.at(i)] > untilMs; i--) {
      queued.queuedDecodeRequests--;
      queued.queuedDecodeTokens -= this.host.promptTokens(waiting.at(i));
    }
  }

  /** Requests that wait for room, in order. */
  waitingSlots(): number[] {
    return Array.from({ length: this.waiting.size }, (_, index) => this.waiting.at(index));
  }
}

import type { PassMetrics } from '../pass-meter.js';
import { PREEMPTED, type SchedulerRequests } from '../requests.js';
import { SlotQueue } from '../slot-queue.js';
import type { Holdings } from './holdings.js';
import type { Offloading } from './offloading.js';

/** Requests behind the head that are looked at for one that would fit. */
const BEHIND_HEAD = 8;

/** Requests that wait to run, first in first out. A head that was told to wait is not asked again until holdings change. */
export class WaitingLine {
  private readonly queue = new SlotQueue();
  private headWaits = false;
  /** Tokens of all of them, and how many of them, with how many tokens, wait to decode. */
  private tokens = 0;
  private decodeRequests = 0;
  private decodeTokens = 0;
  private arrivals = 0;

  /** @param areComputed whether prompts are computed elsewhere, but for requests that say otherwise */
  constructor(
    private readonly requests: SchedulerRequests,
    private readonly holdings: Holdings,
    private readonly offloading: Offloading | undefined,
    private readonly areComputed: boolean,
  ) {}

  get size(): number {
    return this.queue.size;
  }

  get slots(): number[] {
    return Array.from({ length: this.queue.size }, (_, i) => this.queue.at(i));
  }

  has(slot: number): boolean {
    return this.queue.has(slot);
  }

  /** A request is known here from now on; when it came decides where `insert` puts it. */
  enter(slot: number): void {
    this.requests.arrivalOrder[slot] = this.arrivals++;
  }

  pushBack(slot: number): void {
    if (this.queue.size === 0) this.headWaits = false;
    this.queue.pushBack(slot);
    this.count(slot, 1);
  }

  /** Puts a request before the first that came after it. */
  insert(slot: number): void {
    const { queue } = this;
    const { arrivalOrder } = this.requests;
    let index = 0;
    while (index < queue.size && arrivalOrder[queue.at(index)] < arrivalOrder[slot]) index++;
    if (index === 0) this.headWaits = false;
    queue.insert(index, slot);
    this.count(slot, 1);
  }

  pushFront(slot: number): void {
    this.queue.pushFront(slot);
    this.count(slot, 1);
    this.headWaits = false;
  }

  remove(slot: number): void {
    this.queue.remove(slot);
    this.count(slot, -1);
    this.headWaits = false;
  }

  private count(slot: number, sign: number): void {
    const tokens = sign * this.tokensOf(slot);
    this.tokens += tokens;
    if (!this.waitsToDecode(slot)) return;
    this.decodeRequests += sign;
    this.decodeTokens += tokens;
  }

  private tokensOf(slot: number): number {
    const { status, length, promptTokens } = this.requests;
    return status[slot] === PREEMPTED && !this.cameComputed(slot) ? length[slot] : promptTokens[slot];
  }

  private waitsToDecode(slot: number): boolean {
    return this.requests.status[slot] === PREEMPTED || this.cameComputed(slot);
  }

  private cameComputed(slot: number): boolean {
    return this.areComputed && this.requests.computesPrompt[slot] === 0;
  }

  /** Sets what is queued, but for requests that came after a time. */
  measure(queued: PassMetrics, untilMs: number): void {
    const { queue, requests } = this;
    queued.queuedPrefillRequests = queue.size - this.decodeRequests;
    queued.queuedPrefillTokens = this.tokens - this.decodeTokens;
    queued.queuedDecodeRequests = this.decodeRequests;
    queued.queuedDecodeTokens = this.decodeTokens;
    for (let i = queue.size - 1; i >= 0 && requests.receivedMs[queue.at(i)] > untilMs; i--) {
      const slot = queue.at(i);
      if (this.waitsToDecode(slot)) {
        queued.queuedDecodeRequests--;
        queued.queuedDecodeTokens -= this.tokensOf(slot);
      } else {
        queued.queuedPrefillRequests--;
        queued.queuedPrefillTokens -= this.tokensOf(slot);
      }
    }
  }

  /** The head cannot have what it needs. */
  makeHeadWait(): void {
    this.headWaits = true;
    this.holdings.hasChanged = false;
  }

  /**
   * The next request to admit, or -1.
   * @param onlyWithPrompt while a destination waits for room only those may run that came with their prompt computed
   */
  next(onlyWithPrompt: boolean): number {
    const { queue, offloading } = this;
    if (offloading) {
      for (let i = 0; i < queue.size; i++) if (!offloading.mustWait(queue.at(i))) return queue.at(i);
      return -1;
    }
    if (!onlyWithPrompt) return this.headWaits && !this.holdings.hasChanged ? -1 : queue.first;
    for (let i = 0; i < queue.size; i++) if (this.requests.computed[queue.at(i)] > 0) return queue.at(i);
    return -1;
  }

  /** Whether the prompt of one of the next requests behind the head would fit into some tokens. */
  hasShorterThan(tokens: number): boolean {
    const { queue } = this;
    const end = Math.min(queue.size, BEHIND_HEAD + 1);
    for (let i = 1; i < end; i++) if (this.requests.promptTokens[queue.at(i)] <= tokens) return true;
    return false;
  }
}

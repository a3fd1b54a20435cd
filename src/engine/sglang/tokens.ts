import type { GapSink, RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';
import type { Leases } from './leases.js';

/** New tokens of requests, and the pages taken for those of a pass before it is known how many there are. */
export class Tokens {
  private reserved = 0;

  constructor(
    private readonly requests: SchedulerRequests,
    private readonly leases: Leases,
    private readonly log: RequestLog,
    private readonly gaps: GapSink,
    private readonly pageTokens: number,
  ) {}

  /** Tokens of the pages that requests need for at most `most` tokens each. */
  growth(slots: readonly number[], most: number): number {
    const { requests } = this;
    let growth = 0;
    for (const slot of slots) {
      const end = requests.length[slot] + Math.min(most, requests.remaining(slot));
      growth += Math.max(0, this.leases.pageUp(end) - requests.allocated[slot]);
    }
    return growth;
  }

  /** Takes the pages for some tokens. @returns false when there are not so many */
  reserve(growth: number): boolean {
    const pages = growth / this.pageTokens;
    if (!this.leases.reserve(pages)) return false;
    this.reserved = pages;
    return true;
  }

  /** Gives back the pages that were not needed. */
  settle(): void {
    this.leases.giveBack(this.reserved);
    this.reserved = 0;
  }

  emit(slot: number, endMs: number): void {
    const { requests, leases } = this;
    if (requests.length[slot] + 1 > requests.allocated[slot]) {
      leases.addPages(slot, 1);
      this.reserved--;
      requests.allocated[slot] += this.pageTokens;
    }
    requests.computed[slot]++;
    this.emitLast(slot, endMs);
  }

  /** As `emit`, for a last token that nothing follows, so that it needs no room of its own. */
  emitLast(slot: number, endMs: number): void {
    this.requests.length[slot]++;
    this.log.token(slot, endMs, this.gaps);
  }
}

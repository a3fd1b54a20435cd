import type { SchedulerRequests } from '../requests.js';
import type { Leases } from './leases.js';
import type { Tokens } from './tokens.js';

/** What of a pass is told to the scheduler. */
export interface TokenSignals {
  ended(slot: number): void;
  /** A request had a token and goes on. */
  continued(slot: number, wasSilent: boolean): void;
  isSilent(slot: number): boolean;
}

/** The tokens of a pass that prefills and decodes nothing: one for each request whose prompt it completes. */
export class FirstTokens {
  private readonly last: number[] = [];
  private readonly others: number[] = [];

  constructor(
    private readonly requests: SchedulerRequests,
    private readonly leases: Leases,
    private readonly tokens: Tokens,
    private readonly signals: TokenSignals,
  ) {}

  /** Requests that get a token. */
  get count(): number {
    return this.last.length + this.others.length;
  }

  /** Takes pages for the tokens of the requests that go on; where there are too few, those wait for a decode step. */
  prepare(placed: readonly number[]): void {
    const { last, others, requests, tokens } = this;
    last.length = 0;
    others.length = 0;
    for (const slot of placed) {
      const remaining = requests.remaining(slot);
      if (remaining === 1) last.push(slot);
      else if (remaining > 1) others.push(slot);
    }
    if (others.length > 0 && !tokens.reserve(tokens.growth(others, 1))) others.length = 0;
  }

  /** @returns tokens emitted */
  settle(endMs: number): number {
    const { last, others, tokens, signals, leases, requests } = this;
    for (const slot of last) {
      tokens.emitLast(slot, endMs);
      signals.ended(slot);
    }
    for (const slot of others) {
      const wasSilent = signals.isSilent(slot);
      tokens.emit(slot, endMs);
      leases.cachePrefix(slot, requests.computed[slot]);
      signals.continued(slot, wasSilent);
    }
    tokens.settle();
    return this.count;
  }
}

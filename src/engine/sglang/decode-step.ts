import type { PassClock } from '../../timing/pass-clock.js';
import type { SchedulerRequests } from '../requests.js';
import type { Speculation } from '../speculation.js';
import type { TokenSignals } from './first-tokens.js';
import type { Leases } from './leases.js';
import type { Tokens } from './tokens.js';

/** One decode step for everything that runs: makes room for the next tokens, retracting where it must, and emits them. */
export class DecodeStep {
  /** Whether any request gets a token. */
  any = false;

  constructor(
    private readonly requests: SchedulerRequests,
    private readonly leases: Leases,
    private readonly tokens: Tokens,
    private readonly clock: PassClock,
    private readonly speculation: Speculation | undefined,
    private readonly signals: TokenSignals,
    /** Takes a request out of service; its pages are free then. */
    private readonly retract: (slot: number) => void,
  ) {}

  /** @param running the requests to decode, of which those are taken out that must be retracted. @returns the end */
  prepare(startMs: number, running: number[]): number {
    const { leases, tokens, clock } = this;
    this.any = false;
    if (running.length === 0) return startMs;
    const most = this.speculation?.maxBurst ?? 1;
    let growth = tokens.growth(running, most);
    while (leases.availableTokens + leases.evictableTokens < growth && running.length > 1) {
      this.retract(this.takeVictim(running));
      growth = tokens.growth(running, most);
    }
    if (!tokens.reserve(growth)) return startMs;
    this.any = true;
    return startMs + (this.stepMs(running) + clock.overheadMs(running.length));
  }

  /** Takes out the request with the fewest output tokens. */
  private takeVictim(running: number[]): number {
    const { requests } = this;
    const output = (slot: number) => requests.length[slot] - requests.promptTokens[slot];
    let victim = 0;
    for (let i = 1; i < running.length; i++) if (output(running[i]) < output(running[victim])) victim = i;
    return running.splice(victim, 1)[0];
  }

  private stepMs(running: readonly number[]): number {
    let tokens = 0;
    for (const slot of running) tokens += this.requests.length[slot];
    return this.clock.decodeTokensMs(running.length, tokens);
  }

  /** @returns tokens emitted */
  settle(endMs: number, running: readonly number[]): number {
    const { requests, leases, speculation, tokens, signals } = this;
    let total = 0;
    for (let i = 0; i < running.length; i++) {
      const slot = running[i];
      const wasSilent = signals.isSilent(slot);
      const burst = speculation ? speculation.burst(requests.remaining(slot)) : 1;
      let emitted = 0;
      while (emitted < burst && requests.remaining(slot) > 0) {
        tokens.emit(slot, endMs);
        emitted++;
        if (requests.remaining(slot) > 0) leases.cachePrefix(slot, requests.computed[slot]);
      }
      total += emitted;
      if (requests.remaining(slot) === 0) signals.ended(slot);
      else signals.continued(slot, wasSilent);
    }
    tokens.settle();
    return total;
  }
}

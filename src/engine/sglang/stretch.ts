import type { PassClock } from '../../timing/pass-clock.js';
import { PassEnds } from '../pass-ends.js';
import type { GapSink, RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';
import type { Leases } from './leases.js';

interface StretchLimits {
  /** Passes begin before a time, and there are so many at most. */
  limitMs: number;
  most: number;
  /** Whether passes in which a request gets or fills a page may be planned too. */
  changesPages: boolean;
}

/**
 * A planned run of passes in which every running request emits one token and none ends. Each pass takes longer than
 * the one before, since the contexts grow, so the plan is a list of end times. Pages that requests get and fill on the
 * way are left to `commit`: nothing that the plan depends on hangs on them.
 */
export class DecodeStretch {
  private readonly ends: PassEnds;
  /** Requests by tokens until their page is full, as positions among the running ones. */
  private readonly byPhase: number[] = [];
  private readonly phase: number[] = [];

  constructor(
    private readonly requests: SchedulerRequests,
    private readonly log: RequestLog,
    gaps: GapSink,
    private readonly leases: Leases,
    clock: PassClock,
    private readonly pageTokens: number,
  ) {
    this.ends = new PassEnds(clock, gaps);
  }

  /** Planned passes that have not happened yet. */
  get passes(): number {
    return this.ends.passes;
  }

  /** When the next planned pass begins, and when the last committed one began. */
  get startMs(): number {
    return this.ends.startMs;
  }

  get lastCommittedMs(): number {
    return this.ends.lastCommittedMs;
  }

  /** Known tokens of all requests before the next planned pass. */
  get startTokens(): number {
    return this.ends.startTokens;
  }

  /** When the last pass begins. */
  get lastStartMs(): number {
    return this.ends.lastStartMs;
  }

  /**
   * Plans passes up to the next request that ends.
   * @returns the end of the last pass planned, or -1 when the next one must be executed
   */
  plan(running: readonly number[], nowMs: number, { limitMs, most, changesPages }: StretchLimits): number {
    const quiet = Math.min(most, this.quietPasses(running, nowMs, changesPages));
    let tokens = 0;
    for (const slot of running) tokens += this.requests.length[slot];
    return this.ends.plan(nowMs, running.length, tokens, quiet, limitMs);
  }

  /** Leaves out planned passes that would begin at a time or later. @returns the end of the last one left, or -1 */
  shorten(limitMs: number): number {
    return this.ends.shorten(limitMs);
  }

  /** Forgets what is planned. */
  drop(): void {
    this.ends.passes = 0;
  }

  /** Passes until a request ends or pages run short, or 0 when some request did not emit in the pass before. */
  private quietPasses(running: readonly number[], nowMs: number, changesPages: boolean): number {
    const { requests, log, leases, pageTokens } = this;
    let toEnd = Number.POSITIVE_INFINITY;
    let toFull = Number.POSITIVE_INFINITY;
    for (const slot of running) {
      if (log.lastTokenMs[slot] !== nowMs) return 0;
      toEnd = Math.min(toEnd, requests.remaining(slot) - 1);
      toFull = Math.min(toFull, requests.allocated[slot] - requests.length[slot] - 1);
    }
    if (!changesPages) return Math.min(toEnd, toFull);
    const rounds = Math.floor(
      (leases.availableTokens + leases.evictableTokens) / pageTokens / running.length,
    );
    return Math.min(toEnd, Math.max(toFull, (rounds - 1) * pageTokens));
  }

  /**
   * Makes the planned passes happen that end by `untilMs`; the next begins at `startMs` then.
   * @returns how many passes those are
   */
  commit(running: readonly number[], untilMs: number): number {
    const { requests, log, ends } = this;
    const { firstEndMs } = ends;
    const passes = ends.commit(untilMs);
    if (passes === 0) return 0;
    this.changePages(running, passes);
    for (const slot of running) {
      if (log.emittedTokens[slot] === 1) log.secondTokenMs[slot] = firstEndMs;
      log.emittedTokens[slot] += passes;
      log.lastTokenMs[slot] = ends.startMs;
      requests.length[slot] += passes;
      requests.computed[slot] += passes;
    }
    return passes;
  }

  /**
   * Gives requests pages as they need them and enters full ones into the tree, pass by pass: first all pages that a
   * pass needs, then those that it fills, in the order of the running requests. A request whose page has room for
   * `phase` tokens fills it in that pass and needs the next page in the pass after.
   */
  private changePages(running: readonly number[], passes: number): void {
    const { requests, leases, pageTokens, byPhase, phase } = this;
    byPhase.length = 0;
    for (let i = 0; i < running.length; i++) {
      phase[i] = requests.allocated[running[i]] - requests.length[running[i]];
      if (phase[i] <= passes) byPhase.push(i);
    }
    if (byPhase.length === 0) return;
    if (byPhase.length > 1) byPhase.sort((a, b) => phase[a] - phase[b] || a - b);
    const rounds = Math.ceil((passes + 1) / pageTokens) + 1;
    const events = rounds * byPhase.length;
    const passOf = (event: number) =>
      phase[byPhase[event % byPhase.length]] + Math.floor(event / byPhase.length) * pageTokens;
    let growing = 0;
    let filling = 0;
    while (filling < events && passOf(filling) === 0) filling++;
    for (;;) {
      const pass = Math.min(passOf(growing) + 1, passOf(filling));
      if (pass > passes) return;
      const first = growing;
      while (passOf(growing) + 1 === pass) growing++;
      if (growing > first) leases.reserve(growing - first);
      for (let event = first; event < growing; event++) {
        const slot = running[byPhase[event % byPhase.length]];
        leases.addPages(slot, 1);
        requests.allocated[slot] += pageTokens;
      }
      for (; passOf(filling) === pass; filling++) {
        const slot = running[byPhase[filling % byPhase.length]];
        leases.cachePrefix(slot, requests.computed[slot] + pass);
      }
    }
  }
}

import type { PassClock } from '../../timing/pass-clock.js';
import type { BlockPool } from '../kv/block-pool.js';
import type { GapSink, RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';
import { Speculation } from '../speculation.js';
import type { Emission } from './emission.js';
import type { Holdings } from './holdings.js';
import type { VllmOptions } from './options.js';
import type { Pass } from './pass.js';

/** What the emission of bursts needs of the scheduler. */
interface BurstOwner {
  readonly running: readonly number[];
  /** Takes the blocks of a running request away. @returns the victim, or -1 where nobody may be preempted */
  preempt(): number;
}

/**
 * Emission under speculative decoding: a request emits several tokens in one pass, and blocks for the longest bursts
 * are promised before it is known how long they are.
 */
export class Bursts {
  /** Requests that emit in this pass. */
  ready: number[] = [];
  private reservedBlocks = 0;
  private readonly speculation: Speculation;

  constructor(
    private readonly owner: BurstOwner,
    private readonly options: VllmOptions,
    acceptRates: readonly number[],
    private readonly pool: BlockPool,
    private readonly clock: PassClock,
    private readonly requests: SchedulerRequests,
    private readonly holdings: Holdings,
    private readonly log: RequestLog,
    private readonly gaps: GapSink,
    private readonly emission: Emission,
    private readonly pass: Pass,
  ) {
    this.speculation = new Speculation(
      acceptRates,
      options.speculationSeed,
      options.workerType === 'prefill',
    );
  }

  /** Promises blocks for the longest bursts, preempting while they do not fit. @returns the end of the decode step */
  prepare(startMs: number): number {
    const { requests, pool, options, owner } = this;
    for (;;) {
      this.ready = owner.running.filter((slot) => requests.computed[slot] >= requests.length[slot]);
      if (this.ready.length === 0) return startMs;
      let required = 0;
      let tokens = 0;
      let decoding = 0;
      for (const slot of this.ready) {
        const length = requests.length[slot];
        const burst = this.mostOf(slot);
        required +=
          Math.ceil((length + burst) / options.blockTokens) - Math.ceil(length / options.blockTokens);
        if (this.pass.emits(slot)) continue;
        tokens += length;
        decoding++;
      }
      if (pool.reserve(required)) {
        this.reservedBlocks = required;
        if (options.workerType === 'prefill' || decoding === 0) return startMs;
        const active = pool.active - required;
        return startMs + options.rules.decodeMs(this.clock, decoding, tokens, active);
      }
      if (!pool.isBlocked && owner.preempt() >= 0) continue;
      this.ready = [];
      return startMs;
    }
  }

  /** Tokens that a request emits in this pass at most: one where it comes with the prompt, since nothing was drafted. */
  private mostOf(slot: number): number {
    return this.pass.emits(slot) ? 1 : Math.min(this.speculation.maxBurst, this.requests.remaining(slot));
  }

  /** Draws the bursts of all requests, then emits them. @returns tokens emitted */
  emit(endMs: number): number {
    const { requests, log, pool, emission } = this;
    const bursts = this.ready.map((slot) =>
      this.pass.emits(slot) ? 1 : this.speculation.burst(requests.remaining(slot)),
    );
    this.ready.forEach((slot, index) => {
      const wasSilent = log.emittedTokens[slot] === 0;
      for (let left = bursts[index]; left > 0; left--) this.emitToken(slot, endMs);
      const length = requests.length[slot];
      requests.allocated[slot] = length;
      requests.computed[slot] = length - 1;
      if (requests.remaining(slot) === 0) emission.finish(slot);
      else if (wasSilent) emission.noteFirstToken(slot);
    });
    pool.unreserve(this.reservedBlocks);
    this.reservedBlocks = 0;
    return bursts.reduce((sum, burst) => sum + burst, 0);
  }

  private emitToken(slot: number, endMs: number): void {
    this.log.token(slot, endMs, this.gaps);
    const length = ++this.requests.length[slot];
    if (length % this.options.blockTokens !== 1) return;
    this.holdings.nameEmitted(slot, length);
    this.pool.commitReserved(1);
    this.reservedBlocks--;
    this.holdings.held++;
  }
}

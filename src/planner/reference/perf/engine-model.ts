import type { RankPass } from '../../planner.js';
import { MovingAverage } from './moving-average.js';
import { toNanoseconds } from './nanoseconds.js';
import type { PassTimes } from './pass-times.js';
import type { Work } from './work.js';

export type EngineRole = 'aggregated' | 'prefill' | 'decode';

/** What a worker takes at most. */
export interface EngineLimits {
  readonly maxBatchedTokens: number;
  readonly maxRequests: number;
  readonly kvTokens: number;
}

/** Requests that wait for their prefill, beside those that decode. */
export interface Queue {
  readonly requests: number;
  readonly tokens: number;
  readonly decodeRequests: number;
  readonly decodeTokens: number;
}

const MS_PER_SECOND = 1000;

/**
 * What the planner believes about the engine of a stage: times of passes, and what requests look like. Durations are
 * whole nanoseconds.
 */
export class EngineModel {
  /** Tokens of a prompt, and of a request that decodes, as seen lately. */
  readonly promptTokens: MovingAverage;
  readonly contextTokens: MovingAverage;
  private readonly passPrefillTokens: MovingAverage;
  private readonly passPrefillRequests: MovingAverage;

  /** @param window of the averages, in passes */
  constructor(
    readonly role: EngineRole,
    readonly limits: EngineLimits,
    private readonly times: PassTimes,
    window: number,
  ) {
    this.promptTokens = new MovingAverage(window);
    this.contextTokens = new MovingAverage(window);
    this.passPrefillTokens = new MovingAverage(window);
    this.passPrefillRequests = new MovingAverage(window);
  }

  get isReady(): boolean {
    return this.times.isReady;
  }

  /** Notes what requests look like, rank by rank. */
  observe(pass: RankPass): void {
    const { prefillRequests, prefillTokens, decodeRequests, decodeTokens } = pass;
    this.promptTokens.add(prefillRequests > 0 ? prefillTokens / prefillRequests : 0);
    if (decodeRequests > 0) this.contextTokens.add(decodeTokens / decodeRequests);
  }

  /** Learns the time of a pass of all ranks of a worker. */
  learn(ranks: readonly RankPass[]): void {
    let tokens = 0;
    let requests = 0;
    let seconds = 0;
    for (const rank of ranks) {
      tokens = Math.max(tokens, rank.prefillTokens);
      requests = Math.max(requests, rank.prefillRequests);
      if (Number.isFinite(rank.wallSeconds)) seconds = Math.max(seconds, rank.wallSeconds);
    }
    this.passPrefillTokens.add(tokens);
    this.passPrefillRequests.add(requests);
    if (seconds > 0) this.times.learn(ranks, seconds * MS_PER_SECOND);
  }

  /** Time of one pass; `undefined` when unknown. */
  passNs(ranks: readonly Work[]): number | undefined {
    const milliseconds = this.times.milliseconds(ranks);
    return milliseconds === undefined ? undefined : toNanoseconds(milliseconds / MS_PER_SECOND);
  }

  /**
   * Time until queued prompts are computed, chunk by chunk, with the same decode load in every pass. Ranks work at
   * the same time; a rank whose queue is empty decodes on.
   */
  drainNs(ranks: readonly Queue[]): number | undefined {
    const chunk = this.limits.maxBatchedTokens;
    const full = ranks.map(({ tokens }) => Math.floor(tokens / chunk));
    const ends = new Set<number>();
    for (let i = 0; i < ranks.length; i++) {
      if (ranks[i].tokens === 0) continue;
      ends.add(full[i]);
      if (ranks[i].tokens % chunk > 0) ends.add(full[i] + 1);
    }
    let total = 0;
    let from = 0;
    for (const to of [...ends].sort((a, b) => a - b)) {
      if (to === from) continue;
      const passes = ranks.map((queue, i) => {
        const left = queue.tokens - from * chunk;
        return this.chunkOf(queue, from < full[i] ? chunk : Math.max(0, left));
      });
      const ns = this.passNs(passes);
      if (ns === undefined) return undefined;
      total += ns * (to - from);
      from = to;
    }
    return total;
  }

  private chunkOf(queue: Queue, tokens: number): Work {
    const decodes = this.role === 'aggregated';
    return {
      prefillRequests: tokens > 0 ? queue.requests || 1 : 0,
      prefillTokens: tokens,
      prefillCachedTokens: 0,
      decodeRequests: decodes ? queue.decodeRequests : 0,
      decodeTokens: decodes ? queue.decodeTokens : 0,
    };
  }

  /** Time between two tokens of a request: of one pass, which usually also prefills where workers do both. */
  itlNs(ranks: readonly Work[]): number | undefined {
    if (this.role !== 'aggregated') return this.passNs(ranks);
    const prefillTokens = Math.ceil(this.passPrefillTokens.value);
    const prefillRequests = Math.max(Math.ceil(this.passPrefillRequests.value), prefillTokens > 0 ? 1 : 0);
    return this.passNs(
      ranks.map((work) => (work.prefillTokens > 0 ? work : { ...work, prefillTokens, prefillRequests })),
    );
  }
}

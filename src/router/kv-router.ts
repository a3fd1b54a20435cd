import type { PolicyProfile } from '../config/router-policy.js';
import { WyRand } from '../random/wyrand.js';
import { grown } from '../structures/column.js';
import { ClassQueue, FairQueue, type QueuedRequest } from './class-queue.js';
import { type CostWeights, chooseTarget, targetCost } from './cost.js';
import { classOf } from './policy.js';
import type { PrefillEstimator } from './prefill-load.js';
import { PrefixIndex } from './prefix-index.js';
import type { Placement, RoutedRequest, Router, RouterUse } from './router.js';
import { TargetLoad } from './target-load.js';

export interface KvRouterOptions {
  weights: CostWeights;
  tracksBlocks: boolean;
  /** Whether equal prompt blocks in service count once. */
  assumesReuse: boolean;
  /** Whether it hears of what targets cache. */
  listens: boolean;
  policy: PolicyProfile;
  blockTokens: number;
  /** Tokens of a pass; a busy fraction is a part of them. */
  maxBatchedTokens: number;
  seed: bigint;
  /** Makes the prefill load decay. */
  estimator: PrefillEstimator | undefined;
}

/** The reference's router refuses a request when its queue is full, and the run fails. */
export class QueueLimitError extends Error {
  override readonly name = 'QueueLimitError';
}

/**
 * Places requests by cached prefix and load, and holds them back while all targets are busy
 * (`dynamo-kv-router` of the reference). Targets are ranks, by number.
 */
export class KvRouter implements Router {
  readonly use: RouterUse = {
    placed: 0,
    inputTokens: 0,
    overlapTokens: 0,
    queued: 0,
    queueMs: 0,
    maxQueueMs: 0,
  };
  private readonly cached = new PrefixIndex();
  /** What targets hold in their host tiers. */
  private readonly inHost = new PrefixIndex();
  private readonly inService = new PrefixIndex();
  private readonly loads: TargetLoad[] = [];
  /** Targets that take requests, ascending. */
  private eligible: number[] = [];
  private readonly random: WyRand;
  private readonly queue: FairQueue;
  /** Requests that are held back. */
  private readonly requests = new Map<
    number,
    { request: RoutedRequest; ids: Int32Array; idCount: number; sinceMs: number }
  >();
  private readonly targetOf = new Map<number, number>();
  private nextOrder = 0;
  private costs: number[] = [];
  private shared = new Int32Array(0);
  private prefillTokens: number[] = [];

  constructor(private readonly options: KvRouterOptions) {
    this.random = new WyRand(options.seed);
    this.queue = new FairQueue(options.policy.classes.map((policy) => new ClassQueue(policy)));
  }

  // ---- Targets -----------------------------------------------------------------------------------------------

  addTarget(target: number): void {
    this.cached.growTo(target + 1);
    this.inHost.growTo(target + 1);
    this.inService.growTo(target + 1);
    this.loads[target] ??= new TargetLoad(target, this.inService, this.options.estimator !== undefined);
    this.eligible = [...this.eligible, target].sort((a, b) => a - b);
  }

  /** A target takes no new requests; those that it has still count for it. */
  drainTarget(target: number): void {
    this.eligible = this.eligible.filter((other) => other !== target);
  }

  removeTarget(target: number): void {
    this.cached.forget(target);
    this.inHost.forget(target);
  }

  /** Targets have come or gone. @returns requests that may go now */
  topologySettled(nowMs: number): Placement[] {
    return this.drain(nowMs);
  }

  get listens(): boolean {
    return this.options.listens;
  }

  listenersOf(target: number) {
    const { cached, inHost } = this;
    if (!this.listens) return undefined;
    const listener = (index: PrefixIndex) => ({
      // Content that occurs once, whose identity is negative, is no news.
      stored: (id: number) => {
        if (id >= 0) index.stored(target, id);
      },
      removed: (id: number) => {
        if (id >= 0) index.removed(target, id);
      },
    });
    return { gpu: listener(cached), host: listener(inHost) };
  }

  // ---- Requests ----------------------------------------------------------------------------------------------

  /**
   * Places a request, or queues it and returns undefined.
   * @param ids identities of its full prompt blocks, the first `idCount`; blocks behind them occur once
   * @throws {QueueLimitError}
   */
  place(request: RoutedRequest, ids: Int32Array, idCount: number, nowMs: number): Placement | undefined {
    const { policy, blockTokens } = this.options;
    const overlaps = new Int32Array(this.loads.length);
    this.cached.match(ids, idCount, overlaps);
    const cachedTokens = Math.min(request.inputTokens, this.bestOf(overlaps) * blockTokens);
    const uncached = request.inputTokens - cachedTokens;
    const queue = this.queue.classes[classOf(policy, request.policyClass, uncached)];
    if (!this.mustQueue(queue, nowMs)) return this.choose(request, ids, idCount, overlaps, nowMs);
    const jump = Math.max(0, request.priority);
    const seconds = Math.max(nowMs, 0) / 1000;
    const costTokens = Math.max(1, uncached);
    const score = { fcfs: jump - seconds, lcfs: jump + seconds, wspt: (1 + jump) / costTokens };
    const entry: QueuedRequest = {
      slot: request.slot,
      strictPriority: request.strictPriority,
      score: score[queue.policy.queuePolicy],
      order: this.nextOrder++,
      costTokens,
      inputTokens: request.inputTokens,
      cachedTokens,
      overlaps,
    };
    this.checkLimits(queue);
    queue.push(entry);
    this.requests.set(request.slot, { request, ids, idCount, sinceMs: nowMs });
    return undefined;
  }

  /** The most blocks that one of the targets has. */
  private bestOf(overlaps: Int32Array): number {
    let best = 0;
    for (const target of this.eligible) if (overlaps[target] > best) best = overlaps[target];
    return best;
  }

  private mustQueue(queue: ClassQueue, nowMs: number): boolean {
    const { busyTokens, busyFraction } = queue.policy;
    if (busyTokens === undefined && busyFraction === undefined) return false;
    return queue.size > 0 || this.allBusy(queue, nowMs);
  }

  private allBusy(queue: ClassQueue, nowMs: number): boolean {
    const { busyTokens, busyFraction } = queue.policy;
    const most = busyTokens ?? Number.POSITIVE_INFINITY;
    const part =
      busyFraction === undefined ? Number.POSITIVE_INFINITY : busyFraction * this.options.maxBatchedTokens;
    return this.eligible.every((target) => {
      const tokens = this.loads[target].prefill.tokensAt(nowMs);
      return tokens > most || tokens > part;
    });
  }

  private checkLimits(queue: ClassQueue): void {
    const { policy } = queue;
    const limits: [string, number, number | undefined][] = [
      ['requests', queue.size, policy.requestLimit],
      ['raw_isl_tokens', queue.inputTokens, policy.inputTokenLimit],
      ['cached_tokens', queue.cachedTokens, policy.cachedTokenLimit],
    ];
    for (const [what, current, perTarget] of limits) {
      const limit = perTarget === undefined ? Number.POSITIVE_INFINITY : perTarget * this.eligible.length;
      if (current >= limit)
        throw new QueueLimitError(
          `router policy class "${policy.name}" queue ${what} limit reached (current=${current}, limit=${limit})`,
        );
    }
  }

  private choose(
    request: RoutedRequest,
    ids: Int32Array,
    idCount: number,
    overlaps: Int32Array,
    nowMs: number,
  ): Placement {
    const { options, loads } = this;
    const { blockTokens, weights } = options;
    const { slot, inputTokens } = request;
    const blocks = options.tracksBlocks ? Math.floor(inputTokens / blockTokens) : 0;
    const named = options.tracksBlocks && options.assumesReuse ? Math.min(idCount, blocks) : 0;
    const target = this.cheapest(inputTokens, blocks, ids, idCount, named, overlaps, nowMs);
    const cachedTokens = Math.min(overlaps[target] * blockTokens, inputTokens);
    loads[target].add(slot, { ids: ids.slice(0, named), otherBlocks: blocks - named }, this.shared[target]);
    if (weights.tracksPrefill) {
      const newTokens = inputTokens - cachedTokens;
      const estimate = newTokens > 0 ? options.estimator?.(newTokens, cachedTokens) : undefined;
      loads[target].prefill.add(slot, newTokens, estimate, nowMs);
    }
    this.targetOf.set(slot, target);
    this.use.placed++;
    this.use.inputTokens += inputTokens;
    this.use.overlapTokens += cachedTokens;
    const blocksThere = { overlap: overlaps[target], best: this.bestOf(overlaps) };
    return { slot, target, overlapTokens: cachedTokens, blocks: blocksThere };
  }

  /** Leading blocks that each target has in its GPU's cache or its host tier; undefined where nobody has any there. */
  private matchLower(ids: Int32Array, idCount: number): Int32Array | undefined {
    if (this.inHost.isEmpty) return undefined;
    const either = new Int32Array(this.loads.length);
    this.cached.match(ids, idCount, either, this.inHost);
    return either;
  }

  private cheapest(
    inputTokens: number,
    blocks: number,
    ids: Int32Array,
    idCount: number,
    named: number,
    overlaps: Int32Array,
    nowMs: number,
  ): number {
    const { eligible, loads, costs, prefillTokens } = this;
    const { blockTokens, weights } = this.options;
    if (this.shared.length < loads.length) this.shared = new Int32Array(loads.length);
    this.inService.match(ids, named, this.shared);
    const lower = this.matchLower(ids, idCount);
    let leastPrefillTokens = Number.POSITIVE_INFINITY;
    for (let i = 0; i < eligible.length; i++) {
      const tokens = loads[eligible[i]].prefill.tokensAt(nowMs);
      prefillTokens[i] = tokens;
      if (tokens < leastPrefillTokens) leastPrefillTokens = tokens;
    }
    costs.length = eligible.length;
    for (let i = 0; i < eligible.length; i++) {
      const target = eligible[i];
      const load = loads[target];
      costs[i] = targetCost(weights, {
        blockTokens,
        inputTokens,
        prefillTokens: prefillTokens[i],
        leastPrefillTokens,
        overlapBlocks: overlaps[target],
        hostBlocks: lower ? Math.max(0, lower[target] - overlaps[target]) : 0,
        decodeBlocks: load.blocks + blocks - this.shared[target],
        requests: load.requests,
      });
    }
    return eligible[chooseTarget(costs, weights.temperature, this.random)];
  }

  /** A request had its first token. @returns requests that may go now */
  prefillCompleted(slot: number, nowMs: number): Placement[] {
    this.loads[this.targetOf.get(slot)!].prefill.remove(slot, nowMs);
    return this.drain(nowMs);
  }

  /** A request ended. @returns requests that may go now */
  ended(slot: number, nowMs: number): Placement[] {
    this.loads[this.targetOf.get(slot)!].ended(slot, nowMs);
    this.targetOf.delete(slot);
    return this.drain(nowMs);
  }

  /** Requests that are held back. */
  get heldRequests(): number {
    return this.requests.size;
  }

  private noteWait(waitMs: number): void {
    const { use } = this;
    use.queued++;
    use.queueMs += waitMs;
    use.maxQueueMs = Math.max(use.maxQueueMs, waitMs);
  }

  private drain(nowMs: number): Placement[] {
    const placements: Placement[] = [];
    if (this.queue.size === 0 || this.eligible.length === 0) return placements;
    for (;;) {
      const entry = this.queue.pop((queue) => this.allBusy(queue, nowMs));
      if (!entry) return placements;
      const { request, ids, idCount, sinceMs } = this.requests.get(entry.slot)!;
      this.noteWait(nowMs - sinceMs);
      this.requests.delete(entry.slot);
      // Targets that have come since it arrived had nothing of it then.
      const overlaps = grown(entry.overlaps, this.loads.length);
      placements.push(this.choose(request, ids, idCount, overlaps, nowMs));
    }
  }
}

import type { PolicyProfile } from '../config/router-policy.js';
import { WyRand } from '../random/wyrand.js';
import { ClassQueue, FairQueue, type QueuedRequest } from './class-queue.js';
import { type CostWeights, chooseTarget, targetCost } from './cost.js';
import { classOf } from './policy.js';
import { PrefixIndex } from './prefix-index.js';
import { TargetLoad } from './target-load.js';

export interface KvRouterOptions {
  weights: CostWeights;
  tracksBlocks: boolean;
  /** Whether equal prompt blocks in service count once. */
  assumesReuse: boolean;
  policy: PolicyProfile;
  targets: number;
  blockTokens: number;
  /** Tokens of a pass; a busy fraction is a part of them. */
  maxBatchedTokens: number;
  seed: bigint;
}

/** A request to place. Identities are those of its full prompt blocks; blocks behind them occur once. */
export interface RoutedRequest {
  slot: number;
  inputTokens: number;
  ids: Int32Array;
  idCount: number;
  priority: number;
  strictPriority: number;
  policyClass: string | undefined;
}

/** A request that leaves the router for a target. */
export interface Placement {
  slot: number;
  target: number;
}

/** The reference's router refuses a request when its queue is full, and the run fails. */
export class QueueLimitError extends Error {
  override readonly name = 'QueueLimitError';
}

/**
 * Places requests by cached prefix and load, and holds them back while all targets are busy
 * (`dynamo-kv-router` of the reference). Targets are ranks, by number.
 */
export class KvRouter {
  private readonly index: PrefixIndex;
  private readonly loads: TargetLoad[];
  private readonly random: WyRand;
  private readonly queue: FairQueue;
  private readonly requests = new Map<number, RoutedRequest>();
  private readonly targetOf = new Map<number, number>();
  private nextOrder = 0;

  constructor(private readonly options: KvRouterOptions) {
    this.index = new PrefixIndex(options.targets);
    this.loads = Array.from({ length: options.targets }, () => new TargetLoad());
    this.random = new WyRand(options.seed);
    this.queue = new FairQueue(options.policy.classes.map((policy) => new ClassQueue(policy)));
  }

  get queued(): number {
    return this.queue.size;
  }

  stored(target: number, id: number): void {
    this.index.stored(target, id);
  }

  removed(target: number, id: number): void {
    this.index.removed(target, id);
  }

  /** Places a request, or queues it. @returns its target, or undefined @throws {QueueLimitError} */
  place(request: RoutedRequest, nowMs: number): number | undefined {
    const { policy, blockTokens } = this.options;
    const overlaps = new Int32Array(this.options.targets);
    this.index.match(request.ids, request.idCount, overlaps);
    const cachedTokens = Math.min(request.inputTokens, Math.max(...overlaps) * blockTokens);
    const uncached = request.inputTokens - cachedTokens;
    const queue = this.queue.classes[classOf(policy, request.policyClass, uncached)];
    if (!this.mustQueue(queue)) return this.choose(request, overlaps);
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
    this.requests.set(request.slot, request);
    return undefined;
  }

  private mustQueue(queue: ClassQueue): boolean {
    const { busyTokens, busyFraction } = queue.policy;
    if (busyTokens === undefined && busyFraction === undefined) return false;
    return queue.size > 0 || this.allBusy(queue);
  }

  private allBusy(queue: ClassQueue): boolean {
    const { busyTokens, busyFraction } = queue.policy;
    const tokens = busyTokens ?? Number.POSITIVE_INFINITY;
    const part =
      busyFraction === undefined ? Number.POSITIVE_INFINITY : busyFraction * this.options.maxBatchedTokens;
    return this.loads.every(({ prefillTokens }) => prefillTokens > tokens || prefillTokens > part);
  }

  private checkLimits(queue: ClassQueue): void {
    const { policy } = queue;
    const limits: [string, number, number | undefined][] = [
      ['requests', queue.size, policy.requestLimit],
      ['raw_isl_tokens', queue.inputTokens, policy.inputTokenLimit],
      ['cached_tokens', queue.cachedTokens, policy.cachedTokenLimit],
    ];
    for (const [what, current, perTarget] of limits) {
      const limit = perTarget === undefined ? Number.POSITIVE_INFINITY : perTarget * this.options.targets;
      if (current >= limit)
        throw new QueueLimitError(
          `router policy class "${policy.name}" queue ${what} limit reached (current=${current}, limit=${limit})`,
        );
    }
  }

  private choose(request: RoutedRequest, overlaps: Int32Array): number {
    const { options, loads } = this;
    const { blockTokens, weights } = options;
    const { inputTokens, ids, idCount } = request;
    const blocks = options.tracksBlocks ? Math.floor(inputTokens / blockTokens) : 0;
    const named = options.tracksBlocks && options.assumesReuse ? Math.min(idCount, blocks) : 0;
    const leastPrefillTokens = Math.min(...loads.map((load) => load.prefillTokens));
    const costs = loads.map((load, target) =>
      targetCost(weights, {
        blockTokens,
        inputTokens,
        prefillTokens: load.prefillTokens,
        leastPrefillTokens,
        overlapBlocks: overlaps[target],
        decodeBlocks: load.blocks + load.newBlocks(ids, named) + blocks - named,
        requests: load.requests,
      }),
    );
    const target = chooseTarget(costs, weights.temperature, this.random);
    const cached = Math.min(overlaps[target] * blockTokens, inputTokens);
    loads[target].add(request.slot, {
      ids: ids.slice(0, named),
      namedBlocks: named,
      otherBlocks: blocks - named,
      prefillTokens: weights.tracksPrefill ? inputTokens - cached : 0,
    });
    this.targetOf.set(request.slot, target);
    return target;
  }

  /** A request had its first token. @returns requests that may go now */
  prefillCompleted(slot: number): Placement[] {
    this.loads[this.targetOf.get(slot)!].prefillCompleted(slot);
    return this.drain();
  }

  /** A request ended. @returns requests that may go now */
  ended(slot: number): Placement[] {
    this.loads[this.targetOf.get(slot)!].ended(slot);
    this.targetOf.delete(slot);
    return this.drain();
  }

  private drain(): Placement[] {
    const placements: Placement[] = [];
    if (this.queue.size === 0) return placements;
    for (;;) {
      const entry = this.queue.pop((queue) => this.allBusy(queue));
      if (!entry) return placements;
      const request = this.requests.get(entry.slot)!;
      this.requests.delete(entry.slot);
      placements.push({ slot: entry.slot, target: this.choose(request, entry.overlaps) });
    }
  }
}

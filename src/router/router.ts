import type { RouterSettings } from '../config/router-config.js';
import type { Rules } from '../config/rules.js';
import type { PrefillEstimator } from './prefill-load.js';

/** A request to place. */
export interface RoutedRequest {
  slot: number;
  inputTokens: number;
  priority: number;
  strictPriority: number;
  policyClass: string | undefined;
}

/** A request that leaves the router for a target, where this much of its prompt is cached. */
export interface Placement {
  slot: number;
  target: number;
  overlapTokens: number;
  /** Leading blocks that are cached there, and the most that are anywhere, as far as it knows; not of a router that does not look. */
  blocks?: { overlap: number; best: number };
}

/** What a router did so far. Tokens of prompts, and of what of them was cached where they went. */
export interface RouterUse {
  placed: number;
  inputTokens: number;
  overlapTokens: number;
  /** Requests that were held back, and for how long. */
  queued: number;
  queueMs: number;
  maxQueueMs: number;
}

/** Hears what a target can serve from a cache. */
export interface CacheListener {
  /** What follows became known at a time. */
  begin?(nowMs: number): void;
  stored(id: number): void;
  removed(id: number): void;
}

/**
 * Decides which target of a pool gets a request, and may hold requests back. Targets are ranks, numbered over all
 * workers of the pool; the ranks of a worker come and go together.
 */
export interface Router {
  /** What it did so far; undefined where it keeps no account. */
  readonly use: RouterUse | undefined;
  /** How many requests it holds back. */
  readonly heldRequests: number;
  /** Whether it wants to hear of what targets cache. */
  readonly listens: boolean;
  addTarget(target: number): void;
  /** A target takes no new requests; those that it has still count for it. */
  drainTarget(target: number): void;
  removeTarget(target: number): void;
  /** Targets have come or gone. @returns requests that may go now */
  topologySettled(nowMs: number): Placement[];
  /** Who hears of what a target caches on its GPU and in its host's memory. */
  listenersOf(target: number): { gpu: CacheListener; host: CacheListener } | undefined;
  /**
   * Places a request, or holds it back and returns undefined. There is a target at least.
   * @param ids identities of its full prompt blocks, the first `idCount`; blocks behind them occur once
   */
  place(request: RoutedRequest, ids: Int32Array, idCount: number, nowMs: number): Placement | undefined;
  /** A request had its first token. @returns requests that may go now */
  prefillCompleted(slot: number, nowMs: number): readonly Placement[];
  /** A request ended. @returns requests that may go now */
  ended(slot: number, nowMs: number): readonly Placement[];
}

/** Keeps identities of blocks alive. */
export interface BlockKeeper {
  retain(id: number): void;
  release(id: number): void;
}

/** A pool of equal workers as a router sees it. */
export interface RoutedPool {
  stage: '' | 'prefill' | 'decode';
  /** Of each worker. */
  ranks: number;
  blockTokens: number;
  /** Tokens of a pass; Infinity when unlimited. */
  maxBatchedTokens: number;
  /** How requests queue, where the engine says so. */
  queuePolicy: RouterSettings['queuePolicy'] | undefined;
  rules: Rules;
  /** Keeps identities of blocks alive that are only heard of later; undefined where all is heard at once. */
  names: BlockKeeper | undefined;
}

/** What a run says about its routers. */
export interface Routing {
  kind: RouterKind;
  settings: RouterSettings;
  /** Of choices among equals; undefined for the default. */
  seed: bigint | undefined;
  /** Makes the prefill load decay. */
  estimator: PrefillEstimator | undefined;
  /** How long after a pass the router hears of what it cached. */
  eventLagMs: number;
}

/** One policy of placing requests. */
export interface RouterKind {
  /** As `router_mode` has it. */
  readonly name: string;
  /** Whether it places requests without a look at the workers, so that those can be run apart. */
  readonly isBlind: boolean;
  create(routing: Routing, pool: RoutedPool): Router;
}

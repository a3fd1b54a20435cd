import type { EngineArgs, EngineType } from '../config/engine-type.js';
import type { Rules } from '../config/rules.js';
import type { PassClock } from '../timing/pass-clock.js';
import type { FleetCore } from './engine-core.js';
import type { KvEventSink } from './kv/block-pool.js';
import type { PromptBlocks } from './kv/prompt-blocks.js';
import type { GapSink, RequestLog } from './request-log.js';
import type { SchedulerRequests } from './requests.js';
import type { TierUse } from './tiers/shared.js';

/** Who hears of what a rank caches; undefined where nobody does. */
interface CacheListeners {
  gpu: KvEventSink;
  host: KvEventSink;
}

/** What equal engines are made of: their arguments, and what their pool gives them. */
export interface EngineParts {
  args: EngineArgs;
  rules: Rules;
  clock: PassClock;
  requests: SchedulerRequests;
  blocks: PromptBlocks;
  log: RequestLog;
  gaps: GapSink;
  /** Whether prompts come as tokens, so that output can become prompt again. */
  hasTokens: boolean;
  /** Whether a time cap may leave requests unfinished, whose passes cannot be told ahead then. */
  isCapped: boolean;
  /** Whether somebody hears of what is cached. */
  isWatched: boolean;
  listenersOf(rank: number): CacheListeners | undefined;
}

/** Makes the ranks of one pool, which may share what lies below their own caches. */
export interface EngineMaker {
  create(rank: number): FleetCore;
  /** What the shared cache tiers did so far; undefined without. */
  readonly tiers: TierUse | undefined;
}

/** One kind of engine: what its arguments are, and how it is made of them. */
export interface EngineKind extends EngineType {
  maker(parts: EngineParts): EngineMaker;
}

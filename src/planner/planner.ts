/** A stage of the fleet: `agg` where workers do both phases, else `prefill` and `decode`. */
export type StageName = 'agg' | 'prefill' | 'decode';

/** What one rank of a worker did in its last pass; all zero when it was idle for a second or longer. */
export interface RankPass {
  readonly worker: number;
  readonly rank: number;
  readonly wallSeconds: number;
  readonly prefillRequests: number;
  readonly prefillTokens: number;
  /** Prompt tokens that were found cached, beside those computed. */
  readonly prefillCachedTokens: number;
  readonly decodeRequests: number;
  /** Tokens in the KV cache of the requests that decode. */
  readonly decodeTokens: number;
  readonly queuedPrefillRequests: number;
  readonly queuedPrefillTokens: number;
  /** Requests that decoded and wait to go on. */
  readonly queuedDecodeRequests: number;
  readonly queuedDecodeTokens: number;
}

/** A mean with the number of values behind it; 0 of 0 values. */
export interface Mean {
  readonly value: number;
  readonly count: number;
}

/** What arrived and what ended since the planner was last called. */
export interface Traffic {
  readonly seconds: number;
  /** Requests that arrived, turned away ones included. */
  readonly requests: number;
  /** Of requests that ended. */
  readonly inputTokens: Mean;
  readonly outputTokens: Mean;
  readonly ttftMs: Mean;
  readonly itlMs: Mean;
  /** Part of the prompt that the router found cached, 0 to 1. */
  readonly hitRate: Mean;
  /** Tokens per request and pass; `undefined` when nothing decoded. */
  readonly acceptLength: number | undefined;
  readonly forwards: number;
}

/** What one worker of a stage can hold and take. */
export interface WorkerCapacity {
  readonly gpus: number;
  readonly maxBatchedTokens: number | undefined;
  readonly maxRequests: number | undefined;
  readonly kvTokens: number | undefined;
  /** Longest request; `undefined` when not limited. */
  readonly contextTokens: number | undefined;
  /** Draft tokens of speculative decoding. */
  readonly draftTokens: number | undefined;
}

/** What one active worker has to do. */
export interface WorkerLoad {
  readonly worker: number;
  readonly waitingRequests: number;
  readonly runningRequests: number;
  /** Part of its KV blocks that requests hold, 0 to 1. */
  readonly kvUse: number;
}

export interface StageView {
  readonly name: StageName;
  readonly capacity: WorkerCapacity;
  /** Worker ids, ascending. Active workers take requests; draining ones only finish what they hold. */
  readonly active: readonly number[];
  readonly starting: readonly number[];
  readonly draining: readonly number[];
  /** What ranks published since the last call, by worker and rank; nothing from a rank that published nothing. */
  readonly passes: readonly RankPass[];
  readonly waitingRequests: number;
  readonly runningRequests: number;
  /** Part of the KV blocks of active workers that requests hold, 0 to 1. */
  readonly kvUse: number;
  /** Of active workers, by id; empty where only passes were recorded. */
  readonly loads: readonly WorkerLoad[];
}

/** All that a planner sees at a tick: plain data, never the simulation. */
export interface PlannerView {
  readonly nowMs: number;
  readonly traffic: Traffic;
  /** One stage (`agg`), or `prefill` and `decode`. */
  readonly stages: readonly StageView[];
}

/** Workers that a stage shall have, starting ones included and draining ones not; left out means as it is. */
export type Targets = { readonly [stage in StageName]?: number };

/** Decides how many workers a fleet has. */
export interface Planner {
  /** When it wants to be called next, in simulated milliseconds; infinity for never again. */
  readonly nextTickMs: number;
  /** Called at `nextTickMs`, which must be later afterwards. @returns `undefined` to leave all as it is */
  tick(view: PlannerView): Targets | undefined;
  /** Why it decided as it did at the last tick, for reports. */
  readonly reason?: string | undefined;
}

/** A change of the size of a stage, as the reference reports it. */
interface ScalingEvent {
  at_s: number;
  /** `agg`, `prefill` or `decode`. */
  component: string;
  from: number;
  to: number;
  reason: 'scale_up' | 'scale_down';
}

/** A stage as a planner saw it at a tick, before it acted. */
interface PlannedStage {
  name: string;
  active: number;
  starting: number;
  draining: number;
  /** Workers asked for; left out when nothing was. */
  target?: number;
  /** The last passes that the planner was told of. */
  ranks: readonly RankLoad[];
}

interface RankLoad {
  worker: number;
  rank: number;
  queuedPrefillTokens: number;
  queuedDecodeTokens: number;
  decodeTokens: number;
}

/** One call of a planner: what it saw and what it decided. Means are left out where there was nothing. */
export interface PlannerTick {
  atMs: number;
  stages: readonly PlannedStage[];
  /** Since the call before. */
  requests: number;
  seconds: number;
  ttftMs?: number;
  itlMs?: number;
  inputTokens?: number;
  outputTokens?: number;
  /** Why it decided so, if it says so. */
  reason?: string;
  /** What the reference's planner believed, under the names that it writes. */
  beliefs?: Record<string, number | string>;
}

/** A worker that was lost, with the requests that it had. */
export interface LostWorker {
  readonly at_s: number;
  readonly stage: string;
  readonly worker: number;
  readonly requests: number;
}

/** What a planner did in a run. */
export interface PlannerOutcome {
  policy: string;
  events: ScalingEvent[];
  ticks: PlannerTick[];
  goals: { ttftMs: number; itlMs: number } | undefined;
  /** Where its page goes, if it asks for one, and the last time that such a page tells of. */
  page?: { readonly folder: string; readonly fileName: string | undefined };
  recordedMs?: number;
  /** Workers of each stage at the start, the GPUs of one and the tokens that its KV cache holds. */
  stages: { name: string; workers: number; gpus: number; kvTokens: number | undefined }[];
}

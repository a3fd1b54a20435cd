import type { RankPass } from '../../planner.js';

/** Why load scaling did what it did. */
export type LoadReason =
  | 'scale_up'
  | 'scale_down'
  | 'scale_down_capped_by_throughput'
  | 'scale_down_refused_consolidation'
  | 'no_change'
  | 'insufficient_data'
  | 'worker_count_mismatch'
  | 'scaling_in_progress'
  | 'no_fpm_data'
  | 'disabled';

/** What one side of the engines wants. */
export interface Opinion {
  /** Workers; `undefined` for no opinion. */
  readonly workers: number | undefined;
  /** Why there is none. */
  readonly reason?: LoadReason;
  /** The longest latency expected at any worker. */
  readonly worstMs?: number;
}

/** Workers of a stage as the planner counts them. */
export interface PoolState {
  readonly ready: number;
  /** A scaling is not over yet. */
  readonly inProgress: boolean;
  /** The last pass of each rank. */
  readonly passes: readonly RankPass[];
}

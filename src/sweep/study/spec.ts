import type { JsonObject } from '../../config/json.js';
import type { Goal } from './goals.js';
import type { Space } from './space.js';

export const ALGORITHMS = [
  'exhaustive',
  'shortlist',
  'coordinate',
  'random',
  'tpe',
  'nsga2',
  'halving',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Settings of a load that can be raised until goals are missed. */
export const LOADS = ['request_rate', 'replay_concurrency', 'arrival_speedup_ratio'] as const;

/** The load that each candidate is measured at: the highest at which it keeps the goals. */
export interface LoadQuestion {
  setting: (typeof LOADS)[number];
  min: number;
  max: number;
}

/** Prices of an hour of a GPU in dollars, by its name or for all. */
export type Prices = number | ReadonlyMap<string, number>;

interface OptimizerSpec {
  /** undefined for the one that fits the size of the search. */
  algorithm: Algorithm | undefined;
  /** Candidates that are simulated at most. */
  maxTrials: number;
  seed: bigint;
  /** Whether runs that cannot keep the goals any more are given up. */
  stopsHopeless: boolean;
}

/** How the best candidates are looked at again. */
interface WindowSpec {
  /** Equal parts of the workload, on each of which they are run; 0 for none. */
  count: number;
  /** Last part of the workload that the search does not see, and the winner is run on. */
  heldOut: number;
}

/** What a search is asked. */
export interface StudySpec {
  /** Settings that all candidates share: the workload, and what is not searched. */
  base: JsonObject;
  space: Space;
  goals: readonly Goal[];
  /** Names of metrics: one to rank by, or two or three whose front is wanted. */
  targets: readonly string[];
  minGpus: number;
  maxGpus: number;
  prices: Prices;
  load: LoadQuestion | undefined;
  optimizer: OptimizerSpec;
  windows: WindowSpec;
}

import type { ReplayOptions } from '../config/scenario/options.js';

/** One simulation to run: plain data that can be sent to a thread or to another machine. */
export interface Job {
  options: ReplayOptions;
  /** When to give a run up. */
  stop?: StopRule;
}

/** A bound that a run cannot meet any more once the time lost so far exceeds it. */
export interface StopRule {
  /** Bound on the mean time to first token, in milliseconds. */
  meanTtftMs: number;
  /** All requests of the run: those still to come lose no time at best. */
  requests: number;
}

/** The numbers of a report by key, or why there are none. */
export type Outcome =
  | { metrics: Record<string, number>; stopped?: string }
  | { failure: string; isInput: boolean };

/** Runs jobs, somewhere. */
export interface Evaluator {
  /**
   * @param onOutcome told of each outcome as it comes, in any order
   * @returns outcomes in the order of the jobs
   */
  run(jobs: readonly Job[], onOutcome?: (index: number, outcome: Outcome) => void): Promise<Outcome[]>;
  close(): Promise<void>;
}

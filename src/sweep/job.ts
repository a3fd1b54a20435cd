import type { JsonObject } from '../config/json.js';
import { jsonText } from '../config/json.js';
import type { Share } from '../workload/excerpt.js';
import type { Pool } from './pool.js';

/** One simulation to run: plain data that can be sent to a thread or to another machine. */
export interface Job {
  /** Settings of a scenario as JSON text, numbers exact. */
  settings: string;
  /** The part of the workload that is run; all of it where it is left out. */
  part?: Share | undefined;
  /** Bounds on means that the run must keep to be of any use; one that cannot keep them any more is given up. */
  bounds?: MeanBounds | undefined;
}

/** Bounds on means over all requests, in milliseconds. */
export interface MeanBounds {
  ttftMs?: number | undefined;
}

/** The numbers of a report by key, or why there are none. */
export type Outcome = { metrics: Metrics; stopped?: string } | { failure: string; isInput: boolean };

/** Numbers of a report by key; those of a section as `section.key`. */
export type Metrics = Readonly<Record<string, number>>;

/** Runs jobs, somewhere. */
export type Evaluator = Pool<Job, Outcome>;

/** A job that runs a scenario to its end. */
export function jobOf(settings: JsonObject): Job {
  return { settings: jsonText(settings) };
}

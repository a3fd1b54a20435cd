import type { RequestOutcome } from './outcome.js';
import type { PlannerOutcome } from './planner-outcome.js';
import type { Report } from './report.js';
import type { Course } from './verdict.js';

/** What a run, or a part of it, came to. */
export interface ReplayResult {
  report: Report;
  /** Outcomes by arrival, when `records` was set. */
  records: RequestOutcome[];
  /** Latencies of the requests that completed, ascending; in milliseconds. */
  latencies: { ttftMs: Float64Array; tpotMs: Float64Array; e2eMs: Float64Array };
  /** How requests came and went. */
  course: Course;
  /** What the planner did, in runs with one. */
  planner?: PlannerOutcome;
}

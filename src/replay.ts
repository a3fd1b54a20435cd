import type { ReplayOptions } from './config/replay-options.js';
import type { ReplayResult } from './report/result.js';
import { runThrough, type WatchStage } from './setup/open-run.js';
import type { Excerpt } from './workload/excerpt.js';

/**
 * Replays a trace, or synthetic load, through a simulated fleet.
 * @param watchStage asked for somebody who hears of every pass; not with `pictures`, which has its own
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function replay(
  options: ReplayOptions,
  watchStage?: WatchStage,
  excerpt?: Excerpt,
): Promise<ReplayResult> {
  return runThrough(options, { watchStage, excerpt, hostMs: () => performance.now() });
}

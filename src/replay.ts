import type { ReplayOptions } from './config/scenario/options.js';
import type { Scenario } from './config/scenario/scenario.js';
import type { ReplayResult } from './report/result.js';
import { type RunSettings, runThrough } from './setup/open-run.js';

/**
 * Replays a trace, or synthetic load, through a simulated fleet; in real time where the mode is `online`.
 * @param described the run, as options or as a scenario
 * @param settings what is kept of it, for a scenario; options say so themselves
 * @throws {InputError} when an option or the trace is wrong
 * @throws {RunError} when the run comes to a dead end
 */
export async function replay(
  described: ReplayOptions | Scenario,
  settings: RunSettings = {},
): Promise<ReplayResult> {
  const replayMode = 'given' in described ? described.control.replayMode : described.replayMode;
  if (replayMode === 'online') {
    const { replayOnline } = await import('./live/load/online.js');
    return replayOnline(described, settings);
  }
  const kept = { hostMs: () => performance.now(), ...settings };
  const planner =
    'given' in described ? described.control.planner : (described.planner ?? described.plannerConfig);
  if (planner === undefined) return runThrough(described, kept);
  const [{ runPlanned }, { policyOfScenario }] = await Promise.all([
    import('./setup/planner/planned-run.js'),
    import('./setup/planner/policy-source.js'),
  ]);
  return runPlanned(described, policyOfScenario, kept);
}

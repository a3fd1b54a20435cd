import { InputError } from '../../config/input-error.js';
import { ExactJson } from '../../config/json.js';
import type { ReplayOptions } from '../../config/scenario/options.js';
import { type Scenario, scenarioJson } from '../../config/scenario/scenario.js';
import { Collector } from '../../report/collector.js';
import { buildReport, type WorkerUse } from '../../report/report.js';
import type { ReplayResult } from '../../report/result.js';
import { describedRun, type RunSettings, serviceLevel } from '../../setup/open-run.js';
import { openWorkload } from '../../setup/workload.js';
import { WallClock } from '../clock.js';
import { openFleet } from '../open-serving.js';
import { FleetTarget } from './fleet-target.js';
import { HttpTarget, type HttpTargetOptions } from './http-target.js';
import { LoadRun } from './load-run.js';
import type { LoadTarget } from './target.js';

/**
 * Replays a trace, or synthetic load, in real time: against a fleet in this process, or an endpoint.
 * @param endpoint where load is put on; undefined for the fleet of the scenario
 * @throws {InputError} when an option or the trace is wrong
 */
export async function replayOnline(
  described: ReplayOptions | Scenario,
  settings: RunSettings = {},
  endpoint?: HttpTargetOptions,
): Promise<ReplayResult> {
  const { scenario, controls } = describedRun(described, settings);
  const { records, onProgress } = controls;
  if (scenario.workload.maxSimTimeSeconds !== undefined)
    throw new InputError('--max-sim-time-seconds is for simulated time; here a whole workload is measured');
  if (scenario.control.planner !== undefined)
    throw new InputError('a planner is for simulated runs; here a fleet is measured as it is');
  const workload = await openWorkload(scenario);
  const warnings = [...scenario.warnings, ...workload.warnings];
  const collector = new Collector(serviceLevel(scenario.goals), {
    ended: records !== undefined,
    unfinished: records === 'all',
  });
  const fleetClock = new WallClock();
  const fleet = endpoint ? undefined : openFleet(scenario, fleetClock, warnings);
  // The run begins when the fleet is there.
  const clock = new WallClock();
  const target: LoadTarget = endpoint
    ? new HttpTarget(endpoint, clock)
    : new FleetTarget(fleet!.serving, clock, fleetClock.nowMs - clock.nowMs);
  const load = new LoadRun(workload.source, target, clock, collector, {
    namesSessions: workload.namesSessions,
    onProgress: onProgress && ((ended) => onProgress(ended, workload.source.total)),
  });
  try {
    await load.run();
  } finally {
    workload.close();
    await target.close();
  }
  const workers: WorkerUse = fleet?.serving.use() ?? { ...UNKNOWN, sections: { workers: [] } };
  workers.sections.measured = { target: endpoint?.url ?? 'in process', ...load.steps.means };
  const isOpenLoop = scenario.workload.replayConcurrency === undefined;
  const { report, course } = buildReport(collector, workers, clock.nowMs, warnings, isOpenLoop);
  report.scenario = new ExactJson(scenarioJson(scenario));
  const { ttftMs, tpotMs, e2eMs } = collector;
  return {
    report,
    course,
    records: [...collector.records].sort((a, b) => a.arrivalMs - b.arrivalMs || a.row - b.row),
    latencies: { ttftMs: ttftMs.sorted(), tpotMs: tpotMs.sorted(), e2eMs: e2eMs.sorted() },
  };
}

/** What is known of the workers behind an endpoint. */
const UNKNOWN: Omit<WorkerUse, 'sections'> = {
  prefillSeconds: 0,
  decodeSeconds: 0,
  prefillGpus: 0,
  decodeGpus: 0,
  committedPrefillTokens: 0,
};

import type { EngineArgs } from '../../config/engine-type.js';
import { InputError } from '../../config/input-error.js';
import { type PlannerConfig, readPlannerConfig } from '../../planner/reference/config.js';
import { diagnosticsJson } from '../../planner/reference/diagnostics.js';
import { ReferencePlanner } from '../../planner/reference/reference-planner.js';
import { systemsFolder } from '../engines.js';
import { bootstrapPasses, hasTiming } from './bootstrap.js';
import { plannerJson } from './config-source.js';
import { readHistory } from './history.js';
import type { PlannedFleet } from './planned-fleet.js';
import type { Policy } from './planned-run.js';
import { plannerTimes } from './table-times.js';

/**
 * The reference's planner for a fleet, as the scenario has it.
 * @throws {InputError} when its settings are wrong, or not for this fleet
 */
export async function referencePolicy(fleet: PlannedFleet): Promise<Policy> {
  const { control, aicSystems } = fleet.scenario;
  const { json, where } = plannerJson(control.planner?.settings ?? null, 'planner_config');
  const config = readPlannerConfig(json, where);
  const isSplit = fleet.stages.length === 2;
  if (isSplit !== (config.mode === 'disagg'))
    throw new InputError(
      isSplit
        ? 'planner: mode: a fleet of prefill and decode workers needs disagg, found agg'
        : 'planner: mode: disagg needs --prefill-engine-args and --decode-engine-args; use agg',
    );
  const capacities = fleet.stages.map(({ capacity }) => capacity);
  const decode = capacities[capacities.length - 1];
  const history = config.warmupTrace
    ? await readHistory(config.warmupTrace, config.intervals.throughput)
    : [];
  const draftTokens = decode.draftTokens || config.draftTokens;
  const planner = new ReferencePlanner({
    config,
    prefill: isSplit ? capacities[0] : undefined,
    decode,
    history,
    nativeTimes: plannerTimes(config, draftTokens, systemsFolder(aicSystems)),
  });
  if (config.target === 'sla') bootstrap(planner, fleet, control.benchmarkGranularity);
  return {
    name: 'reference',
    planner: refusingNone(planner, config),
    goals: config.target === 'sla' ? config.goals : undefined,
    isRecorded: () => planner.diagnostics?.isRecorded === true,
    ...(config.report.isWritten && { page: config.report }),
    beliefs: () => diagnosticsJson(planner.diagnostics!),
  };
}

/** The passes of both phases are asked of one timing model: that of decode, if it names one. */
function bootstrap(planner: ReferencePlanner, { stages }: PlannedFleet, points: number): void {
  const [first, last] = [stages[0], stages[stages.length - 1]];
  const asked = [last, first].find(({ args }) => isModel(args));
  if (!asked) return;
  const { prefill, decode } = bootstrapPasses(asked.timing, first.args, last.args, points);
  if (stages.length === 1) planner.bootstrap({ decode: [...prefill, ...decode] });
  else if (prefill.length > 0 && decode.length > 0) planner.bootstrap({ prefill, decode });
}

const isModel = (args: EngineArgs) => hasTiming(args);

/** The reference goes on with no worker at all, until the next request ends it. */
function refusingNone(planner: ReferencePlanner, { maxGpus, minWorkers }: PlannerConfig): ReferencePlanner {
  const tick = planner.tick.bind(planner);
  planner.tick = (view) => {
    const targets = tick(view);
    if (targets && Object.values(targets).some((workers) => workers === 0))
      throw new Error(
        `max_gpu_budget ${maxGpus} has no room for min_endpoint ${minWorkers} workers of each stage`,
      );
    return targets;
  };
  return planner;
}

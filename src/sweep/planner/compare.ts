import { InputError } from '../../config/input-error.js';
import { type JsonObject, type JsonValue, jsonText } from '../../config/json.js';
import type { FleetPlan } from '../../report/fleet-plan.js';
import { besideOracle, type OracleMeasures } from '../../report/planner-measures.js';
import { type GridRow, measured } from './grid.js';
import { findOracle, type Oracle, type Tried } from './oracle.js';
import type { PlannedOutcome, PlannedPool, PlannedRun } from './planned-job.js';

/** A planner to compare. */
export interface Candidate {
  readonly label: string;
  readonly policy: string;
  readonly settings: JsonValue | undefined;
}

export interface CompareTask {
  /** Settings of the workload and the fleet, with goals and without a planner. */
  readonly base: JsonObject;
  readonly candidates: readonly Candidate[];
  /** Part of the requests that shall keep the goals. */
  readonly wanted: number;
  /** Workers of a stage that an oracle may use; undefined for what the planners used at most. */
  readonly mostWorkers: number | undefined;
  /** Runs for the oracle; none where 0. */
  readonly oracleRuns: number;
}

export interface PlannerComparison {
  readonly outcomes: readonly { readonly candidate: Candidate; readonly outcome: PlannedOutcome }[];
  readonly oracle: Oracle | undefined;
}

const LEAST_MOST_WORKERS = 4;

/** Settings of a run with a planner. */
export function withPlanner(base: JsonObject, { policy, settings }: Candidate): JsonObject {
  const json: JsonObject = new Map(base);
  json.set('planner', policy);
  if (settings === undefined) json.delete('planner_config');
  else json.set('planner_config', settings);
  return json;
}

/**
 * Runs planners on the same workload and fleet, and looks for the fleet that would have been enough.
 * @param onRun told of each run
 * @throws {InputError} when a planner, or what all have in common, is wrong
 */
export async function comparePlanners(
  pool: PlannedPool,
  task: CompareTask,
  onRun: () => void,
): Promise<PlannerComparison> {
  const { base, candidates, oracleRuns } = task;
  const outcomes = await Promise.all(
    candidates.map(async (candidate) => {
      const outcome = await pool.run(jsonText(withPlanner(base, candidate)));
      onRun();
      if ('failure' in outcome && outcome.isInput)
        throw new InputError(`${candidate.label}: ${outcome.failure}`);
      return { candidate, outcome };
    }),
  );
  const runs = outcomes.flatMap(({ outcome }) => ('failure' in outcome ? [] : outcome));
  const oracle =
    oracleRuns > 0 && runs.length > 0 ? await findOracle(pool, oracleTask(task, runs), onRun) : undefined;
  return { outcomes, oracle };
}

function oracleTask({ base, wanted, mostWorkers, oracleRuns }: CompareTask, runs: readonly PlannedRun[]) {
  const { measures, plan } = runs[0];
  const used = Math.max(...runs.flatMap((run) => Object.values(run.measures.most_workers)));
  return {
    ...{ base, stages: plan.stages, wanted, leastWorkers: 1, mostRuns: oracleRuns },
    mostWorkers: mostWorkers ?? Math.max(LEAST_MOST_WORKERS, used),
    windowSeconds: measures.window_seconds,
    windows: measures.attainment_by_window?.length ?? 1,
    known: runs.map(triedOf),
  };
}

function triedOf({ plan, metrics, measures }: PlannedRun): Tried {
  return { plan, gpuHours: metrics.gpu_hours, attainment: measures.attainment ?? 0 };
}

/** A row for each planner, and one for the oracle. */
export function comparisonRows({ outcomes, oracle }: PlannerComparison): GridRow[] {
  const rows = outcomes.map(({ candidate, outcome }): GridRow => {
    if ('failure' in outcome) return { planner: candidate.label, error: outcome.failure };
    const { gpu_hours, ...others } = measured(outcome);
    const beside = oracle && besideOf(outcome, oracle);
    return {
      ...{ planner: candidate.label, gpu_hours },
      ...(beside && {
        // A planner that misses the goals saves hours that the oracle must not.
        regret_percent:
          (outcome.measures.attainment ?? 0) < Math.min(outcome.measures.wanted_attainment, oracle.attainment)
            ? null
            : beside.regret_percent,
        over_gpu_seconds: beside.over_provisioned_gpu_seconds,
        under_gpu_seconds: beside.under_provisioned_gpu_seconds,
      }),
      ...others,
      mean_recovery_seconds: outcome.measures.mean_recovery_seconds ?? null,
    };
  });
  if (!oracle) return rows;
  const { gpuHours: gpu_hours, attainment } = oracle;
  const own = { planner: 'oracle', gpu_hours, regret_percent: 0, over_gpu_seconds: 0, under_gpu_seconds: 0 };
  return [...rows, { ...own, attainment, scaling_events: oracle.plan.changes.length }];
}

/** A planner beside the oracle, over the time that both were run. */
export function besideOf({ plan, metrics }: PlannedRun, oracle: Oracle): OracleMeasures {
  return besideOracle({ plan, gpuHours: metrics.gpu_hours }, oracle, metrics.duration_ms / 1000);
}

/** A plan in the settings of `--planner schedule`. */
export function timetableJson({ stages, changes }: FleetPlan): object {
  const byTime = new Map<number, Record<string, number>>();
  for (const { at_s, component, to } of changes)
    byTime.set(at_s, { ...(byTime.get(at_s) ?? { at_s }), [component]: to });
  return {
    workers: Object.fromEntries(stages.map(({ name, workers }) => [name, workers])),
    changes: [...byTime.values()],
  };
}

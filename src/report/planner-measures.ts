import { type FleetPlan, flapsOf, provisioning } from './fleet-plan.js';
import type { GoalBins, GoalSeries } from './goal-series.js';
import type { PlannerOutcome } from './planner-outcome.js';

/** What a planner was good for, under the names of the report. Times and GPU times in seconds. */
export interface PlannerMeasures {
  readonly policy: string;
  readonly goals?: { readonly ttft_ms?: number; readonly itl_ms?: number; readonly e2e_ms?: number };
  /** Part of a window's requests that shall keep the goals. */
  readonly wanted_attainment: number;
  /** Part of all requests that kept the goals; left out without goals, as is what follows from it. */
  readonly attainment?: number;
  readonly window_seconds: number;
  /** By window of arrival; null where none arrived. */
  readonly attainment_by_window?: readonly (number | null)[];
  readonly worst_window_attainment?: number;
  /** Time in windows that kept the goals less than wanted. */
  readonly broken_seconds?: number;
  /** Steps of load, and how long after each the goals were kept again; null for never. */
  readonly load_steps?: readonly { readonly at_s: number; readonly recovery_s: number | null }[];
  readonly mean_recovery_seconds?: number;
  readonly scale_ups: number;
  readonly scale_downs: number;
  readonly flaps: number;
  readonly most_workers: Readonly<Record<string, number>>;
  readonly oracle?: OracleMeasures;
}

/** A planner beside the fleet that would have been enough. */
export interface OracleMeasures {
  readonly gpu_hours: number;
  readonly attainment: number;
  readonly over_provisioned_gpu_seconds: number;
  readonly under_provisioned_gpu_seconds: number;
  /** GPU hours beyond those of the oracle. */
  readonly regret_percent: number;
}

const MOST_WINDOWS = 60;
/** A change that is taken back within this time was a flap. */
const FLAP_SECONDS = 120;
/** A step: so many times the arrivals of the windows before, and more than chance makes of them. */
const STEP_RATIO = 1.5;
const STEP_WINDOWS = 3;
const STEP_DEVIATIONS = 3;

/** Measures a planner by what it did and by which requests kept the goals. */
export function plannerMeasures(
  outcome: PlannerOutcome,
  series: GoalSeries,
  wantedAttainment: number,
): PlannerMeasures {
  const { events } = outcome;
  const plan = planOf(outcome);
  const count = (reason: string) => events.filter((event) => event.reason === reason).length;
  const windows = series.windows(MOST_WINDOWS);
  return {
    policy: outcome.policy,
    ...(series.goals && { goals: goalsJson(series.goals) }),
    wanted_attainment: wantedAttainment,
    window_seconds: windows.seconds,
    ...(series.goals && attainmentMeasures(windows, wantedAttainment)),
    scale_ups: count('scale_up'),
    scale_downs: count('scale_down'),
    flaps: flapsOf(plan, FLAP_SECONDS),
    most_workers: Object.fromEntries(
      plan.stages.map(({ name, workers }) => [name, most(plan, name, workers)]),
    ),
  };
}

/** What a planner asked for over time. */
export function planOf({ stages, events }: PlannerOutcome): FleetPlan {
  return { stages, changes: events };
}

/** A planner beside an oracle. @param seconds up to when both are looked at */
export function besideOracle(
  own: { readonly plan: FleetPlan; readonly gpuHours: number },
  oracle: { readonly plan: FleetPlan; readonly gpuHours: number; readonly attainment: number },
  seconds: number,
): OracleMeasures {
  const { over, under } = provisioning(own.plan, oracle.plan, seconds);
  return {
    gpu_hours: oracle.gpuHours,
    attainment: oracle.attainment,
    over_provisioned_gpu_seconds: over,
    under_provisioned_gpu_seconds: under,
    regret_percent: oracle.gpuHours > 0 ? (own.gpuHours / oracle.gpuHours - 1) * 100 : 0,
  };
}

function attainmentMeasures(windows: GoalBins, wanted: number) {
  const { seconds, arrived, kept } = windows;
  const shares = arrived.map((count, index) => (count > 0 ? kept[index] / count : null));
  const known = shares.filter((share) => share !== null);
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const steps = loadSteps(windows, shares, wanted);
  const recoveries = steps.flatMap(({ recovery_s }) => recovery_s ?? []);
  return {
    attainment: total(arrived) > 0 ? total(kept) / total(arrived) : 1,
    attainment_by_window: shares,
    worst_window_attainment: Math.min(1, ...known),
    broken_seconds: known.filter((share) => share < wanted).length * seconds,
    load_steps: steps,
    ...(recoveries.length > 0 && { mean_recovery_seconds: total(recoveries) / recoveries.length }),
  };
}

/** Where arrivals rise at once, and when the goals were kept again. */
function loadSteps({ seconds, arrived }: GoalBins, shares: readonly (number | null)[], wanted: number) {
  return arrived.flatMap((count, index) => {
    if (index < STEP_WINDOWS) return [];
    const before = arrived.slice(index - STEP_WINDOWS, index);
    const mean = before.reduce((sum, value) => sum + value, 0) / STEP_WINDOWS;
    const isStep = count >= STEP_RATIO * mean && count - mean > STEP_DEVIATIONS * Math.sqrt(mean);
    if (!isStep || mean === 0) return [];
    const again = shares.findIndex((share, at) => at >= index && (share ?? 1) >= wanted);
    return { at_s: index * seconds, recovery_s: again < 0 ? null : (again - index) * seconds };
  });
}

function most({ changes }: FleetPlan, name: string, initial: number): number {
  return Math.max(initial, ...changes.filter(({ component }) => component === name).map(({ to }) => to));
}

function goalsJson({ ttftMs, itlMs, e2eMs }: NonNullable<GoalSeries['goals']>) {
  return {
    ...(ttftMs !== undefined && { ttft_ms: ttftMs }),
    ...(itlMs !== undefined && { itl_ms: itlMs }),
    ...(e2eMs !== undefined && { e2e_ms: e2eMs }),
  };
}

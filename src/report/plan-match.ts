import type { FleetPlan } from './fleet-plan.js';

/** How one planner's decisions for a stage resemble those of another on the same traffic. */
export interface StageMatch {
  readonly stage: string;
  /** Part of the time at which both ask for the same number of workers. */
  readonly match_rate: number;
  /** By how much ours comes later than what was recorded where they match best; negative where it comes earlier. */
  readonly lag_seconds: number;
  /** The same part, with ours moved by the lag. */
  readonly match_rate_at_lag: number;
  /** Workers that ours asks for beyond those recorded, on average over time: with sign, and without. */
  readonly mean_difference: number;
  readonly mean_absolute_difference: number;
}

/** Moves that are tried. */
const MOST_LAG_SECONDS = 600;
const LAG_STEPS = 120;

interface Step {
  readonly seconds: number;
  readonly workers: number;
}

/**
 * Compares what a planner asked for with what was recorded, over a span of time, stage by stage.
 * @param seconds the end of the span, which begins at 0
 */
export function matchPlans(recorded: FleetPlan, ours: FleetPlan, seconds: number): StageMatch[] {
  return recorded.stages.map(({ name }) => {
    const [theirs, own] = [stepsOf(recorded, name), stepsOf(ours, name)];
    const at = (lagSeconds: number) => overlap(theirs, own, lagSeconds, seconds);
    const still = at(0);
    const widest = Math.min(MOST_LAG_SECONDS, seconds / 2);
    let best = { lag: 0, rate: still.same };
    for (let step = 1; step <= LAG_STEPS; step++)
      for (const lag of [(widest * step) / LAG_STEPS, (-widest * step) / LAG_STEPS]) {
        const rate = at(lag).same;
        if (rate > best.rate + 1e-9) best = { lag, rate };
      }
    return {
      ...{ stage: name, match_rate: still.same, lag_seconds: best.lag, match_rate_at_lag: best.rate },
      ...{ mean_difference: still.difference, mean_absolute_difference: still.absolute },
    };
  });
}

function stepsOf({ stages, changes }: FleetPlan, name: string): Step[] {
  const { workers } = stages.find((stage) => stage.name === name)!;
  const mine = changes.filter(({ component }) => component === name);
  return [{ seconds: 0, workers }, ...mine.map(({ at_s, to }) => ({ seconds: at_s, workers: to }))];
}

/** Means over the time that both cover when ours is moved earlier by a lag. */
function overlap(theirs: readonly Step[], own: readonly Step[], lagSeconds: number, seconds: number) {
  const moved = own.map((step) => ({ ...step, seconds: step.seconds - lagSeconds }));
  const from = Math.max(0, -lagSeconds);
  const to = Math.min(seconds, seconds - lagSeconds);
  const inside = [...theirs, ...moved].map((step) => step.seconds).filter((at) => at > from && at < to);
  const times = [from, ...inside.sort((a, b) => a - b)];
  const sums = { same: 0, difference: 0, absolute: 0 };
  times.forEach((start, index) => {
    const part = ((times[index + 1] ?? to) - start) / (to - from);
    const difference = workersAt(moved, start) - workersAt(theirs, start);
    if (difference === 0) sums.same += part;
    sums.difference += difference * part;
    sums.absolute += Math.abs(difference) * part;
  });
  return sums;
}

function workersAt(steps: readonly Step[], seconds: number): number {
  let { workers } = steps[0];
  for (const step of steps) if (step.seconds <= seconds) workers = step.workers;
  return workers;
}

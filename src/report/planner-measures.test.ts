import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FleetPlan, flapsOf, provisioning } from './fleet-plan.js';
import { GoalSeries } from './goal-series.js';
import type { RequestOutcome } from './outcome.js';
import { besideOracle, plannerMeasures } from './planner-measures.js';
import type { PlannerOutcome } from './planner-outcome.js';

const STAGES = [{ name: 'agg', workers: 2, gpus: 4, kvTokens: undefined }];
const change = (at_s: number, to: number) => ({ at_s, component: 'agg', to });
const plan = (...changes: ReturnType<typeof change>[]): FleetPlan => ({ stages: STAGES, changes });

/** A request that arrived at this second and took so long to its first token. */
function outcome(seconds: number, ttftMs: number, status: 'completed' | 'rejected' = 'completed') {
  const arrivalMs = seconds * 1000;
  return {
    ...{ arrivalMs, firstTokenMs: arrivalMs + ttftMs, lastTokenMs: arrivalMs + ttftMs },
    ...{ terminalMs: arrivalMs + ttftMs, inputTokens: 10, outputTokens: 1, status },
  } as RequestOutcome;
}

describe('provisioning', () => {
  it('integrates what a plan has above and below another one', () => {
    // 2, 5 from 10 s, 1 from 30 s against 2, 3 from 20 s; up to 50 s, 4 GPUs each.
    const own = plan(change(10, 5), change(30, 1));
    const other = plan(change(20, 3));
    expect(provisioning(own, other, 50)).toEqual({ over: (3 * 10 + 2 * 10) * 4, under: 2 * 20 * 4 });
  });

  it('is nothing between equal plans, and turns round with them', () => {
    const changes = fc.array(fc.tuple(fc.nat(100), fc.nat(5)), { maxLength: 8 });
    const planFrom = (list: [number, number][]) =>
      plan(...list.sort((a, b) => a[0] - b[0]).map(([at, to]) => change(at, to)));
    fc.assert(
      fc.property(changes, changes, (a, b) => {
        const [own, other] = [planFrom(a), planFrom(b)];
        expect(provisioning(own, own, 200)).toEqual({ over: 0, under: 0 });
        const there = provisioning(own, other, 200);
        const back = provisioning(other, own, 200);
        expect([back.under, back.over]).toEqual([there.over, there.under]);
      }),
    );
  });
});

describe('flapsOf', () => {
  it('counts changes that take back the last one in time', () => {
    expect(flapsOf(plan(change(10, 3), change(100, 2), change(150, 3), change(400, 2)), 120)).toBe(2);
    expect(flapsOf(plan(change(10, 3), change(20, 4), change(30, 5)), 120)).toBe(0);
  });
});

describe('plannerMeasures', () => {
  const quiet: PlannerOutcome = { policy: 'p', events: [], ticks: [], goals: undefined, stages: STAGES };

  it('counts attainment by arrival, and how long steps of load are felt', () => {
    const series = new GoalSeries({ ttftMs: 100, itlMs: undefined, e2eMs: undefined });
    // Windows of 5 s: 4 requests each, then 20, of which those of the next 10 s are late.
    for (let second = 0; second < 40; second++)
      for (let i = 0; i < (second < 20 ? 1 : 5); i++)
        series.add(outcome(second, second >= 20 && second < 30 ? 500 : 50));
    series.add(outcome(39, 0, 'rejected'));
    const measures = plannerMeasures(quiet, series, 0.95);
    expect(measures.window_seconds).toBe(5);
    expect(measures.attainment_by_window).toEqual([1, 1, 1, 1, 0, 0, 1, 25 / 26]);
    expect(measures.attainment).toBeCloseTo(70 / 121, 12);
    expect(measures.broken_seconds).toBe(10);
    expect(measures.worst_window_attainment).toBe(0);
    expect(measures.load_steps).toContainEqual({ at_s: 20, recovery_s: 10 });
  });

  it('says nothing of attainment without goals', () => {
    const series = new GoalSeries();
    series.add(outcome(1, 5));
    expect(plannerMeasures(quiet, series, 0.95)).not.toHaveProperty('attainment');
  });

  it('keeps every request in however few windows', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000_000), { minLength: 1 }),
        fc.integer({ min: 1, max: 80 }),
        (at, most) => {
          const series = new GoalSeries({ ttftMs: 100, itlMs: undefined, e2eMs: undefined });
          for (const seconds of at) series.add(outcome(seconds, seconds % 2 ? 50 : 200));
          const { arrived, kept } = series.windows(most);
          expect(arrived.reduce((sum, count) => sum + count, 0)).toBe(at.length);
          expect(kept.reduce((sum, count) => sum + count, 0)).toBe(
            at.filter((seconds) => seconds % 2).length,
          );
          expect(arrived.length).toBeLessThanOrEqual(most);
        },
      ),
    );
  });
});

describe('besideOracle', () => {
  it('is how much more a planner took', () => {
    const oracle = { plan: plan(), gpuHours: 2, attainment: 0.96 };
    const own = { plan: plan(change(10, 3)), gpuHours: 3 };
    expect(besideOracle(own, oracle, 60)).toEqual({
      ...{ gpu_hours: 2, attainment: 0.96, regret_percent: 50 },
      ...{ over_provisioned_gpu_seconds: 200, under_provisioned_gpu_seconds: 0 },
    });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FleetPlan } from './fleet-plan.js';
import { matchPlans } from './plan-match.js';

const plan = (workers: number, ...changes: [at: number, to: number][]): FleetPlan => ({
  stages: [{ name: 'agg', workers, gpus: 1 }],
  changes: changes.map(([at_s, to]) => ({ at_s, component: 'agg', to })),
});

describe('matchPlans', () => {
  it('says how long both agree, and by how much they do not', () => {
    // 2, then 4 from 100 s, against 2, then 5 from 150 s; up to 200 s.
    const [match] = matchPlans(plan(2, [100, 4]), plan(2, [150, 5]), 200);
    expect(match.match_rate).toBeCloseTo(0.5, 12);
    expect(match.mean_difference).toBeCloseTo((-2 * 50 + 50) / 200, 12);
    expect(match.mean_absolute_difference).toBeCloseTo((2 * 50 + 50) / 200, 12);
  });

  it('finds how much later ours comes', () => {
    const recorded = plan(1, [100, 3], [200, 1], [300, 4], [380, 2]);
    const ours = plan(1, [130, 3], [230, 1], [330, 4], [410, 2]);
    const [match] = matchPlans(recorded, ours, 600);
    expect(match).toMatchObject({ lag_seconds: 30, match_rate_at_lag: 1 });
    expect(matchPlans(ours, recorded, 600)[0].lag_seconds).toBe(-30);
  });

  it('agrees with itself, whatever it is', () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.nat(5)), { maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.nat(5), (list, workers) => {
        const own = plan(workers, ...list.sort((a, b) => a[0] - b[0]));
        const [match] = matchPlans(own, own, 100);
        expect(match.match_rate).toBeCloseTo(1, 9);
        expect(match).toMatchObject({ lag_seconds: 0, mean_difference: 0, mean_absolute_difference: 0 });
      }),
    );
  });
});

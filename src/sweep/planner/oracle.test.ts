import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonObject, readJson } from '../../config/json.js';
import { type Candidate, comparePlanners, type PlannerComparison } from './compare.js';
import type { Oracle } from './oracle.js';
import type { PlannedRun } from './planned-job.js';
import { plannedPool } from './planned-pool.js';

const pool = plannedPool(1);
const SAME = 1e-9;

/** Load that comes in a burst or evenly, on a small fleet. */
const loads = fc.record({
  inputTokens: fc.integer({ min: 100, max: 900 }),
  outputTokens: fc.integer({ min: 1, max: 60 }),
  requests: fc.integer({ min: 5, max: 30 }),
  rate: fc.integer({ min: 2, max: 10 }),
  startupSeconds: fc.constantFrom(0, 2),
  seed: fc.nat(1000),
  ttftMs: fc.integer({ min: 100, max: 3000 }),
});

/** A policy that nobody would want: workers at random multiples of five seconds, between which the oracle changes fleets too. */
const timetables = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), { maxLength: 3 })
  .map((changes) => {
    const sorted = [...new Map(changes)].sort((a, b) => a[0] - b[0]);
    const list = sorted.map(([window, agg]) => ({ at_s: 5 * window, agg }));
    const settings = readJson(JSON.stringify({ changes: list }), 'test');
    return { label: 'random', policy: 'schedule', settings, times: list.map(({ at_s }) => at_s) };
  });

const BUILT_IN: Candidate[] = ['none', 'hpa', 'keda', 'saturation'].map((policy) => ({
  label: policy,
  policy,
  settings: policy === 'none' ? undefined : readJson('{"interval_seconds":2,"max_workers":3}', 'test'),
}));

function baseOf(load: { [key: string]: number }): JsonObject {
  const settings = {
    ...{ input_tokens: load.inputTokens, output_tokens: load.outputTokens, request_count: load.requests },
    ...{ request_rate: load.rate, arrival_seed: load.seed, sla_ttft_ms: load.ttftMs },
    extra_engine_args: { num_gpu_blocks: 128, block_size: 16, startup_time: load.startupSeconds },
  };
  return readJson(JSON.stringify(settings), 'test') as JsonObject;
}

const windowsOf = ({ measures }: PlannedRun) => measures.attainment_by_window?.length ?? 0;

/** No planner that keeps the goals as well as the oracle takes fewer GPU hours. */
function expectUnbeaten(oracle: Oracle, outcomes: PlannerComparison['outcomes']): void {
  for (const { candidate, outcome } of outcomes) {
    if ('failure' in outcome) continue;
    const { attainment = 0 } = outcome.measures;
    if (attainment >= oracle.attainment)
      expect(outcome.metrics.gpu_hours, candidate.label).toBeGreaterThanOrEqual(oracle.gpuHours - SAME);
  }
}

describe('the oracle', () => {
  it('is not beaten by any policy that keeps the goals as well', async () => {
    let exact = 0;
    await fc.assert(
      fc.asyncProperty(loads, timetables, fc.constantFrom(0.5, 0.9, 1), async (load, timetable, wanted) => {
        const task = { base: baseOf(load), wanted, mostWorkers: 3, oracleRuns: 30 };
        const { oracle, outcomes } = await comparePlanners(pool, { ...task, candidates: BUILT_IN }, () => {});
        expectUnbeaten(oracle!, outcomes);
        if (!oracle!.isExact) return;
        // Nor by one that it has not seen, where it has tried every fleet.
        exact++;
        const unseen = await comparePlanners(
          pool,
          { ...task, candidates: [timetable], oracleRuns: 0 },
          () => {},
        );
        const windows = outcomes.map(({ outcome }) => ('failure' in outcome ? 0 : windowsOf(outcome)));
        const settled = timetable.times.every((seconds) => seconds < 5 * windows[0]);
        if (settled) expectUnbeaten(oracle!, unseen.outcomes);
      }),
      { numRuns: 200, seed: 20_13 },
    );
    expect(exact).toBeGreaterThan(100);
  }, 300_000);

  it('keeps the goals where a fleet can', async () => {
    const load = { inputTokens: 800, outputTokens: 40, requests: 40, rate: 8, seed: 1, ttftMs: 6000 };
    const task = {
      ...{ base: baseOf({ ...load, startupSeconds: 0 }), candidates: BUILT_IN },
      ...{ wanted: 0.9, mostWorkers: 3, oracleRuns: 100 },
    };
    const { oracle } = await comparePlanners(pool, task, () => {});
    expect(oracle).toMatchObject({ isEnough: true, isExact: true });
    expect(oracle!.attainment).toBeGreaterThanOrEqual(0.9);
  });

  it('says where no fleet keeps the goals', async () => {
    const load = { inputTokens: 800, outputTokens: 40, requests: 40, rate: 8, seed: 1, ttftMs: 1 };
    const task = {
      ...{ base: baseOf({ ...load, startupSeconds: 0 }), candidates: BUILT_IN },
      ...{ wanted: 0.9, mostWorkers: 3, oracleRuns: 100 },
    };
    const { oracle } = await comparePlanners(pool, task, () => {});
    expect(oracle?.isEnough).toBe(false);
  });
});

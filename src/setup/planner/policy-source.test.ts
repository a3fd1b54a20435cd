import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../../config/scenario/options.js';
import { replay } from '../../replay.js';
import { generateTrace } from '../../workload/generate.js';

const EXAMPLE = fileURLToPath(new URL('../../../examples/burst-policy.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'policies-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LOAD: ReplayOptions = {
  ...{ inputTokens: 512, outputTokens: 32, requestCount: 40, requestRate: 8, numWorkers: 1 },
  extraEngineArgs: '{"num_gpu_blocks":128,"block_size":16}',
};

let files = 0;
/** A module with a policy whose tick has this body; modules are loaded once, so each has a name of its own. */
function policyFile(tick: string, before = ''): string {
  const path = join(folder, `policy-${files++}.mjs`);
  writeFileSync(
    path,
    `${before}\nexport const createPlanner = (fleet, settings) => ({ nextTickMs: 1000, tick(view) { ${tick} } });\n`,
  );
  return path;
}

const LATER = 'this.nextTickMs = view.nowMs + 1000;';

describe('a policy in a file', () => {
  it('scales the fleet, and is told of it and of its settings', async () => {
    const planner = policyFile(`${LATER} return { agg: settings.size * fleet.stages[0].workers };`);
    const { report, planner: outcome } = await replay({ ...LOAD, planner, plannerConfig: { size: 3 } });
    expect(report.scaling_events).toEqual([
      { at_s: 1, component: 'agg', from: 1, to: 3, reason: 'scale_up' },
    ]);
    expect(outcome?.stages).toMatchObject([{ name: 'agg', workers: 1, gpus: 1, kvTokens: 2048 }]);
    expect(report.completed_requests).toBe(40);
  });

  it.each([
    ['throw new Error("lost its way\\nat once");', 'failed at 1000 ms: lost its way'],
    [`${LATER} return { decode: 2 };`, 'tick returned workers of stage "decode", the fleet has agg'],
    [`${LATER} return { agg: -1 };`, 'tick returned -1 agg workers, expected a whole number from 0'],
    [`${LATER} return { agg: 1.5 };`, 'tick returned 1.5 agg workers'],
    [`${LATER} return { agg: "2" };`, 'tick returned 2 agg workers'],
    [`${LATER} return 3;`, 'tick must return workers by stage, found 3'],
    [`${LATER} return [3];`, 'tick must return workers by stage, found a list'],
    [`${LATER} return new Promise(() => {});`, 'found a promise; a policy cannot wait'],
    ['return { agg: 2 };', 'nextTickMs must be later than the last tick at 1000 ms, found 1000'],
    ['this.nextTickMs = NaN;', 'nextTickMs must be later than the last tick at 1000 ms, found NaN'],
    ['this.nextTickMs = "soon";', 'nextTickMs must be later than the last tick at 1000 ms, found soon'],
  ])('that does %s ends the run with one line', async (tick, message) => {
    const planner = policyFile(tick);
    const failure = await replay({ ...LOAD, planner }).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: 'RunError' });
    expect((failure as Error).message).toContain(message);
    expect((failure as Error).message).not.toContain('\n');
  });

  it('that takes all workers away leaves requests waiting until it gives one back', async () => {
    const planner = policyFile(`${LATER} return { agg: view.nowMs < 30_000 ? 0 : 1 };`);
    const { report } = await replay({ ...LOAD, planner });
    expect(report.completed_requests).toBe(40);
    expect(report.max_ttft_ms).toBeGreaterThan(25_000);
  });

  it('that leaves no worker, or never settles on one, ends the run rather than going on for ever', async () => {
    const none = policyFile(`${LATER} return { agg: 0 };`);
    await expect(replay({ ...LOAD, planner: none })).rejects.toThrow(/dead end|nothing can/);
    const flapping = policyFile(
      `${LATER} return { agg: view.nowMs === 1000 || view.stages[0].starting.length > 0 ? 0 : 1 };`,
    );
    const startup = '{"num_gpu_blocks":128,"block_size":16,"startup_time":60}';
    await expect(replay({ ...LOAD, extraEngineArgs: startup, planner: flapping })).rejects.toThrow(
      'keeps scaling the fleet while nothing happens',
    );
  });

  it.each([
    ['./nowhere.js', 'planner: no such file ./nowhere.js'],
    ['best', 'planner: no policy "best", there are reference, none, hpa, keda, saturation'],
  ])('%s is refused: %s', async (planner, message) => {
    await expect(replay({ ...LOAD, planner })).rejects.toThrow(message);
  });

  it('that cannot be loaded, or exports something else, is refused', async () => {
    const broken = policyFile('', 'const = 1;');
    await expect(replay({ ...LOAD, planner: broken })).rejects.toThrow('cannot be loaded: ');
    const other = join(folder, 'other.mjs');
    writeFileSync(other, 'export const planner = 1;\n');
    await expect(replay({ ...LOAD, planner: other })).rejects.toThrow('must export a function createPlanner');
    const empty = join(folder, 'empty.mjs');
    writeFileSync(empty, 'export const createPlanner = () => ({});\n');
    await expect(replay({ ...LOAD, planner: empty })).rejects.toThrow('createPlanner must return');
  });
});

describe('the example of a policy', () => {
  it('keeps latencies that a fixed fleet keeps with fewer GPU hours', async () => {
    const trace = join(folder, 'bursts.jsonl');
    const rows = generateTrace({
      ...{
        requests: 1500,
        seed: 3n,
        sessionsPerSecond: 1,
        meanTurns: 1,
        inputTokens: 2000,
        outputTokens: 60,
      },
      ...{ spread: { kind: 'lognormal', sigma: 0.8 }, thinkTimeMs: 8000, blockTokens: 512 },
      ...{ sharedPrefixTokens: 1024, prefixGroups: 8, maxContextTokens: 32_768 },
      bursts: { factor: 6, seconds: 30, everySeconds: 300 },
    });
    writeFileSync(trace, [...rows].join('\n'));
    const fleet: ReplayOptions = {
      ...{ traceFiles: [trace], numWorkers: 2, slaTtftMs: 1000 },
      extraEngineArgs: { num_gpu_blocks: 1024, startup_time: 10 },
    };
    const { report: fixed } = await replay(fleet);
    const { report } = await replay({
      ...{ ...fleet, planner: EXAMPLE },
      plannerConfig: { everySeconds: 300, burstSeconds: 30, workers: 1, burstWorkers: 3 },
    });
    expect(report.gpu_hours).toBeLessThan(0.8 * (fixed.gpu_hours as number));
    expect(report.p99_ttft_ms).toBeLessThan(fixed.p99_ttft_ms as number);
    expect(report.p90_itl_ms).toBeLessThan(fixed.p90_itl_ms as number);
  });
});

describe('built-in policies', () => {
  it.each(['none', 'hpa', 'keda', 'saturation'])('%s serves every request', async (planner) => {
    const { report, planner: outcome } = await replay({ ...LOAD, planner });
    expect(report.completed_requests).toBe(40);
    expect(outcome?.policy).toBe(planner);
  });

  it('none is the fleet as it is', async () => {
    const { report } = await replay({ ...LOAD, planner: 'none', numWorkers: 2 });
    const fixed = await replay({ ...LOAD, numWorkers: 2 });
    expect(report.mean_ttft_ms).toBe(fixed.report.mean_ttft_ms);
    expect(report.gpu_hours).toBe(fixed.report.gpu_hours);
  });

  it('does not move back and forth at constant load', async () => {
    const constant = { ...LOAD, requestRate: undefined, arrivalIntervalMs: 250, requestCount: 4000 };
    // A queue says nothing of load below capacity, so that hpa on one does move.
    for (const planner of ['keda', 'saturation']) {
      const { planner: outcome } = await replay({ ...constant, planner });
      const late = outcome!.events.filter(({ at_s }) => at_s > 500);
      expect(late, planner).toEqual([]);
    }
  });

  it('needs settings for the planner of the reference', async () => {
    await expect(replay({ ...LOAD, planner: 'reference' })).rejects.toThrow(
      'planner reference needs plannerConfig',
    );
  });
});

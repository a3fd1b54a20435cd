import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../../config/scenario/options.js';
import { replay } from '../../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'disturbances-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ENGINE = { num_gpu_blocks: 128, block_size: 16, startup_time: 2 };
const AGGREGATED: ReplayOptions = { extraEngineArgs: ENGINE, numWorkers: 2 };
const SPLIT: ReplayOptions = {
  prefillEngineArgs: { ...ENGINE, worker_type: 'prefill' },
  decodeEngineArgs: { ...ENGINE, worker_type: 'decode' },
  ...{ numPrefillWorkers: 2, numDecodeWorkers: 2 },
};
const LOAD: ReplayOptions = { inputTokens: 256, outputTokens: 24, requestCount: 60, requestRate: 12 };

interface Disturbed {
  lost_workers: number;
  resent_requests: number;
  boot_failures: number;
}

function outageFile(name: string, ...lines: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, ['at,stage,worker,for', ...lines].join('\n'));
  return path;
}

/** A policy that scales at random times to random sizes. */
const timetable = (stages: readonly string[]) =>
  fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 2 }),
      ),
      { maxLength: 5 },
    )
    .map((changes) => ({
      changes: [...new Map(changes)]
        .sort((a, b) => a[0] - b[0])
        .map(([at_s, sizes]) => ({
          at_s,
          ...Object.fromEntries(stages.map((stage, index) => [stage, sizes[index]])),
        })),
    }));

const disturbances = fc.record({
  seed: fc.nat(1_000_000),
  startup_spread: fc.constantFrom(0, 0.5, 2),
  boot_failure_rate: fc.constantFrom(0, 0.3, 0.9),
  losses_per_worker_hour: fc.constantFrom(0, 300, 2000),
});

describe('an unkind world', () => {
  it.each([
    ['workers that do both', AGGREGATED, ['agg'], 'round_robin'],
    ['workers behind a KV router', AGGREGATED, ['agg'], 'kv_router'],
    ['prefill and decode workers', SPLIT, ['prefill', 'decode'], 'round_robin'],
  ] as const)(
    'loses no request of %s, and serves none twice',
    async (_, fleet, stages, routerMode) => {
      let resent = 0;
      await fc.assert(
        fc.asyncProperty(timetable(stages), disturbances, async (plannerConfig, unkind) => {
          const { report, records } = await replay({
            ...{ ...LOAD, ...fleet, routerMode, planner: 'schedule', plannerConfig, disturbances: unkind },
            ...{ check: true, records: 'all' },
          });
          expect(report).toMatchObject({ num_requests: 60, completed_requests: 60, unfinished_requests: 0 });
          expect(new Set(records.map(({ row }) => row)).size).toBe(60);
          expect(records).toHaveLength(60);
          for (const { outputTokens, firstTokenMs, arrivalMs } of records) {
            expect(outputTokens).toBe(24);
            expect(firstTokenMs).toBeGreaterThanOrEqual(arrivalMs);
          }
          resent += (report.disturbances as Disturbed).resent_requests;
        }),
        { numRuns: 60, seed: 7 },
      );
      expect(resent).toBeGreaterThan(50);
    },
    120_000,
  );

  it('is the same again for the same seed, and another for another', async () => {
    const run = async (seed: number) => {
      const unkind = { seed, losses_per_worker_hour: 2000, startup_spread: 1 };
      const { report } = await replay({ ...LOAD, ...AGGREGATED, planner: 'none', disturbances: unkind });
      return JSON.stringify([report.disturbances, report.mean_ttft_ms, report.gpu_hours]);
    };
    expect(await run(1)).toBe(await run(1));
    expect(await run(1)).not.toBe(await run(2));
  });

  it('changes nothing where nothing happens', async () => {
    const { report } = await replay({ ...LOAD, ...AGGREGATED, planner: 'none', disturbances: {} });
    const kind = await replay({ ...LOAD, ...AGGREGATED, planner: 'none' });
    expect(report.disturbances).toMatchObject({ lost_workers: 0, resent_requests: 0, boot_failures: 0 });
    expect(report.mean_e2e_latency_ms).toBe(kind.report.mean_e2e_latency_ms);
    expect(report.gpu_hours).toBe(kind.report.gpu_hours);
  });

  it('follows a file of outages', async () => {
    const outages = outageFile('one.csv', '1,agg,0,3', '2,agg,7,3');
    const { report, records } = await replay({
      ...{ ...LOAD, ...AGGREGATED, planner: 'none', disturbances: { outages }, records: 'all' },
    });
    // Worker 7 is not there.
    expect(report.disturbances).toMatchObject({
      lost_workers: 1,
      losses: [{ at_s: 1, stage: 'agg', worker: 0 }],
    });
    expect(report.completed_requests).toBe(60);
    // Worker 2 takes the place of worker 0 when the outage is over.
    const early = records.filter(
      ({ worker, dispatchMs, arrivalMs }) => worker === 2 && (dispatchMs || arrivalMs) < 4000,
    );
    expect(records.some(({ worker }) => worker === 2)).toBe(true);
    expect(early).toEqual([]);
  });

  it('finds the blocks of a request that is sent again, though no other prompt has them', async () => {
    const trace = join(folder, 'unshared.jsonl');
    writeFileSync(trace, '{"timestamp":0,"input_length":256,"output_length":400,"hash_ids":[1]}\n');
    const { report, records } = await replay({
      ...{ ...SPLIT, traceFiles: [trace], numPrefillWorkers: 1, numDecodeWorkers: 1, planner: 'none' },
      ...{ disturbances: { outages: outageFile('decode.csv', '1,decode,0,1') }, records: 'all' },
    });
    expect(report.disturbances).toMatchObject({ lost_workers: 1, resent_requests: 1 });
    expect(records[0]).toMatchObject({ firstReusedTokens: 240 });
  });

  it.each([
    [{ boot_failure_rate: 1 }, 'disturbances: boot_failure_rate: 1 is out of range'],
    [{ loses: 1 }, 'disturbances: loses: unknown field'],
    [{ outages: 'nowhere.csv' }, 'disturbances: outages: cannot read nowhere.csv'],
  ])('%j is refused in a line', async (unkind, message) => {
    const options = { ...LOAD, ...AGGREGATED, planner: 'none', disturbances: unkind };
    await expect(replay(options)).rejects.toThrow(message);
  });

  it.each([
    ['1,agg,0', 'bad.csv:2: expected at,stage,worker,for, found 3 values'],
    ['1,decode,0,3', 'bad.csv:2: stage: found "decode", allowed are agg'],
    ['x,agg,0,3', 'bad.csv:2: at: expected a number from 0, found "x"'],
    ['1,agg,0.5,3', 'bad.csv:2: worker: expected a whole number, found 0.5'],
  ])('an outage %s is refused in a line', async (line, message) => {
    const outages = outageFile('bad.csv', line);
    const options = { ...LOAD, ...AGGREGATED, planner: 'none', disturbances: { outages } };
    await expect(replay(options)).rejects.toThrow(message);
  });
});

import { describe, expect, it } from 'vitest';
import { openRun, type ReplayOptions, type Run } from '../index.js';

const INFINITY = Number.POSITIVE_INFINITY;

interface Scaling {
  atMs: number;
  workers: number;
  startupMs: number;
}

function scaleAll(run: Run, scaling: readonly Scaling[]): void {
  for (const { atMs, workers, startupMs } of scaling) {
    run.until(atMs);
    for (const { name } of run.stages()) run.scale(name, workers, startupMs);
  }
  run.until(INFINITY);
}

const ENGINE = '"block_size":16,"num_gpu_blocks":600';
const LOAD: ReplayOptions = {
  inputTokens: 400,
  outputTokens: 60,
  requestCount: 400,
  requestRate: 40,
  records: 'all',
  check: true,
};
const AGGREGATED: ReplayOptions = { ...LOAD, numWorkers: 3, extraEngineArgs: `{${ENGINE}}` };
const SPLIT: ReplayOptions = {
  ...LOAD,
  numPrefillWorkers: 3,
  numDecodeWorkers: 3,
  prefillEngineArgs: `{${ENGINE},"worker_type":"prefill"}`,
  decodeEngineArgs: `{${ENGINE},"worker_type":"decode"}`,
};

describe.each(['round_robin', 'kv_router'] as const)('scaling under %s', (routerMode) => {
  it('loses no request, drains and starts workers', async () => {
    const run = await openRun({ ...AGGREGATED, routerMode });
    scaleAll(run, [
      { atMs: 1000, workers: 6, startupMs: 500 },
      { atMs: 1200, workers: 5, startupMs: 500 },
      { atMs: 3000, workers: 1, startupMs: 0 },
      { atMs: 5000, workers: 4, startupMs: 2000 },
    ]);
    const { records, report } = run.result();
    expect(report.completed_requests).toBe(400);
    expect(records.map(({ row }) => row).sort((a, b) => a - b)).toEqual([...Array(400).keys()]);
    const workers = new Set(records.map(({ worker }) => worker));
    // Worker 5 was starting when it was no longer wanted.
    expect([...workers].sort()).toEqual([0, 1, 2, 3, 4, 6, 7, 8]);
    expect(records.filter(({ worker, arrivalMs }) => worker === 2 && arrivalMs > 3000)).toEqual([]);
    expect(records.filter(({ worker, arrivalMs }) => worker === 3 && arrivalMs < 1500)).toEqual([]);
    const seconds = (report.duration_ms as number) / 1000;
    expect(report.decode_worker_seconds).toBeGreaterThan(seconds);
    expect(report.decode_worker_seconds).toBeLessThan(6 * seconds);
  });

  it.each([
    ['aggregated', AGGREGATED],
    ['split', SPLIT],
  ])(
    'to no worker at all holds requests of a fleet that is %s back until there is one',
    async (_, options) => {
      const run = await openRun({ ...options, routerMode });
      scaleAll(run, [
        { atMs: 1000, workers: 0, startupMs: 0 },
        { atMs: 4000, workers: 2, startupMs: 1000 },
      ]);
      const { records, report } = run.result();
      expect(report.completed_requests).toBe(400);
      const waited = records.filter(({ arrivalMs }) => arrivalMs > 1000 && arrivalMs < 5000);
      expect(Math.min(...waited.map(({ firstAdmitMs }) => firstAdmitMs))).toBeGreaterThanOrEqual(5000);
    },
  );

  it('tells a run that waits for workers from one that is over', async () => {
    const run = await openRun({ ...SPLIT, routerMode });
    run.until(500);
    for (const { name } of run.stages()) run.scale(name, 0, 0);
    run.until(60_000);
    expect([run.isStuck, run.isDone]).toEqual([true, false]);
    const taking = run.stages().flatMap(({ active, starting }) => [...active, ...starting]);
    expect(taking).toEqual([]);
    run.scale('prefill', 1, 0);
    run.scale('decode', 1, 0);
    run.until(INFINITY);
    expect([run.isStuck, run.isDone]).toEqual([false, true]);
    expect(run.result().report.completed_requests).toBe(400);
  });
});

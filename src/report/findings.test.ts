import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-findings-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Found {
  verdict: { state: string; evidence: string[] };
  bottlenecks: { limit: string; text: string; remedies: unknown[] }[];
  anomalies: { name: string; count: number; text: string }[];
}

async function judge(options: ReplayOptions): Promise<Found> {
  return (await replay(options)).report as unknown as Found;
}

const LOAD: ReplayOptions = { inputTokens: 1000, outputTokens: 100, requestCount: 300 };
const anomalies = (found: Found) => found.anomalies.map(({ name }) => name);

function trace(rows: [timestamp: number, input: number, output: number][]): ReplayOptions {
  const path = join(folder, 'trace.jsonl');
  const lines = rows.map(([timestamp, input_length, output_length], index) => {
    const blocks = Math.ceil(input_length / 512);
    const hash_ids = Array.from({ length: blocks }, (_, block) => 1000 * index + block);
    return JSON.stringify({ timestamp, input_length, output_length, hash_ids });
  });
  writeFileSync(path, lines.join('\n'));
  return { traceFiles: [path] };
}

describe('the verdict', () => {
  it('is stable where requests hardly wait', async () => {
    const { verdict, bottlenecks } = await judge({ ...LOAD, requestRate: 1 });
    expect(verdict.state).toBe('stable');
    expect(bottlenecks.map(({ limit }) => limit)).toEqual(['decode']);
  });

  it('is overloaded where more comes than can be served, and tells how much more', async () => {
    // One sequence at a time: how long it takes alone is what the fleet can serve.
    const engine = '{"max_num_seqs":1}';
    const alone = await replay({ ...LOAD, requestCount: 1, replayConcurrency: 1, extraEngineArgs: engine });
    const serviceMs = alone.report.mean_e2e_latency_ms as number;
    const arrivalIntervalMs = serviceMs / 1.25;
    const { verdict, bottlenecks } = await judge({ ...LOAD, arrivalIntervalMs, extraEngineArgs: engine });
    expect(verdict.state).toBe('overloaded');
    expect(verdict.evidence[0]).toMatch(/^from 0 to \d+ s 2[456] % more came than the workers could take$/);
    expect(bottlenecks[0]).toMatchObject({ limit: 'max_num_seqs', latency: 'ttft' });
    const calm = await judge({ ...LOAD, arrivalIntervalMs: serviceMs * 1.01, extraEngineArgs: engine });
    expect(calm.verdict.state).toBe('stable');
  });

  it('is backlogged where a closed loop holds more than the fleet takes at once', async () => {
    const { verdict } = await judge({
      ...LOAD,
      replayConcurrency: 32,
      extraEngineArgs: '{"max_num_seqs":8}',
    });
    expect(verdict.state).toBe('backlogged');
  });

  it('is idle where nothing completes', async () => {
    const found = await judge({
      ...LOAD,
      requestCount: 3,
      requestRate: 1,
      extraEngineArgs: '{"num_gpu_blocks":4}',
    });
    expect(found.verdict.state).toBe('idle');
    expect(anomalies(found)).toEqual(['unservable_requests']);
    expect(found.anomalies[0].count).toBe(3);
  });
});

describe('bottlenecks and anomalies', () => {
  it('name KV blocks and preemptions where the pool is tight', async () => {
    const engine = '{"num_gpu_blocks":60,"block_size":16}';
    const found = await judge({
      inputTokens: 200,
      outputTokens: 300,
      requestCount: 100,
      requestRate: 5,
      extraEngineArgs: engine,
    });
    expect(found.bottlenecks[0].text).toContain('waiting for KV blocks');
    expect(anomalies(found)).toContain('preemption_thrash');
  });

  it('name a head of the queue that blocks those behind it', async () => {
    const long: [number, number, number] = [1, 6000, 50];
    const short = Array.from({ length: 20 }, (_, i): [number, number, number] => [2 + i, 100, 50]);
    const engine = '{"num_gpu_blocks":110,"block_size":64}';
    const found = await judge({ ...trace([[0, 4000, 300], long, ...short]), extraEngineArgs: engine });
    expect(anomalies(found)).toContain('head_of_line_blocking');
  });

  it('name imbalance where round robin gives one worker all the long requests', async () => {
    const rows = Array.from({ length: 60 }, (_, i): [number, number, number] => [
      i * 20,
      i % 2 ? 100 : 3000,
      i % 2 ? 5 : 200,
    ]);
    const found = await judge({ ...trace(rows), numWorkers: 2 });
    expect(anomalies(found)).toEqual(['imbalance']);
  });

  it('name the router, and the way to decode workers', async () => {
    const routed = await judge({
      ...LOAD,
      requestRate: 200,
      numWorkers: 2,
      routerMode: 'kv_router',
      routerConfig: '{"router_queue_threshold":0.05}',
    });
    expect(routed.bottlenecks.map(({ limit }) => limit)).toContain('router_queue');
    const stage = (worker_type: string) =>
      JSON.stringify({ worker_type, kv_transfer_bandwidth: 0.1, kv_bytes_per_token: 100_000 });
    const split = await judge({
      ...LOAD,
      requestRate: 2,
      prefillEngineArgs: stage('prefill'),
      decodeEngineArgs: stage('decode'),
    });
    expect(split.bottlenecks[0].limit).toBe('kv_transfer');
  });
});

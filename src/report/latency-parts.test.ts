import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';
import { RunError } from '../simulation/run-error.js';
import { latencyParts, sumOf } from './latency-parts.js';
import type { RequestOutcome } from './outcome.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(options: ReplayOptions): Promise<RequestOutcome[]> {
  const { records } = await replay({ records: 'ended', ...options });
  for (const record of records) {
    const parts = latencyParts(record);
    if (!parts) continue;
    expect(sumOf(parts)).toBe(Math.max(0, record.lastTokenMs - record.arrivalMs));
    for (const ms of Object.values(parts)) expect(ms).toBeGreaterThanOrEqual(0);
  }
  return records;
}

function trace(rows: object[]): string[] {
  const path = join(folder, 'trace.jsonl');
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'));
  return [path];
}

describe('parts of a latency', () => {
  it('are those of the worked example of a handoff', async () => {
    // Prompts of 128 and 100 tokens at 0 and 19 ms, 4 tokens out, 10^5 bytes a token over 1 GB/s.
    const [first, second] = await run({
      traceFiles: trace([
        { timestamp: 0, input_length: 128, output_length: 4, hash_ids: [1] },
        { timestamp: 19, input_length: 100, output_length: 4, hash_ids: [2] },
      ]),
      prefillEngineArgs:
        '{"worker_type":"prefill","num_gpu_blocks":100,"kv_transfer_bandwidth":1,"kv_bytes_per_token":100000}',
      decodeEngineArgs: '{"worker_type":"decode","num_gpu_blocks":100}',
    });
    const parts = latencyParts(first)!;
    expect(parts).toMatchObject({
      router_queue: 0,
      worker_queue: 0,
      decode_room: 0,
      decode_queue: 0,
      preemption: 0,
    });
    expect(parts.prefill).toBe(18.451798);
    expect(parts.transfer).toBeCloseTo(12.8, 9);
    // The second finds its decode worker busy until 38.06, and again after the transfer.
    const later = latencyParts(second)!;
    expect(later.prefill).toBeCloseTo(37.023974 - 19, 9);
    expect(later.decode_room).toBeCloseTo(38.061702 - 37.023974, 9);
    expect(later.transfer).toBeCloseTo(54.814002 - 38.061702, 9);
  });

  it('tell queueing from computing, and what preemption cost', async () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({
      timestamp: 0,
      input_length: 200,
      output_length: 150,
      hash_ids: [i],
    }));
    const engine = '{"block_size":64,"num_gpu_blocks":16,"max_num_seqs":4}';
    const records = await run({ traceFiles: trace(rows), extraEngineArgs: engine });
    const parts = records.map((record) => latencyParts(record)!);
    expect(records.some(({ preemptions }) => preemptions > 0)).toBe(true);
    records.forEach((record, index) => {
      expect(parts[index].preemption > 0).toBe(record.preemptions > 0);
      expect(parts[index].worker_queue).toBe(record.firstAdmitMs - record.arrivalMs);
    });
  });

  it('name the router when it holds a request back', async () => {
    const records = await run({
      inputTokens: 4000,
      outputTokens: 5,
      requestCount: 20,
      requestRate: 200,
      numWorkers: 2,
      routerMode: 'kv_router',
      routerConfig: '{"router_queue_threshold":0.1}',
    });
    expect(records.some((record) => latencyParts(record)!.router_queue > 0)).toBe(true);
  });

  it('add up in every kind of fleet', async () => {
    const fleet = fc.record({
      engine_type: fc.constantFrom('vllm', 'trtllm', 'sglang'),
      isSplit: fc.boolean(),
      num_gpu_blocks: fc.integer({ min: 30, max: 120 }),
      max_num_seqs: fc.integer({ min: 1, max: 8 }),
      requestRate: fc.constantFrom(5, 50, 500),
      routerMode: fc.constantFrom('round_robin' as const, 'kv_router' as const),
    });
    await fc.assert(
      fc.asyncProperty(fleet, async ({ engine_type, isSplit, requestRate, routerMode, ...rest }) => {
        const engine = {
          engine_type,
          block_size: 16,
          kv_transfer_bandwidth: 1,
          kv_bytes_per_token: 1000,
          ...rest,
        };
        const stage = (worker_type: string) => JSON.stringify({ ...engine, worker_type });
        const engines = isSplit
          ? { prefillEngineArgs: stage('prefill'), decodeEngineArgs: stage('decode') }
          : { extraEngineArgs: JSON.stringify(engine), numWorkers: 2 };
        const load = { inputTokens: 200, outputTokens: 30, requestCount: 25, requestRate };
        // Small pools of stages can come to a dead end, as in the reference.
        await run({ ...load, ...engines, routerMode, beyondReference: true }).catch((error) => {
          if (!(error instanceof RunError)) throw error;
        });
      }),
      { numRuns: 60 },
    );
  });
});

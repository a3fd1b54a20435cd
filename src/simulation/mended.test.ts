import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';
import type { RequestOutcome } from '../report/outcome.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-mended-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TIMES = { type: 'fixed', prefill_ms: 10, decode_ms: 3 };

interface Row {
  hash_ids: number[];
  output_length: number;
  timestamp?: number;
}

async function run(rows: readonly Row[], engine: object, options: ReplayOptions = {}) {
  const path = join(folder, 'rows.jsonl');
  const whole = rows.map((row) => ({ timestamp: 0, ...row, input_length: row.hash_ids.length * 16 }));
  writeFileSync(path, whole.map((row) => JSON.stringify(row)).join('\n'));
  const args = { block_size: 16, timing_model: TIMES, ...engine };
  return replay({
    traceFiles: [path],
    traceBlockSize: 16,
    ...(options.prefillEngineArgs === undefined && { extraEngineArgs: JSON.stringify(args) }),
    records: 'all',
    check: true,
    ...options,
  });
}

const MENDED: ReplayOptions = { beyondReference: true, mendFaults: true };

const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
const firstTokens = (records: readonly RequestOutcome[]) => records.map((record) => record.firstTokenMs);

describe('mended faults', () => {
  it.each([
    ['vllm', {}],
    ['trtllm', {}],
    ['vllm', { aic_nextn: 2, aic_nextn_accept_rates: '1,1' }],
  ])('the first token comes with its prompt: %s %o', async (engine_type, more) => {
    const rows = [{ hash_ids: ids(0, 4), output_length: 7 }];
    const engine = { engine_type, ...more };
    const kept = await run(rows, engine);
    const mended = await run(rows, engine, MENDED);
    expect(firstTokens(kept.records)).toEqual([13]);
    expect(firstTokens(mended.records)).toEqual([10]);
    expect(mended.records[0].outputTokens).toBe(7);
    const speculates = 'aic_nextn' in more;
    expect(mended.records[0].lastTokenMs).toBe(10 + 3 * (speculates ? 2 : 6));
  });

  const chunked = { engine_type: 'sglang', sglang: { chunked_prefill_size: 64 } };

  it('chunks of a prompt of SGLang are no cache hits', async () => {
    const rows = [{ hash_ids: ids(0, 12), output_length: 2 }];
    const kept = await run(rows, chunked);
    const mended = await run(rows, chunked, MENDED);
    expect(kept.report.prefix_cache_reused_ratio).toBeGreaterThan(0.5);
    expect(mended.report.prefix_cache_reused_ratio).toBe(0);
  });

  it('SGLang finds a cached prompt beyond its first chunk', async () => {
    const rows = [
      { hash_ids: ids(0, 12), output_length: 2 },
      { hash_ids: ids(0, 13), output_length: 2, timestamp: 1000 },
    ];
    const reused = ({ records }: Awaited<ReturnType<typeof run>>) => records[1].firstReusedTokens;
    expect(reused(await run(rows, chunked))).toBe(64);
    const mended = await run(rows, chunked, MENDED);
    expect(reused(mended)).toBe(12 * 16);
    expect(mended.records[1].firstTokenMs).toBe(1010);
  });

  it('a pass of SGLang that prefills lets what runs stand still', async () => {
    const rows = [
      { hash_ids: ids(0, 4), output_length: 4 },
      { hash_ids: ids(100, 4), output_length: 4, timestamp: 5 },
    ];
    const { records } = await run(rows, { engine_type: 'sglang' }, MENDED);
    expect(firstTokens(records)).toEqual([10, 20]);
    expect(records.map(({ lastTokenMs }) => lastTokenMs)).toEqual([29, 29]);
  });

  it.each([
    ['vllm', { num_gpu_blocks: 10 }],
    ['vllm', { num_gpu_blocks: 10, g1_backend: 'kvbm' }],
    ['vllm', { num_gpu_blocks: 10, aic_nextn: 2, aic_nextn_accept_rates: '0.5,0.5' }],
    ['sglang', { num_gpu_blocks: 11 }],
  ])('what outgrows the cache of %s is refused, and the others are served: %o', async (engine_type, more) => {
    const rows = [
      { hash_ids: ids(0, 4), output_length: 60 },
      { hash_ids: ids(10, 4), output_length: 200 },
      { hash_ids: ids(20, 6), output_length: 60 },
    ];
    const engine = { engine_type, ...more };
    await expect(run(rows, engine)).rejects.toThrow(/dead end/);
    const { records } = await run(rows, engine, MENDED);
    expect(records.map(({ status }) => status)).toEqual(['completed', 'rejected', 'completed']);
  });

  it('a prompt that fits no pass is refused', async () => {
    const rows = [4, 9, 4].map((blocks, i) => ({ hash_ids: ids(i * 10, blocks), output_length: 5 }));
    const engine = { enable_chunked_prefill: false, max_num_batched_tokens: 100 };
    await expect(run(rows, engine)).rejects.toThrow(/dead end/);
    const { records } = await run(rows, engine, MENDED);
    expect(records.map(({ status }) => status)).toEqual(['completed', 'rejected', 'completed']);
  });

  it.each(['vllm', 'sglang'])('a decode worker of %s refuses what it can never hold', async (engine_type) => {
    const stage = (worker_type: string, num_gpu_blocks: number) =>
      JSON.stringify({ engine_type, block_size: 16, timing_model: TIMES, worker_type, num_gpu_blocks });
    const rows = [60, 200, 60].map((output_length, i) => ({ hash_ids: ids(i * 10, 4), output_length }));
    const fleet = { prefillEngineArgs: stage('prefill', 40), decodeEngineArgs: stage('decode', 12) };
    await expect(run(rows, {}, fleet)).rejects.toThrow(/dead end/);
    const { report } = await run(rows, {}, { ...fleet, ...MENDED });
    expect([report.completed_requests, report.failed_requests]).toEqual([2, 1]);
  });

  it('need --beyond-reference, which alone changes none of them', async () => {
    const rows = [{ hash_ids: ids(0, 4), output_length: 7 }];
    expect(firstTokens((await run(rows, {}, { beyondReference: true })).records)).toEqual([13]);
    const { records, report } = await run(rows, {}, { mendFaults: true });
    expect(firstTokens(records)).toEqual([13]);
    expect(report.warnings).toEqual([expect.stringMatching(/mendFaults has no effect: needs beyondRef/)]);
  });
});

describe('arguments of engines that change nothing', () => {
  const rows = [{ hash_ids: ids(0, 4), output_length: 3 }];
  const warned = async (engine: object, options: ReplayOptions = {}) =>
    (await run(rows, { timing_model: null, ...engine }, options)).report.warnings ?? [];

  it('SGLang keeps its prefix cache in Dynamo 1.4.2, and says so', async () => {
    const engine = { engine_type: 'sglang', enable_prefix_caching: false };
    expect(await warned(engine)).toEqual([
      expect.stringMatching(/enable_prefix_caching .* always on for sglang/),
    ]);
    expect(await warned(engine, MENDED)).toEqual([]);
    const again = [rows[0], { ...rows[0], timestamp: 1000 }];
    const reused = async (options: ReplayOptions) =>
      (await run(again, engine, options)).report.prefix_cache_reused_ratio;
    expect(await reused({})).toBeGreaterThan(0);
    expect(await reused(MENDED)).toBe(0);
  });

  const timing = { type: 'roofline', gpu: 'h100_sxm', model: 'Qwen/Qwen3-8B' };

  it.each([
    ['vllm', 'gpu_memory_utilization', 'mem_fraction_static'],
    ['sglang', 'mem_fraction_static', 'gpu_memory_utilization'],
    ['trtllm', 'free_gpu_memory_fraction', 'gpu_memory_utilization'],
  ])('%s takes %s of the memory, and says that it does not read %s', async (engine_type, own, other) => {
    const blocks = async (more: object) => {
      const { report } = await run(rows, { engine_type, timing_model: null, timing, ...more });
      const [worker] = report.workers as Record<string, number>[];
      return worker.kv_blocks;
    };
    const usual = await blocks({});
    expect(await blocks({ [own]: 0.5 })).toBeLessThan(usual * 0.7);
    expect(await blocks({ [other]: 0.5 })).toBe(usual);
    expect(await warned({ engine_type, timing, [own]: 0.5 })).toEqual([]);
    expect(await warned({ engine_type, timing, [other]: 0.5 })).toEqual([
      expect.stringMatching(new RegExp(`^${other} of an engine has no effect: .* ${own} counts$`)),
    ]);
  });
});

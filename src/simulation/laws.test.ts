import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SEMANTICS } from '../config/rules.js';
import { type ReplayOptions, type RequestOutcome, replay } from '../index.js';
import type { Report } from '../report/report.js';
import { reportDifferences } from '../testing/reference-cases.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-laws-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Longer than any run here; with a cap every pass visits every request and notes its tokens one by one. */
const FAR_SECONDS = 1e9;

const row = fc.record({
  hash_ids: fc.array(fc.nat(12), { minLength: 1, maxLength: 12 }),
  cut: fc.nat(15),
  output_length: fc.oneof(fc.nat(4), fc.integer({ min: 1, max: 200 })),
  gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 120, noNaN: true })),
  session: fc.option(fc.nat(4), { nil: undefined }),
});

const engine = fc.record(
  {
    engine_type: fc.constantFrom('vllm', 'vllm', 'trtllm', 'sglang'),
    block_size: fc.constantFrom(4, 16, 17, 64),
    num_gpu_blocks: fc.integer({ min: 40, max: 400 }),
    max_num_seqs: fc.integer({ min: 1, max: 20 }),
    max_num_batched_tokens: fc.integer({ min: 16, max: 600 }),
    enable_prefix_caching: fc.boolean(),
    preemption_mode: fc.constantFrom('lifo', 'fifo'),
    dp_size: fc.constantFrom(1, 1, 2),
    g1_backend: fc.constantFrom('native', 'native', 'kvbm'),
  },
  { requiredKeys: ['block_size', 'num_gpu_blocks'] },
);

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;
type Engine = typeof engine extends fc.Arbitrary<infer T> ? T : never;

function writeTrace(rows: Row[]): string {
  let timestamp = 0;
  const lines = rows.map(({ cut, gapMs, session, ...fields }) => {
    timestamp += gapMs;
    const input_length = Math.max(1, fields.hash_ids.length * 16 - cut);
    const session_id = session === undefined ? undefined : `s${session}`;
    return JSON.stringify({ ...fields, input_length, timestamp, session_id });
  });
  const path = join(folder, 'trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  return path;
}

async function outcome(options: ReplayOptions) {
  try {
    return await replay(options);
  } catch (error) {
    return String(error);
  }
}

const fleet = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 40 }),
  engine: engine.filter((e) => e.g1_backend !== 'kvbm' || e.block_size !== 17),
  interval: fc.constantFrom(undefined, undefined, 1, 3, 20),
  numWorkers: fc.constantFrom(1, 2, 3),
  semantics: fc.constantFrom(...SEMANTICS),
  mendFaults: fc.constantFrom(false, false, true),
  beyondReference: fc.constant(true),
  replayConcurrency: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
});

/** An engine with a distance between prefills, and chunks of SGLang that every release takes. */
function engineJson(args: Engine, interval: number | undefined): string {
  const { engine_type: type, block_size } = args;
  const key = type === 'sglang' ? 'prefill_decode_interval' : 'prefill_schedule_interval';
  return JSON.stringify({
    ...args,
    ...(type !== 'trtllm' && { [key]: interval }),
    ...(type === 'sglang' && { sglang: { chunked_prefill_size: 64 * block_size } }),
  });
}

/** Passes of a stretch do not look at the queue again, so that what they count of it may lag behind. */
function withoutWaits({ bottlenecks: _, anomalies: __, scenario: ___, ...report }: Report): Report {
  const workers = report.workers as Record<string, number>[];
  const isWait = (key: string) => /^passes_short|_wait_ms$|^blocked_heads$/.test(key);
  return {
    ...report,
    workers: workers.map((worker) =>
      Object.fromEntries(Object.entries(worker).filter(([key]) => !isWait(key))),
    ),
  };
}

describe('simulated fleets', () => {
  it('give the same answer whether requests are advanced as a group or one by one', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, async ({ rows, engine: args, interval, ...options }) => {
        const run = {
          ...options,
          traceFiles: [writeTrace(rows)],
          traceBlockSize: 16,
          extraEngineArgs: engineJson(args, interval),
          records: 'ended' as const,
        };
        const grouped = await outcome(run);
        const single = await outcome({ ...run, maxSimTimeSeconds: FAR_SECONDS });
        if (typeof grouped === 'string' || typeof single === 'string') {
          expect(String(grouped).slice(0, 40)).toBe(String(single).slice(0, 40));
          return;
        }
        expect(grouped.records).toEqual(single.records);
        expect(reportDifferences(withoutWaits(single.report), withoutWaits(grouped.report))).toEqual([]);
      }),
      { numRuns: 250 },
    );
  });

  it('keep the conservation laws', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, async ({ rows, engine: args, interval, ...options }) => {
        const result = await outcome({
          ...options,
          traceFiles: [writeTrace(rows)],
          traceBlockSize: 16,
          extraEngineArgs: engineJson(args, interval),
          records: 'all',
          check: true,
        });
        if (typeof result === 'string') {
          expect(result).toMatch(/^RunError/);
          return;
        }
        expect(result.records).toHaveLength(rows.length);
        expect(new Set(result.records.map((record) => record.row)).size).toBe(rows.length);
        for (const record of result.records) checkRecord(record, args.engine_type === 'trtllm');
      }),
      { numRuns: 150 },
    );
  });

  it('give the same bytes again', async () => {
    const options = { inputTokens: 300, outputTokens: 40, requestCount: 50, requestRate: 30, numWorkers: 2 };
    const strip = ({ report }: Awaited<ReturnType<typeof replay>>) =>
      Object.entries(report).filter(([key]) => !/wall_time|processed_.*_per_s/.test(key));
    expect(strip(await replay(options))).toEqual(strip(await replay(options)));
  });

  it('say what is stuck and what to change when nothing can move', async () => {
    const path = join(folder, 'stuck.jsonl');
    writeFileSync(
      path,
      JSON.stringify({ timestamp: 0, input_length: 100, output_length: 60, hash_ids: [1] }),
    );
    const options = { traceFiles: [path], extraEngineArgs: '{"block_size":16,"num_gpu_blocks":8}' };
    await expect(replay(options)).rejects.toThrow(
      /dead end with 1 in-flight.*request 1 \(100 tokens in, 60 out\) grows to 10 blocks.*num_gpu_blocks to 10/,
    );
  });
});

function checkRecord(record: RequestOutcome, mayClamp: boolean): void {
  if (record.status === 'rejected') {
    expect(record.outputTokens).toBe(0);
    return;
  }
  expect(record.status).toBe('completed');
  if (mayClamp) expect(record.outputTokens).toBeLessThanOrEqual(record.requestedTokens);
  else expect(record.outputTokens).toBe(record.requestedTokens);
  expect(record.firstAdmitMs).toBeGreaterThanOrEqual(record.arrivalMs);
  expect(record.terminalMs).toBeGreaterThanOrEqual(record.firstAdmitMs);
  if (record.outputTokens === 0) return;
  expect(record.firstTokenMs).toBeGreaterThan(record.firstAdmitMs);
  expect(record.lastTokenMs).toBeGreaterThanOrEqual(record.firstTokenMs);
  expect(record.lastTokenMs).toBe(record.terminalMs);
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type ReplayOptions, replay } from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-split-'));
afterAll(() => rmSync(folder, { recursive: true }));

const row = fc.record({
  hash_ids: fc.array(fc.nat(12), { minLength: 1, maxLength: 8 }),
  output_length: fc.oneof(fc.nat(3), fc.integer({ min: 1, max: 80 })),
  gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 60, noNaN: true })),
});

const engine = fc.record({
  block_size: fc.constant(16),
  num_gpu_blocks: fc.integer({ min: 60, max: 400 }),
  max_num_seqs: fc.integer({ min: 1, max: 12 }),
  max_num_batched_tokens: fc.integer({ min: 16, max: 400 }),
});

const fleet = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 30 }),
  engineType: fc.constantFrom('vllm', 'vllm', 'sglang'),
  prefill: engine,
  decode: engine,
  bandwidth: fc.constantFrom(undefined, 1, 64),
  numPrefillWorkers: fc.integer({ min: 1, max: 3 }),
  numDecodeWorkers: fc.integer({ min: 1, max: 3 }),
  routerMode: fc.constantFrom('round_robin' as const, 'kv_router' as const),
  replayConcurrency: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
});

type Case = typeof fleet extends fc.Arbitrary<infer T> ? T : never;

function optionsOf({ rows, engineType, prefill, decode, bandwidth, ...rest }: Case): ReplayOptions {
  let timestamp = 0;
  const lines = rows.map(({ gapMs, ...fields }) => {
    timestamp += gapMs;
    return JSON.stringify({ ...fields, input_length: fields.hash_ids.length * 16, timestamp });
  });
  const path = join(folder, 'trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  const transfer = bandwidth && { kv_transfer_bandwidth: bandwidth, kv_bytes_per_token: 100_000 };
  const stage = (args: object, worker_type: string) =>
    JSON.stringify({ ...args, engine_type: engineType, worker_type });
  return {
    ...rest,
    traceFiles: [path],
    traceBlockSize: 16,
    prefillEngineArgs: stage({ ...prefill, ...transfer }, 'prefill'),
    decodeEngineArgs: stage(decode, 'decode'),
    records: 'all',
    check: true,
  };
}

describe('fleets with stages', () => {
  it('keep the conservation laws and the order of a handoff', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, async (options) => {
        let result: Awaited<ReturnType<typeof replay>>;
        try {
          result = await replay(optionsOf(options));
        } catch (error) {
          expect(String(error)).toMatch(/^RunError/);
          return;
        }
        expect(new Set(result.records.map((record) => record.row)).size).toBe(options.rows.length);
        for (const record of result.records) {
          const { stages } = record;
          expect(record.status).not.toBe('unfinished');
          if (record.status !== 'completed' || !stages) continue;
          expect(record.outputTokens).toBe(record.requestedTokens);
          const steps = [
            record.arrivalMs,
            stages.prefillAdmitMs,
            stages.sourceHeldMs,
            stages.destinationActivatedMs,
            stages.decodeAdmitMs,
            record.terminalMs,
          ];
          expect([...steps].sort((a, b) => a - b)).toEqual(steps);
          expect(stages.destinationReservedMs).toBeLessThanOrEqual(stages.destinationActivatedMs);
          expect(stages.sourceReleasedMs).toBeGreaterThanOrEqual(stages.destinationActivatedMs);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('take as long to transfer as the link needs', async () => {
    const path = join(folder, 'one.jsonl');
    writeFileSync(path, '{"timestamp":0,"input_length":128,"output_length":4,"hash_ids":[1]}');
    const { records } = await replay({
      traceFiles: [path],
      prefillEngineArgs: '{"worker_type":"prefill","kv_transfer_bandwidth":2,"kv_bytes_per_token":100000}',
      decodeEngineArgs: '{"worker_type":"decode"}',
      records: 'all',
    });
    const { sourceHeldMs, destinationActivatedMs } = records[0].stages!;
    expect(destinationActivatedMs - sourceHeldMs).toBeCloseTo((128 * 100_000 * 1000) / 2e9, 9);
  });
});

describe('prefill workers', () => {
  it('hold a request at its first token when they are told to stop there', async () => {
    const path = join(folder, 'single.jsonl');
    const line = (timestamp: number, id: number) =>
      JSON.stringify({ timestamp, input_length: 100, output_length: 5, hash_ids: [id] });
    writeFileSync(path, [line(0, 1), line(10, 2)].join('\n'));
    const run = (singleTokenPrefill: boolean) =>
      replay({
        traceFiles: [path],
        singleTokenPrefill,
        prefillEngineArgs: '{"worker_type":"prefill"}',
        decodeEngineArgs: '{"worker_type":"decode"}',
        records: 'all',
      });
    const [all, one] = await Promise.all([run(false), run(true)]);
    const held = ({ records }: typeof all) => records.map(({ stages }) => stages!.sourceHeldMs);
    // The first request's later tokens ride along with the prompt of the second.
    expect(held(all)[0]).toBe(held(all)[1]);
    expect(held(one)[0]).toBeLessThan(held(one)[1]);
    expect(one.records[0].outputTokens).toBe(5);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-beyond-'));
afterAll(() => rmSync(folder, { recursive: true }));

function writeRows(name: string, rows: object[]): string {
  const path = join(folder, `${name}.jsonl`);
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'));
  return path;
}

/** Prompts of 3 to 12 blocks, some with the same beginning. */
const PROMPTS = writeRows(
  'prompts',
  Array.from({ length: 60 }, (_, i) => {
    const hash_ids = Array.from({ length: 3 + ((i * 7) % 10) }, (_, k) => (k < 2 ? k : i * 100 + k));
    return { timestamp: i * 15, input_length: hash_ids.length * 64, output_length: 5 + (i % 30), hash_ids };
  }),
);

const GRAPH = writeRows(
  'graph',
  Array.from({ length: 40 }, (_, i) => ({
    request_id: `r${i}`,
    session_id: `s${i % 8}`,
    timestamp: i < 8 ? i * 1000 : undefined,
    wait_for: i < 8 ? [] : [`r${i - 8}`],
    delay: i < 8 ? 0 : 20,
    hash_ids: [i % 8, 100 + i],
    input_length: 128,
    output_length: 20,
  })),
);

function run(options: ReplayOptions) {
  return replay({ traceBlockSize: 64, records: 'all', check: true, ...options });
}

function stages(engine: object, decode: object = {}): ReplayOptions {
  return {
    traceFiles: [PROMPTS],
    prefillEngineArgs: JSON.stringify({ block_size: 64, ...engine, worker_type: 'prefill' }),
    decodeEngineArgs: JSON.stringify({ block_size: 64, ...engine, ...decode, worker_type: 'decode' }),
  };
}

const bypassing = (settings: object = {}): ReplayOptions => ({
  beyondReference: true,
  routerConfig: JSON.stringify({ conditional_disagg_enabled: true, ...settings }),
});

describe('what the reference refuses', () => {
  it.each<[string, ReplayOptions, RegExp]>([
    [
      'one worker behind the KV router',
      { traceFiles: [PROMPTS], routerMode: 'kv_router' },
      /more than one worker/,
    ],
    ['TensorRT-LLM stages', stages({ engine_type: 'trtllm' }), /does not support engine_type=trtllm/],
    ['unequal block sizes', stages({}, { block_size: 32 }), /block_size must be equal/],
    [
      'agents with a concurrency',
      { traceFiles: [GRAPH], traceFormat: 'agentic_mooncake', replayConcurrency: 2 },
      /cannot be used with replayConcurrency/,
    ],
  ])('%s: is refused with a hint, and runs beyond the reference', async (_, options, says) => {
    await expect(run(options)).rejects.toThrow(says);
    await expect(run(options)).rejects.toThrow(/beyondReference allows/);
    const { report } = await run({ ...options, beyondReference: true });
    expect(report.completed_requests).toBe(report.num_requests);
  });

  it('lets as many requests of agents in as asked, in the order of their dependencies', async () => {
    const { records } = await run({
      traceFiles: [GRAPH],
      traceFormat: 'agentic_mooncake',
      replayConcurrency: 3,
      beyondReference: true,
    });
    const byRow = new Map(records.map((record) => [record.row, record]));
    for (const { row, arrivalMs } of records) {
      const inFlight = records.filter(
        (other) => other.arrivalMs <= arrivalMs && other.terminalMs > arrivalMs,
      );
      expect(inFlight.length).toBeLessThanOrEqual(3);
      if (row >= 8) expect(arrivalMs).toBeGreaterThanOrEqual(byRow.get(row - 8)!.terminalMs + 20);
    }
  });

  it('stops agents at a cap', async () => {
    const { report, records } = await run({
      traceFiles: [GRAPH],
      traceFormat: 'agentic_mooncake',
      maxSimTimeSeconds: 4,
      beyondReference: true,
    });
    for (const { arrivalMs } of records) expect(arrivalMs).toBeLessThanOrEqual(4000);
    expect(report.completed_requests).toBeGreaterThan(0);
    expect(report.num_requests).toBeLessThan(40);
  });

  it('never evicts a running request of a TensorRT-LLM stage, however small its pool', async () => {
    const pools = fc.record({
      decodeBlocks: fc.integer({ min: 14, max: 60 }),
      prefillBlocks: fc.integer({ min: 14, max: 60 }),
      sequences: fc.integer({ min: 1, max: 12 }),
      decodeWorkers: fc.constantFrom(1, 2),
      singleTokenPrefill: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(pools, async ({ decodeBlocks, prefillBlocks, sequences, ...rest }) => {
        const { report } = await run({
          ...stages(
            { engine_type: 'trtllm', num_gpu_blocks: prefillBlocks, max_num_seqs: sequences },
            { num_gpu_blocks: decodeBlocks },
          ),
          singleTokenPrefill: rest.singleTokenPrefill,
          numDecodeWorkers: rest.decodeWorkers,
          beyondReference: true,
        });
        expect(report.completed_requests).toBe(60);
        expect(report.preemptions).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

describe('conditional disaggregation', () => {
  const everything = {
    conditional_disagg_eff_isl_threshold: 100_000,
    conditional_disagg_eff_isl_ratio_threshold: 1,
  };

  it('is ignored without the flag, as in the reference', async () => {
    const { report } = await run({ ...stages({}), ...bypassing(everything), beyondReference: false });
    expect(report.bypassed_requests).toBeUndefined();
    expect(report.warnings).toEqual([expect.stringMatching(/conditional_disagg_enabled has no effect/)]);
  });

  it('turns a decode worker that takes everything into an aggregated one', async () => {
    const split = await run({ ...stages({}), ...bypassing(everything) });
    const whole = await run({ traceFiles: [PROMPTS], extraEngineArgs: '{"block_size":64}' });
    expect(split.report.bypassed_requests).toBe(60);
    const times = ({ records }: Awaited<ReturnType<typeof run>>) =>
      records.map((record) => [
        record.row,
        record.firstAdmitMs,
        record.firstTokenMs,
        record.lastTokenMs,
        record.reusedTokens,
      ]);
    expect(times(split)).toEqual(times(whole));
  });

  it('sends what is long and not cached through prefill', async () => {
    const { records } = await run({
      ...stages({ enable_prefix_caching: false }),
      ...bypassing({
        conditional_disagg_eff_isl_threshold: 320,
        conditional_disagg_eff_isl_ratio_threshold: 1,
      }),
    });
    for (const { inputTokens, stages } of records)
      expect(stages?.prefillWorker === null).toBe(inputTokens <= 320);
  });

  it('helps out while prefill workers are busy, unless decode workers are', async () => {
    const load = {
      conditional_disagg_policy: 'prefill_load',
      conditional_disagg_prefill_busy_threshold: 0.1,
    };
    const helped = await run({ ...stages({}), ...bypassing(load) });
    expect(helped.report.bypassed_requests).toBeGreaterThan(0);
    expect(helped.report.bypassed_requests).toBeLessThan(60);
    const guarded = await run({
      ...stages({}),
      ...bypassing({ ...load, conditional_disagg_decode_busy_threshold: 0 }),
    });
    expect(guarded.report.bypassed_requests).toBe(0);
  });

  it('serves every request behind the KV router too', async () => {
    const { report } = await run({
      ...stages({ num_gpu_blocks: 60 }),
      ...bypassing({
        conditional_disagg_eff_isl_ratio_threshold: 1,
        conditional_disagg_eff_isl_threshold: 400,
      }),
      routerMode: 'kv_router',
      numDecodeWorkers: 2,
      numPrefillWorkers: 2,
    });
    expect(report.completed_requests).toBe(60);
  });
});

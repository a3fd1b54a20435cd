import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openRun, type ReplayOptions, replay } from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-endings-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs here take milliseconds; one that takes this long goes on for ever. */
const LONGEST_MS = 20_000;

const row = fc.record({
  hash_ids: fc.array(fc.nat(5), { minLength: 1, maxLength: 10 }),
  output_length: fc.oneof(fc.nat(3), fc.integer({ min: 1, max: 150 })),
  gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 90, noNaN: true })),
  session_id: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
});

/** Pools in which one request, or a few, fill the cache. */
const engine = fc.record(
  {
    num_gpu_blocks: fc.integer({ min: 4, max: 40 }),
    max_num_seqs: fc.integer({ min: 1, max: 12 }),
    max_num_batched_tokens: fc.integer({ min: 8, max: 400 }),
    enable_prefix_caching: fc.boolean(),
    enable_chunked_prefill: fc.constantFrom(true, true, false),
    preemption_mode: fc.constantFrom('lifo', 'fifo'),
    g1_backend: fc.constantFrom('native', 'kvbm'),
    timing_model: fc.constantFrom(
      { type: 'fixed', prefill_ms: 0, decode_ms: 0 },
      { type: 'fixed', prefill_ms: 0, decode_ms: 3 },
      { type: 'fixed', prefill_ms: 5, decode_ms: 0 },
    ),
  },
  { requiredKeys: ['num_gpu_blocks'] },
);

const gbps = fc.constantFrom(0, 0.0001, 0.02, 14);
const tiers = fc.record(
  {
    num_g2_blocks: fc.integer({ min: 1, max: 60 }),
    num_g3_blocks: fc.constantFrom(0, 3, 60),
    enable_g4_storage: fc.boolean(),
    offload_batch_size: fc.constantFrom(1, 2, 32),
    bandwidth_g1_to_g2_gbps: gbps,
    bandwidth_g2_to_g1_gbps: gbps,
  },
  { requiredKeys: ['num_g2_blocks'] },
);

const fleet = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 24 }),
  type: fc.constantFrom('vllm', 'vllm', 'trtllm', 'sglang'),
  blockSize: fc.constantFrom(4, 16, 64),
  engines: fc.tuple(engine, engine),
  tiers: fc.option(tiers, { nil: undefined }),
  accepts: fc.option(fc.constantFrom([0.8, 0.6], [1, 1, 1, 1], [0]), { nil: undefined }),
  ranks: fc.constantFrom(1, 1, 2),
  workers: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  isSplit: fc.constantFrom(false, false, true),
  routerMode: fc.constantFrom('round_robin' as const, 'kv_router' as const),
  semantics: fc.constantFrom('dynamo-1.4.2' as const, 'dynamo-1.6' as const),
  beyondReference: fc.boolean(),
  mendFaults: fc.boolean(),
  replayConcurrency: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
});
type Case = typeof fleet extends fc.Arbitrary<infer T> ? T : never;

function traceOf(rows: Case['rows'], blockSize: number, hasSessions: boolean): string {
  let timestamp = 0;
  const lines = rows.map(({ gapMs, session_id, ...fields }) => {
    timestamp += gapMs;
    const input_length = fields.hash_ids.length * blockSize;
    return JSON.stringify({ ...fields, input_length, timestamp, ...(hasSessions && { session_id }) });
  });
  const path = join(folder, 'trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  return path;
}

function optionsOf(fleet: Case): ReplayOptions {
  const { type, blockSize, engines, ranks, accepts, isSplit, replayConcurrency } = fleet;
  const tiersOf = !isSplit && type !== 'sglang' && fleet.tiers;
  const speculation = accepts && { aic_nextn: accepts.length, aic_nextn_accept_rates: accepts.join(',') };
  const argsOf = ({ g1_backend, preemption_mode, ...args }: Case['engines'][0], more: object) =>
    JSON.stringify({
      ...args,
      engine_type: type,
      block_size: blockSize,
      ...(g1_backend && !tiersOf && type !== 'sglang' && { g1_backend }),
      ...(preemption_mode && type === 'vllm' && { preemption_mode }),
      ...more,
    });
  const common: ReplayOptions = {
    traceFiles: [traceOf(fleet.rows, blockSize, !isSplit)],
    traceBlockSize: blockSize,
    semantics: fleet.semantics,
    beyondReference: fleet.beyondReference,
    mendFaults: fleet.mendFaults,
    check: true,
    ...(replayConcurrency !== undefined && { replayConcurrency }),
  };
  if (isSplit)
    return {
      ...common,
      routerMode: fleet.routerMode,
      numPrefillWorkers: fleet.workers[0],
      numDecodeWorkers: fleet.workers[1],
      prefillEngineArgs: argsOf(engines[0], { worker_type: 'prefill' }),
      decodeEngineArgs: argsOf(engines[1], { worker_type: 'decode', ...speculation }),
    };
  return {
    ...common,
    routerMode: fleet.workers[0] * ranks > 1 ? fleet.routerMode : 'round_robin',
    numWorkers: fleet.workers[0],
    ...(tiersOf && { kvOffload: true }),
    extraEngineArgs: argsOf(engines[0], {
      dp_size: ranks,
      ...speculation,
      ...(tiersOf && { ...tiersOf, enable_prefix_caching: true, kv_bytes_per_token: 10_000 }),
    }),
  };
}

/** Does something, and fails when it does not come to an end. */
function within<T>(ms: number, act: () => T): T {
  return runInNewContext('act()', { act }, { timeout: ms }) as T;
}

async function endOf(options: ReplayOptions): Promise<string> {
  try {
    const run = await openRun(options);
    within(LONGEST_MS, () => run.until(Number.POSITIVE_INFINITY));
    const { report } = await replay(options);
    return report.unfinished_requests === 0 ? 'ended' : `${report.unfinished_requests} are left`;
  } catch (error) {
    return String(error);
  }
}

const REASON =
  /^ended$|^RunError: .*dead end with \d+ in-flight.*: request \d+ .*; .+|^InputError: |^RunError: router queue/;

describe('a run in a small pool', () => {
  it('ends, or says which request cannot go on and what to change', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, async (fleet) => {
        const { beyondReference, mendFaults, isSplit, tiers } = fleet;
        // Prompts that have come from lower tiers hold their blocks behind a head that finds no room.
        const isMended = beyondReference && mendFaults && !isSplit && !tiers;
        expect(await endOf(optionsOf(fleet))).toMatch(isMended ? /^ended$|^InputError: / : REASON);
      }),
      { numRuns: Number(process.env.ENDINGS ?? 200), endOnFailure: true },
    );
  });

  it('ends where speculation waits for blocks that are on their way down', async () => {
    const { report } = await replay({
      inputTokens: 200,
      outputTokens: 100,
      requestCount: 8,
      requestRate: 5,
      kvOffload: true,
      extraEngineArgs: JSON.stringify({
        num_gpu_blocks: 12,
        num_g2_blocks: 20,
        kv_bytes_per_token: 131_072,
        aic_nextn: 2,
        aic_nextn_accept_rates: '0.8,0.6',
      }),
    });
    expect(report.completed_requests).toBe(8);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SEMANTICS } from '../config/rules.js';
import { openRun, type ReplayOptions, type ReplayResult, type Run, replay } from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-stepping-'));
afterAll(() => rmSync(folder, { recursive: true }));

const row = fc.record({
  hash_ids: fc.array(fc.nat(12), { minLength: 1, maxLength: 8 }),
  output_length: fc.oneof(fc.nat(3), fc.integer({ min: 1, max: 150 })),
  gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 90, noNaN: true })),
  session_id: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
});

const engine = fc.record({
  block_size: fc.constantFrom(4, 16, 64),
  num_gpu_blocks: fc.integer({ min: 40, max: 400 }),
  max_num_seqs: fc.integer({ min: 1, max: 12 }),
  max_num_batched_tokens: fc.integer({ min: 16, max: 600 }),
  enable_prefix_caching: fc.boolean(),
});

const workers = fc.integer({ min: 1, max: 3 });
const fleet = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 30 }),
  engineType: fc.constantFrom('vllm', 'vllm', 'trtllm', 'sglang'),
  ranks: fc.constantFrom(1, 1, 2),
  accepts: fc.constantFrom(undefined, undefined, undefined, [0.7, 0.3]),
  isSplit: fc.boolean(),
  engines: fc.tuple(engine, engine),
  workers: fc.tuple(workers, workers),
  bandwidth: fc.constantFrom(undefined, 1, 64),
  routerMode: fc.constantFrom('round_robin' as const, 'kv_router' as const),
  semantics: fc.constantFrom(...SEMANTICS),
  interval: fc.constantFrom(undefined, undefined, 1, 3, 20),
  kvEventLagMs: fc.constantFrom(0, 0, 3.5, 60),
  replayConcurrency: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  maxSimTimeSeconds: fc.option(fc.double({ min: 0.01, max: 3, noNaN: true }), { nil: undefined, freq: 4 }),
  firstTokenMs: fc.constantFrom(0, 0, 7),
  frontendMs: fc.constantFrom(0, 0, 3.5),
});
type Case = typeof fleet extends fc.Arbitrary<infer T> ? T : never;

function traceOf(rows: Case['rows'], hasSessions: boolean): string {
  let timestamp = 0;
  const lines = rows.map(({ gapMs, session_id, ...fields }) => {
    timestamp += gapMs;
    const input_length = fields.hash_ids.length * 16;
    return JSON.stringify({ ...fields, input_length, timestamp, ...(hasSessions && { session_id }) });
  });
  const path = join(folder, 'trace.jsonl');
  writeFileSync(path, lines.join('\n'));
  return path;
}

function optionsOf(fleet: Case): ReplayOptions {
  const { ranks, isSplit, routerMode, semantics, kvEventLagMs, replayConcurrency, maxSimTimeSeconds } = fleet;
  const isCurrent = semantics === 'dynamo-1.6';
  const isRouted = routerMode === 'kv_router' && (isSplit || isCurrent || fleet.workers[0] * ranks > 1);
  const overheads = { first_token_ms: fleet.firstTokenMs, frontend_ms: fleet.frontendMs };
  return {
    traceFiles: [traceOf(fleet.rows, !isSplit || isCurrent)],
    traceBlockSize: 16,
    semantics,
    records: 'all',
    check: true,
    ...(isRouted && { routerMode }),
    ...(isRouted && isCurrent && { kvEventLagMs }),
    ...(replayConcurrency !== undefined && { replayConcurrency }),
    ...(maxSimTimeSeconds !== undefined && { maxSimTimeSeconds }),
    overheads: JSON.stringify(overheads),
    ...(isSplit ? stagesOf(fleet) : { numWorkers: fleet.workers[0], extraEngineArgs: engineOf(fleet) }),
  };
}

/** What only the newest release takes of an engine. */
function currentOf({ semantics, engineType, interval }: Case): object {
  const key = { vllm: 'prefill_schedule_interval', sglang: 'prefill_decode_interval', trtllm: '' }[
    engineType
  ];
  return semantics === 'dynamo-1.6' && key !== '' ? { [key]: interval } : {};
}

function speculationOf({ accepts }: Case): object {
  return accepts ? { aic_nextn: accepts.length, aic_nextn_accept_rates: accepts.join(',') } : {};
}

function engineOf(fleet: Case): string {
  const { engines, engineType: engine_type, ranks: dp_size } = fleet;
  return JSON.stringify({
    ...engines[0],
    ...speculationOf(fleet),
    ...currentOf(fleet),
    engine_type,
    dp_size,
  });
}

function stagesOf(fleet: Case): ReplayOptions {
  const { engines, engineType, ranks, bandwidth, semantics, workers } = fleet;
  const isCurrent = semantics === 'dynamo-1.6';
  const engine_type = engineType === 'trtllm' && !isCurrent ? 'vllm' : engineType;
  const transfer = bandwidth && { kv_transfer_bandwidth: bandwidth, kv_bytes_per_token: 100_000 };
  const shared = { block_size: 16, engine_type, ...(isCurrent && { dp_size: ranks }), ...currentOf(fleet) };
  const stage = (args: object, worker_type: string) => JSON.stringify({ ...args, ...shared, worker_type });
  return {
    numPrefillWorkers: workers[0],
    numDecodeWorkers: workers[1],
    prefillEngineArgs: stage({ ...engines[0], ...transfer }, 'prefill'),
    decodeEngineArgs: stage({ ...engines[1], ...speculationOf(fleet) }, 'decode'),
  };
}

/** Bytes of a result but for what tells of the host. */
function bytesOf({ report, records, latencies }: ReplayResult): string {
  const { wall_time_ms: _, processed_tokens_per_s: __, processed_output_tokens_per_s: ___, ...rest } = report;
  return JSON.stringify([rest, records, Object.values(latencies).map((values) => [...values])], null, 1);
}

/**
 * What requests wait for is judged stretch by stretch, and workers that are run apart have shorter ones.
 * These figures are left out where they are compared with the event loop.
 */
function withoutWaits(bytes: string): string {
  return bytes.startsWith('[') ? JSON.stringify(JSON.parse(bytes, dropWaits), null, 1) : bytes;
}

const WAITS = /^(bottlenecks|anomalies|verdict|blocked_heads|passes_short_.*|.*wait_ms.*)$/;

function dropWaits(key: string, value: unknown): unknown {
  return WAITS.test(key) ? undefined : value;
}

async function bytesOrError(result: () => Promise<ReplayResult>): Promise<string> {
  try {
    return bytesOf(await result());
  } catch (error) {
    return String(error);
  }
}

const STEPS = 400;

/** Advances a run by some steps, over and over, and lets somebody look at it after each. */
async function stepped(options: ReplayOptions, stepsMs: readonly number[], look: (run: Run) => void) {
  const run = await openRun(options, { observesPasses: true });
  for (let step = 0; step < STEPS && !run.isDone && !run.isStuck; step++) {
    run.until(run.nowMs + stepsMs[step % stepsMs.length]);
    look(run);
  }
  run.until(Number.POSITIVE_INFINITY);
  return run.result();
}

const steps = fc
  .array(fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(0, 1, 300)), {
    minLength: 1,
    maxLength: 5,
  })
  .filter((list) => list.some((ms) => ms > 0));

describe('a run that is stepped', () => {
  it('comes to the same bytes as one that is not, looked at or not', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, steps, async (random, stepsMs) => {
        const options = optionsOf(random);
        const whole = await bytesOrError(() => replay(options));
        const unseen = await bytesOrError(() => stepped(options, stepsMs, () => undefined));
        expect(withoutWaits(unseen)).toBe(withoutWaits(whole));
        const seen = await bytesOrError(() =>
          stepped(options, stepsMs, (run) => {
            run.stages();
            run.takeWindow();
            run.result();
          }),
        );
        expect(seen).toBe(unseen);
      }),
      { numRuns: Number(process.env.RUNS ?? 120) },
    );
  });
});

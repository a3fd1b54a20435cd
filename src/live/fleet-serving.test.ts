import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEMANTICS } from '../config/rules.js';
import { replay } from '../replay.js';
import { FakeClock } from '../testing/fake-clock.js';
import { type FleetSettings, openServing } from './open-serving.js';
import type { EndKind } from './serving.js';

interface Seen {
  tokensMs: number[];
  why: EndKind | undefined;
}

interface TimedRequest {
  atMs: number;
  inputTokens: number;
  outputTokens: number;
}

/** A fleet on a clock of the test, and what each of its requests has got so far. */
function openTestFleet(settings: FleetSettings) {
  const clock = new FakeClock();
  const serving = openServing({ ...settings, check: true }, clock);
  let content = 1_000_000;
  const submit = (inputTokens: number, outputTokens: number, group?: number) => {
    const seen: Seen = { tokensMs: [], why: undefined };
    const tokens = Uint32Array.from({ length: inputTokens }, (_, i) =>
      group === undefined || i > 200 ? content++ : group * 1000 + i,
    );
    const ticket = serving.submit(
      { tokens, outputTokens },
      {
        token: (_, atMs) => {
          expect(seen.why).toBeUndefined();
          seen.tokensMs.push(atMs);
        },
        ended: (_, why) => {
          expect(seen.why).toBeUndefined();
          seen.why = why;
        },
      },
    );
    return { ticket, seen };
  };
  return { clock, serving, submit };
}

function serveAll(settings: FleetSettings, requests: readonly TimedRequest[], lagMs: number): Seen[] {
  const { clock, submit } = openTestFleet(settings);
  const seen = requests.map(({ atMs, inputTokens, outputTokens }) => {
    clock.advanceTo(atMs, lagMs);
    return submit(inputTokens, outputTokens).seen;
  });
  clock.advanceTo(1e9);
  return seen;
}

async function replayAll(settings: FleetSettings, requests: readonly TimedRequest[]) {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-live-'));
  const path = join(folder, 'trace.jsonl');
  let hash = 0;
  const rows = requests.map(({ atMs, inputTokens, outputTokens }) =>
    JSON.stringify({
      timestamp: atMs,
      input_length: inputTokens,
      output_length: outputTokens,
      hash_ids: Array.from({ length: Math.ceil(inputTokens / 512) }, () => hash++),
    }),
  );
  writeFileSync(path, `${rows.join('\n')}\n`);
  try {
    const { records } = await replay({
      ...settings,
      traceFiles: [path],
      records: 'all',
      singleTokenPrefill: true,
    });
    return records.sort((a, b) => a.row - b.row);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const REQUESTS: readonly TimedRequest[] = [
  { atMs: 0, inputTokens: 900, outputTokens: 20 },
  { atMs: 12, inputTokens: 3000, outputTokens: 7 },
  { atMs: 15, inputTokens: 40, outputTokens: 50 },
  { atMs: 80, inputTokens: 1500, outputTokens: 1 },
  { atMs: 81, inputTokens: 600, outputTokens: 30 },
  { atMs: 4000, inputTokens: 2000, outputTokens: 12 },
];

/** Small enough for queues, preemptions and full caches. */
const TIGHT = { block_size: 16, num_gpu_blocks: 120, max_num_seqs: 8, max_num_batched_tokens: 512 };
const tight = (more: object) => JSON.stringify({ ...TIGHT, ...more });
const STAGES = (engine_type: string) => ({
  prefillEngineArgs: tight({ engine_type, worker_type: 'prefill', kv_bytes_per_token: 100_000 }),
  decodeEngineArgs: tight({ engine_type, worker_type: 'decode', kv_bytes_per_token: 100_000 }),
  numPrefillWorkers: 2,
  numDecodeWorkers: 2,
});
const BUSY_FLEETS: Record<string, FleetSettings> = {
  vLLM: { numWorkers: 2, extraEngineArgs: tight({}) },
  'vLLM with speculation': {
    extraEngineArgs: tight({ aic_nextn: 2, aic_nextn_accept_rates: '0.7,0.5' }),
  },
  'TensorRT-LLM': { numWorkers: 2, extraEngineArgs: tight({ engine_type: 'trtllm' }) },
  SGLang: { numWorkers: 2, extraEngineArgs: tight({ engine_type: 'sglang' }) },
  'the KV router with a queue': {
    numWorkers: 3,
    routerMode: 'kv_router',
    routerConfig: '{"router_queue_threshold": 0.2}',
    extraEngineArgs: tight({}),
  },
  'two ranks': { extraEngineArgs: tight({ dp_size: 2 }) },
  'tiers below': {
    kvOffload: true,
    extraEngineArgs: tight({ num_g2_blocks: 400, kv_bytes_per_token: 100_000 }),
  },
  'vLLM in two stages': STAGES('vllm'),
  'SGLang in two stages': STAGES('sglang'),
  'two stages behind KV routers': {
    ...STAGES('vllm'),
    routerMode: 'kv_router',
    routerConfig: '{"router_queue_threshold": 0.2}',
  },
};

const FLEETS: Record<string, FleetSettings> = {
  'two vLLM workers': {
    numWorkers: 2,
    extraEngineArgs: '{"block_size": 64, "max_num_batched_tokens": 1024}',
  },
  'one SGLang worker': { extraEngineArgs: '{"engine_type": "sglang", "block_size": 16}' },
  'a TensorRT-LLM worker': { extraEngineArgs: '{"engine_type": "trtllm"}' },
  'two workers behind the KV router': { numWorkers: 2, routerMode: 'kv_router' },
  'a worker of two ranks': { extraEngineArgs: '{"dp_size": 2}' },
  'prefill and decode workers': {
    prefillEngineArgs: '{"worker_type": "prefill", "kv_bytes_per_token": 1000000}',
    decodeEngineArgs: '{"worker_type": "decode", "kv_bytes_per_token": 1000000}',
    numPrefillWorkers: 2,
  },
};

/** The same by the rules of each release. */
const BY_RELEASE = SEMANTICS.flatMap((semantics) =>
  Object.entries(FLEETS).map(
    ([name, settings]) => [`${name}, ${semantics}`, { ...settings, semantics }] as const,
  ),
);

describe.each(BY_RELEASE)('%s', (_, settings) => {
  it.each([0, 3])('serves as the replay says, with timers %d ms late', async (lagMs) => {
    const seen = serveAll(settings, REQUESTS, lagMs);
    const records = await replayAll({ ...settings, check: true }, REQUESTS);
    for (const [row, { tokensMs, why }] of seen.entries()) {
      expect(why).toBe('completed');
      expect(tokensMs).toHaveLength(REQUESTS[row].outputTokens);
      expect(tokensMs[0]).toBeCloseTo(records[row].firstTokenMs, 6);
      expect(tokensMs.at(-1)).toBeCloseTo(records[row].lastTokenMs, 6);
    }
  });
});

const SPLIT_FLEET: FleetSettings = {
  prefillEngineArgs: '{"worker_type":"prefill"}',
  decodeEngineArgs: '{"worker_type":"decode"}',
};

/** Requests wait for a worker that computes more than one prompt, and two may wait. */
const TWO_WAIT = `
default_policy_family: all
uncached_isl_buckets: [{ min_tokens: 0, bucket: any }]
policy_classes:
  - { name: only, policy_family: all, cache_bucket: any, quantum: 1, prefill_busy_threshold: 100, request_queue_limit_per_worker: 2 }
`;

describe.each([
  ['aggregated workers', {} as FleetSettings],
  ['prefill and decode workers', SPLIT_FLEET],
])('a full queue of the router, %s', (_, fleet) => {
  it('refuses a request, and serves those that it has', () => {
    const policy = join(mkdtempSync(join(tmpdir(), 'dynosim-policy-')), 'policy.yaml');
    writeFileSync(policy, TWO_WAIT);
    const clock = new FakeClock();
    const serving = openServing(
      { ...fleet, routerMode: 'kv_router', routerPolicyConfig: policy, beyondReference: true, check: true },
      clock,
    );
    const ends: string[] = [];
    for (let i = 0; i < 12; i++)
      serving.submit(
        { tokens: new Uint32Array(3000).fill(i), outputTokens: 5 },
        { token: () => undefined, ended: (_ticket, why) => ends.push(why) },
      );
    clock.advanceTo(1e6);
    expect(ends).toHaveLength(12);
    expect(ends.filter((why) => why === 'rejected')).toHaveLength(9);
    expect(ends.filter((why) => why === 'completed')).toHaveLength(3);
  });
});

describe('a fleet in service', () => {
  it('tells a cancelled request its end and nothing more', () => {
    const { clock, serving, submit } = openTestFleet({});
    const { ticket, seen } = submit(100, 50);
    clock.advanceTo(60);
    const before = seen.tokensMs.length;
    expect(before).toBeGreaterThan(0);
    serving.cancel(ticket);
    serving.cancel(ticket);
    clock.advanceTo(1e6);
    expect(seen).toMatchObject({ why: 'cancelled' });
    expect(seen.tokensMs).toHaveLength(before);
  });

  it('is drained when the last request has ended', async () => {
    const { clock, serving, submit } = openTestFleet({});
    const { seen } = submit(100, 50);
    let drained = false;
    const draining = serving.drain().then(() => {
      drained = true;
    });
    await Promise.resolve();
    expect(drained).toBe(false);
    clock.advanceTo(1e6);
    await draining;
    expect(seen.why).toBe('completed');
  });
});

describe.each(Object.entries(BUSY_FLEETS))('%s under load, with cancellations and scaling', (_, settings) => {
  const request = fc.record({
    afterMs: fc.nat({ max: 60 }),
    inputTokens: fc.integer({ min: 1, max: 700 }),
    outputTokens: fc.integer({ min: 1, max: 90 }),
    group: fc.nat({ max: 3 }),
    cancelAfterMs: fc.option(fc.nat({ max: 400 }), { freq: 2 }),
    workers: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 8 }),
  });

  it('loses nothing that was not cancelled, and holds nothing in the end', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 40 }), (requests) => {
        const { clock, serving, submit } = openTestFleet(settings);
        const cancels: { atMs: number; ticket: number; seen: Seen }[] = [];
        const served: { seen: Seen; outputTokens: number }[] = [];
        let nowMs = 0;
        const advance = (ms: number) => {
          for (const { atMs, ticket } of cancels.filter(
            (cancel) => cancel.atMs > nowMs && cancel.atMs <= ms,
          )) {
            clock.advanceTo(atMs);
            serving.cancel(ticket);
          }
          clock.advanceTo(ms);
          nowMs = ms;
        };
        for (const { afterMs, inputTokens, outputTokens, group, cancelAfterMs, workers } of requests) {
          advance(nowMs + afterMs);
          if (workers !== null) for (const { name } of serving.stages()) serving.scale(name, workers);
          const { ticket, seen } = submit(inputTokens, outputTokens, group);
          if (cancelAfterMs === null) served.push({ seen, outputTokens });
          else cancels.push({ atMs: nowMs + cancelAfterMs + 0.5, ticket, seen });
          cancels.sort((a, b) => a.atMs - b.atMs);
        }
        advance(1e6);
        for (const { seen, outputTokens } of served) {
          expect(seen.why).toBe('completed');
          expect(seen.tokensMs).toHaveLength(outputTokens);
        }
        for (const { seen } of cancels) expect(['completed', 'cancelled']).toContain(seen.why);
        for (const { heldRequests, workers } of serving.stages()) {
          expect(heldRequests).toBe(0);
          for (const rank of workers.flatMap(({ ranks }) => ranks))
            expect(rank).toMatchObject({
              waitingRequests: 0,
              runningRequests: 0,
              cache: { activeBlocks: 0 },
            });
        }
      }),
      { numRuns: 40 },
    );
  });
});

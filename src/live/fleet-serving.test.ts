import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
function openFleet(settings: FleetSettings) {
  const clock = new FakeClock();
  const serving = openServing({ ...settings, check: true }, clock);
  let content = 0;
  const submit = (inputTokens: number, outputTokens: number) => {
    const seen: Seen = { tokensMs: [], why: undefined };
    const tokens = Uint32Array.from({ length: inputTokens }, () => content++);
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
  const { clock, submit } = openFleet(settings);
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

describe.each(Object.entries(FLEETS))('%s', (_, settings) => {
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

describe('a fleet in service', () => {
  it('tells a cancelled request its end and nothing more', () => {
    const { clock, serving, submit } = openFleet({});
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
    const { clock, serving, submit } = openFleet({});
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

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayOptions } from '../config/scenario/options.js';
import { replay } from '../replay.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-agentic-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HEADER = { schema: 'dynamo.agentic_mooncake', version: 2, block_size: 16, hash_id_scope: 'local' };

/** A prompt takes 10 ms, and each token 3. */
const ENGINE = { block_size: 16, timing_model: { type: 'fixed', prefill_ms: 10, decode_ms: 3 } };

interface Row {
  request_id: string;
  dependencies?: object[];
  not_before_ms?: number;
  play_id?: string;
  hash_ids?: number[];
}

async function run(rows: readonly (Row | object)[], header: object = HEADER, options: ReplayOptions = {}) {
  const path = join(folder, 'trace.jsonl');
  const whole = rows.map((row) => ({
    play_id: 'p',
    session_id: 'p',
    model: 'm',
    input_length: 32,
    output_length: 11,
    hash_ids: [1, 2],
    ...row,
  }));
  writeFileSync(path, [header, ...whole].map((row) => JSON.stringify(row)).join('\n'));
  return replay({
    traceFiles: [path],
    traceFormat: 'agentic_mooncake',
    extraEngineArgs: JSON.stringify(ENGINE),
    numWorkers: 1,
    records: 'all',
    check: true,
    ...options,
  });
}

const edge = (request_id: string, trigger: string, delay_ms: number) => ({
  request_id,
  trigger,
  delay_ms,
  relation: 'sequence',
});

describe('agentic_mooncake version 2', () => {
  it('starts requests when others started or ended, and not before their time', async () => {
    const { records } = await run([
      { request_id: 'a', not_before_ms: 1000, dependencies: [] },
      { request_id: 'b', dependencies: [edge('a', 'dispatch', 5)] },
      { request_id: 'c', dependencies: [edge('a', 'completion', 7)] },
      { request_id: 'd', not_before_ms: 1200, dependencies: [edge('a', 'dispatch', 5)] },
      { request_id: 'e', dependencies: [edge('d', 'completion', 2), edge('a', 'dispatch', 900)] },
    ]);
    const arrival = new Map(records.map(({ row, arrivalMs }) => [row, arrivalMs]));
    const end = new Map(records.map(({ row, terminalMs }) => [row, terminalMs]));
    expect(arrival.get(0)).toBe(0);
    expect(arrival.get(1)).toBe(5);
    expect(arrival.get(2)).toBe(end.get(0)! + 7);
    expect(arrival.get(3)).toBe(200);
    expect(arrival.get(4)).toBe(900);
  });

  it('gives equal hash ids another meaning in another play, unless they are global', async () => {
    const rows = ['p', 'q'].map((play_id, i) => ({
      request_id: play_id,
      play_id,
      not_before_ms: i * 1000,
      hash_ids: [5, 6],
    }));
    const reused = async (header: object) => (await run(rows, header)).report.prefix_cache_reused_ratio;
    expect(await reused(HEADER)).toBe(0);
    expect(await reused({ ...HEADER, hash_id_scope: 'global' })).toBeGreaterThan(0);
  });

  it.each<[string, object[], object, RegExp]>([
    ['another version', [{ request_id: 'a' }], { ...HEADER, version: 3 }, /:1: version: expected 2, found 3/],
    ['no block size', [{ request_id: 'a' }], { ...HEADER, block_size: null }, /:1: block_size: expected/],
    ['no play', [{ request_id: 'a', play_id: null }], HEADER, /:2: play_id: missing/],
    [
      'another trigger',
      [{ request_id: 'a', dependencies: [edge('a', 'start', 0)] }],
      HEADER,
      /:2: dependencies: trigger: found "start", allowed are completion, dispatch/,
    ],
    [
      'a negative delay',
      [{ request_id: 'a', dependencies: [edge('a', 'dispatch', -1)] }],
      HEADER,
      /:2: dependencies: delay_ms: must be finite and not negative, found -1/,
    ],
    [
      'an unknown request',
      [{ request_id: 'a', dependencies: [edge('b', 'dispatch', 0)] }],
      HEADER,
      /request a: waits for the unknown request "b"/,
    ],
    [
      'a cycle of starts',
      [
        { request_id: 'a', dependencies: [edge('b', 'dispatch', 0)] },
        { request_id: 'b', dependencies: [edge('a', 'completion', 0)] },
      ],
      HEADER,
      /leads in a cycle back to it/,
    ],
  ])('refuses %s', async (_, rows, header, says) => {
    await expect(run(rows, header)).rejects.toThrow(says);
  });

  it('refuses another block size than its own', async () => {
    const one = [{ request_id: 'a' }];
    await expect(run(one, HEADER, { traceBlockSize: 64 })).rejects.toThrow(/block_size: 16 is not/);
    expect((await run(one, HEADER, { traceBlockSize: 16 })).report.completed_requests).toBe(1);
  });
});

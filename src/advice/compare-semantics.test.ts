import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Semantics } from '../config/rules.js';
import { scenarioOf } from '../setup/scenario.js';
import { compareSemantics } from './compare-semantics.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

const trace = join(folder, 'one.jsonl');
writeFileSync(
  trace,
  JSON.stringify({ timestamp: 0, input_length: 1000, output_length: 3, hash_ids: [1, 2] }),
);

function reader(extraEngineArgs: string) {
  return (semantics: Semantics) => scenarioOf({ traceFiles: [trace], extraEngineArgs, semantics });
}

const shiftOf = (
  shifts: readonly { name: string; before: number | null; after: number | null }[],
  wanted: string,
) => shifts.find(({ name }) => name === wanted)!;

describe('a workload under two semantics', () => {
  it('has its first token from the pass of its prompt under 1.6, a decode step earlier', async () => {
    const found = await compareSemantics(reader('{}'));
    const ttft = shiftOf(found.numbers, 'mean_ttft_ms');
    // The prompt takes 32.105859 ms, and a decode step over 16 of 16,384 blocks 5.79272 ms.
    expect(ttft.before).toBeCloseTo(32.105859 + 5.79272, 6);
    expect(ttft.after).toBeCloseTo(32.105859, 6);
    expect(found.parts[0].name).toBe('prefill');
    expect(found.requests).toEqual({ both: 1, moved: 1 });
    expect(found.because.join()).toMatch(/emits its first token/);
  });

  it('has parts that add up to the mean latency under both', async () => {
    const { numbers, parts } = await compareSemantics(reader('{"engine_type":"sglang"}'));
    const latency = shiftOf(numbers, 'mean_e2e_latency_ms');
    for (const side of ['before', 'after'] as const)
      expect(parts.reduce((sum, part) => sum + part[side]!, 0)).toBeCloseTo(latency[side]!, 9);
  });

  it('says under whose rules something is refused', async () => {
    await expect(compareSemantics(reader('{"engine_type":"sglang","max_model_len":2000}'))).rejects.toThrow(
      /^under dynamo-1.4.2: .*max_model_len/,
    );
  });
});

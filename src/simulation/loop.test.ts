import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openRun, type ReplayOptions, type ReplayResult } from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-loop-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  ms: number;
  prompt: number;
  output?: number;
}

/** Runs requests with prompts that have nothing in common, step by step. */
async function run(rows: readonly Row[], options: ReplayOptions): Promise<ReplayResult> {
  const file = join(folder, 'trace.jsonl');
  const lines = rows.map(({ ms, prompt, output = 4 }, row) =>
    JSON.stringify({ timestamp: ms, input_length: prompt, output_length: output, hash_ids: [row + 1] }),
  );
  writeFileSync(file, `${lines.join('\n')}\n`);
  const opened = await openRun({ traceFiles: [file], records: 'all', check: true, ...options });
  for (let ms = 0; !opened.isDone; ms += 7.5) opened.until(ms);
  return opened.result();
}

const pool = { block_size: 64, num_gpu_blocks: 100 };
const split = (engine: object): ReplayOptions => ({
  prefillEngineArgs: JSON.stringify({ ...engine, worker_type: 'prefill' }),
  decodeEngineArgs: JSON.stringify({ ...engine, worker_type: 'decode' }),
  numPrefillWorkers: 1,
  numDecodeWorkers: 1,
});

// Worked out by hand from the rules of the reference, to the bit.
describe('the event loop', () => {
  it('lets the ranks of a worker begin and end their passes together', async () => {
    const { records } = await run(
      [
        { ms: 0, prompt: 128 },
        { ms: 0, prompt: 64 },
        { ms: 1, prompt: 128 },
        { ms: 2, prompt: 64 },
      ],
      { extraEngineArgs: JSON.stringify({ ...pool, dp_size: 2 }) },
    );
    const byRow = records.toSorted((a, b) => a.row - b.row);
    expect(byRow.map(({ firstTokenMs }) => firstTokenMs)).toEqual([25.261702, 25.261702, 52.08965, 52.08965]);
    expect(byRow.map(({ firstAdmitMs }) => firstAdmitMs)).toEqual([0, 0, 25.261702, 25.261702]);
    expect(byRow.map(({ lastTokenMs }) => lastTokenMs)).toEqual([69.865522, 69.865522, 77.202656, 77.202656]);
  });

  it.each([
    ['one worker, which looks at arrivals beyond the cap', 1, 3],
    ['several workers', 2, 1],
  ])('stops at a cap: %s', async (_, numWorkers, arrived) => {
    const rows = [0, 1000, 1000, 2000].map((ms) => ({ ms, prompt: 128 }));
    const { report } = await run(rows, { numWorkers, maxSimTimeSeconds: 0.2 });
    expect(report.num_requests).toBe(arrived);
    expect(report.completed_requests).toBe(1);
  });

  it('hands a prompt over when its worker holds it, which is when that has made all its passes', async () => {
    const { records } = await run(
      [
        { ms: 0, prompt: 128 },
        { ms: 10, prompt: 100 },
      ],
      split(pool),
    );
    expect(records.map(({ stages }) => stages?.sourceHeldMs)).toEqual([
      36.475772000000006, 36.475772000000006,
    ]);
  });

  it('lets room, transfers and their ends wait for the pass that a decode worker is in', async () => {
    const transfer = { kv_transfer_bandwidth: 1, kv_bytes_per_token: 100_000 };
    const { records } = await run(
      [
        { ms: 0, prompt: 128 },
        { ms: 19, prompt: 100 },
      ],
      split({ ...pool, ...transfer }),
    );
    const [a, b] = records.toSorted((x, y) => x.row - y.row);
    expect(a.stages?.sourceHeldMs).toBe(18.451798);
    expect(a.stages?.destinationReservedMs).toBe(18.451798);
    expect(a.stages?.destinationActivatedMs).toBe(31.251798);
    expect(a.stages?.decodeAdmitMs).toBe(31.251798);
    expect(a.firstTokenMs).toBe(38.061702000000004);
    expect(b.stages?.sourceHeldMs).toBe(37.023974);
    expect(b.stages?.destinationReservedMs).toBe(38.061702000000004);
    expect(b.stages?.destinationActivatedMs).toBe(54.81400200000001);
  });

  it('asks for room first with SGLang, whose prefill workers decode what they have to', async () => {
    const engine = { engine_type: 'sglang', block_size: 16, num_gpu_blocks: 100 };
    const { records } = await run([{ ms: 0, prompt: 128 }], split(engine));
    const [{ stages, firstTokenMs, terminalMs }] = records;
    expect(stages?.destinationReservedMs).toBe(0);
    expect(stages?.sourceHeldMs).toBe(58.223006);
    expect(stages?.destinationActivatedMs).toBe(58.223006);
    expect(stages?.decodeAdmitMs).toBe(58.223006);
    expect(firstTokenMs).toBe(68.11907);
    expect(terminalMs).toBe(97.99421399999999);
  });
});

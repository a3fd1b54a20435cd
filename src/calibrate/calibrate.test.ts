import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../replay.js';
import { scenarioOf } from '../setup/scenario.js';
import { runCli } from '../testing/run-cli.js';
import { calibrate } from './calibrate.js';
import { errorsOf, METRICS } from './errors.js';
import type { Measured } from './measured.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-calibrate-'));
const inFolder = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const OVERHEADS = {
  frontend_ms: 6,
  tokenize_ms_per_token: 0.004,
  step_ms: 0.8,
  step_ms_per_sequence: 0.1,
  first_token_ms: 4,
};
const NOISE = 0.01;

/** Normally distributed numbers of a seed (mulberry32 and Box and Muller's method). */
function normals(seed: number): () => number {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** What somebody would have measured of a run with overheads whose times vary a little. */
async function measure(traceFiles: string[], seed: number): Promise<Measured[]> {
  const { records } = await replay({ traceFiles, records: 'all', overheads: JSON.stringify(OVERHEADS) });
  const normal = normals(seed);
  const noisy = (ms: number) => ms * Math.exp(NOISE * normal());
  return records.map((record, index) => {
    const ttftMs = noisy(record.firstTokenMs - record.arrivalMs);
    const restMs = noisy(record.lastTokenMs - record.firstTokenMs);
    const { arrivalMs, inputTokens, outputTokens } = record;
    const tpotMs = outputTokens > 1 ? restMs / (outputTokens - 1) : undefined;
    const lengths = { inputTokens, outputTokens, cachedTokens: undefined };
    return { line: index + 1, arrivalMs, ...lengths, ttftMs, tpotMs, e2eMs: ttftMs + restMs };
  });
}

describe('calibration', () => {
  let trace: string;

  beforeAll(async () => {
    trace = inFolder('trace.jsonl');
    const shape = '--requests 3000 --turns 1 --input-tokens 1500 --output-tokens 20 --rate 8 --seed 5';
    await runCli(['trace', 'generate', ...shape.split(' '), '--output', trace], folder);
  });

  it('finds the overheads that were planted in a noisy measurement, and no others', async () => {
    const measured = await measure([trace], 5);
    const found = await calibrate(
      scenarioOf({ traceFiles: [trace] }),
      measured,
      ['overheads', 'timing', 'kv'],
      () => {},
    );
    const { overheads, prefillSpeed, decodeSpeed, kvBlocks } = found.settings;
    expect([prefillSpeed, decodeSpeed, kvBlocks]).toEqual([1, 1, 1]);
    const near = (value: number, planted: number) => expect(Math.abs(value / planted - 1)).toBeLessThan(0.02);
    near(overheads.frontendMs, OVERHEADS.frontend_ms);
    near(overheads.tokenizeMsPerToken, OVERHEADS.tokenize_ms_per_token);
    near(overheads.stepMs, OVERHEADS.step_ms);
    near(overheads.stepMsPerSequence, OVERHEADS.step_ms_per_sequence);
    near(overheads.firstTokenMs, OVERHEADS.first_token_ms);
    for (const metric of METRICS) {
      const [was, is] = [found.before, found.after].map((pairs) =>
        Math.abs(errorsOf(pairs.slice(found.heldOut), metric).mean),
      );
      expect(is).toBeLessThan(0.01);
      expect(is).toBeLessThan(was / 5);
    }
  });

  it('finds nothing to change where simulation and measurement are the same', async () => {
    const options = { traceFiles: [trace], numWorkers: 2 };
    const { records } = await replay({ ...options, records: 'all' });
    const measured = records.map((record, index) => ({
      line: index + 1,
      arrivalMs: record.arrivalMs,
      inputTokens: record.inputTokens,
      outputTokens: record.outputTokens,
      cachedTokens: record.reusedTokens,
      ttftMs: record.firstTokenMs - record.arrivalMs,
      tpotMs: undefined,
      e2eMs: record.lastTokenMs - record.arrivalMs,
    }));
    const { settings, replays } = await calibrate(
      scenarioOf(options),
      measured,
      ['overheads', 'timing'],
      () => {},
    );
    expect(settings).toMatchObject({ prefillSpeed: 1, decodeSpeed: 1, kvBlocks: 1 });
    expect(Math.max(...Object.values(settings.overheads))).toBeLessThan(1e-9);
    expect(replays).toBeLessThan(80);
  });
});

describe('the calibrate command', () => {
  const rows = [300, 500, 800, 400, 600, 200].map((input_length, index) => ({
    timestamp: index * 40,
    input_length,
    output_length: 20,
    hash_ids: [2 * index, 2 * index + 1].slice(0, Math.ceil(input_length / 512)),
  }));
  const trace = inFolder('small.jsonl');
  const write = (name: string, lines: string[]) => {
    writeFileSync(inFolder(name), `${lines.join('\n')}\n`);
    return inFolder(name);
  };
  beforeAll(() =>
    write(
      'small.jsonl',
      rows.map((row) => JSON.stringify(row)),
    ),
  );
  const times = rows.map(({ timestamp, input_length }) => ({
    arrival_ms: timestamp,
    input_length,
    output_length: 20,
    ttft_ms: 20 + input_length / 20,
    e2e_ms: 300 + input_length / 20,
  }));
  const run = (...args: string[]) => runCli(['calibrate', '--trace', trace, ...args], folder);

  it('writes settings that replay takes', async () => {
    const measured = write(
      'measured.jsonl',
      times.map((row) => JSON.stringify(row)),
    );
    const output = inFolder('calibrated.yaml');
    const found = await run('--measured', measured, '--output', output, '--json');
    expect(found.stderr).toBe('');
    const { settings } = JSON.parse(found.stdout.slice(0, found.stdout.lastIndexOf('}') + 1));
    const { exitCode } = await runCli(
      ['replay', '--config', output, '--report-json', inFolder('report.json')],
      folder,
    );
    expect(exitCode).toBe(0);
    const report = JSON.parse(readFileSync(inFolder('report.json'), 'utf8'));
    expect(report.overheads ?? {}).toEqual(settings.overheads);
    expect((await run('--measured', measured, '--output', output)).stderr).toContain('add --force');
  });

  it('reads the same from JSONL, CSV, AIPerf and Dynamo', async () => {
    const csv = write('measured.csv', [
      'arrival_ms,input_length,output_length,ttft_ms,e2e_ms',
      ...times.map((row) => Object.values(row).join()),
    ]);
    const jsonl = write(
      'measured.jsonl',
      times.map((row) => JSON.stringify(row)),
    );
    const metric = (value: number, unit = 'ms') => ({ value, unit });
    const aiperf = write(
      'profile_export.jsonl',
      times.map((row) =>
        JSON.stringify({
          metadata: { benchmark_phase: 'profiling', request_start_ns: 1e15 + row.arrival_ms * 1e6 },
          metrics: {
            time_to_first_token: metric(row.ttft_ms),
            request_latency: metric(row.e2e_ms),
            input_sequence_length: metric(row.input_length, 'tokens'),
            output_sequence_length: metric(row.output_length, 'tokens'),
          },
        }),
      ),
    );
    const dynamo = write(
      'dynamo.jsonl',
      times.map((row) =>
        JSON.stringify({
          schema: 'dynamo.request.trace.v1',
          event_type: 'request_end',
          request: {
            request_received_ms: 1.7e12 + row.arrival_ms,
            input_tokens: row.input_length,
            output_tokens: row.output_length,
            ttft_ms: row.ttft_ms,
            total_time_ms: row.e2e_ms,
          },
        }),
      ),
    );
    const files = [
      [jsonl, 'requests'],
      [csv, 'requests'],
      [aiperf, 'aiperf'],
      [dynamo, 'dynamo-requests'],
    ];
    const found = await Promise.all(
      files.map(([file, format]) => run('--measured', file, '--measured-format', format, '--json')),
    );
    for (const { stdout, stderr } of found) {
      expect(stderr).toBe('');
      expect(stdout).toBe(found[0].stdout);
    }
  });

  it.each([
    ['a time is missing', ['{"e2e_ms":5}', '{}'], /bad\.jsonl:1: ttft_ms: expected a number, found nothing/],
    ['a time is not above 0', ['{"ttft_ms":0,"e2e_ms":5}'], /bad\.jsonl:1: ttft_ms: expected a time above 0/],
    ['there is one row', ['{"ttft_ms":1,"e2e_ms":5}'], /fewer than two measured requests/],
    [
      'the numbers of requests differ',
      Array<string>(2).fill('{"ttft_ms":1,"e2e_ms":5}'),
      /2 requests were measured, the trace has 6/,
    ],
    [
      'the requests are others',
      Array<string>(6).fill('{"ttft_ms":1,"e2e_ms":5,"input_length":7}'),
      /measured line 1: an input of 7 tokens has no row of its own/,
    ],
  ])('says so in a line when %s', async (_, lines, message) => {
    const { exitCode, stderr } = await run('--measured', write('bad.jsonl', lines));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

const REAL = fileURLToPath(new URL('../../../shared/measured/rtx4090-llama8b', import.meta.url));

describe.skipIf(!existsSync(`${REAL}.trace.jsonl`))('a measured GPU', () => {
  it.each([2588, 1800])(
    'is met within 0.03 on requests that were not fitted, from a guess of %i blocks',
    async (blocks) => {
      const engine = { block_size: 16, num_gpu_blocks: blocks, max_num_batched_tokens: 2048 };
      const timing = { type: 'roofline', gpu: 'rtx_4090', model: 'meta-llama/Llama-3.1-8B' };
      const { stdout } = await runCli(
        [
          'calibrate',
          ...['--measured', `${REAL}.measured.jsonl`, '--trace', `${REAL}.trace.jsonl`, '--json'],
          ...['--extra-engine-args', JSON.stringify(engine), '--timing', JSON.stringify(timing)],
        ],
        folder,
      );
      const { held_out_errors, settings } = JSON.parse(stdout);
      for (const metric of METRICS) expect(Math.abs(held_out_errors.after[metric].mean)).toBeLessThan(0.03);
      expect(Math.abs(settings.num_gpu_blocks[0] / 2588 - 1)).toBeLessThan(0.05);
    },
  );
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-bad-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD = '{"timestamp":0,"input_length":100,"output_length":5,"hash_ids":[1]}';

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

const good = file('good.jsonl', `${GOOD}\n`);
const bad = (name: string, ...lines: string[]) => file(`${name}.jsonl`, `${lines.join('\n')}\n`);
const engine = (json: string) => [good, '--extra-engine-args', json];
const load = ['--input-tokens', '10', '--output-tokens', '5', '--request-count', '3'];

/** What is wrong, the arguments, and what the one line must say. */
const CASES: [what: string, args: string[], says: RegExp][] = [
  ['nothing to replay', [], /trace file or all of --input-tokens/],
  ['unknown flag', [good, '--nope'], /--nope/],
  ['flag without value', [good, '--num-workers'], /--num-workers/],
  ['fractional integer', [good, '--num-workers', '1.5'], /--num-workers.*'1.5'/],
  ['word for a number', [good, '--arrival-speedup-ratio', 'fast'], /'fast'/],
  ['unknown format', [good, '--trace-format', 'csv'], /mooncake-delta/],
  ['two traces', [good, good], /one trace file, found 2/],
  ['trace and synthetic', [good, ...load], /either a trace file or/],
  ['synthetic without controller', load, /exactly one of/],
  ['two controllers', [...load, '--request-rate', '3', '--replay-concurrency', '2'], /exactly one of/],
  ['rate on a trace', [good, '--request-rate', '3'], /synthetic load only/],
  [
    'negative workers',
    [good, '--num-workers', '-1'],
    /--num-workers: expected an unsigned integer, found -1/,
  ],
  ['no workers', [good, '--num-workers', '0'], /--num-workers: 0 is out of range, allowed is 1 to/],
  ['no concurrency', [good, '--replay-concurrency', '0'], /--replay-concurrency/],
  ['unknown overhead', [good, '--overheads', '{"steps":1}'], /--overheads: steps: unknown field.*step_ms/],
  ['negative overhead', [good, '--overheads', '{"step_ms":-1}'], /--overheads: step_ms: -1 is out of range/],
  ['overheads that are no object', [good, '--overheads', '3'], /--overheads: expected a JSON object/],
  ['broken overheads', [good, '--overheads', '{'], /--overheads: not valid JSON at character/],
  ['negative bound', [good, '--sla-ttft-ms', '-1'], /--sla-ttft-ms.*-1/],
  ['endless cap', [good, '--max-sim-time-seconds', 'inf'], /--max-sim-time-seconds.*Infinity/],
  ['zero speed-up', [good, '--arrival-speedup-ratio', '0'], /--arrival-speedup-ratio.*found 0/],
  ['zero block size', [good, '--trace-block-size', '0'], /--trace-block-size/],
  ['zero rate', [...load, '--request-rate', '0'], /--request-rate: 0 is out of range, allowed is above 0/],
  [
    'ratio above 1',
    [...load, '--replay-concurrency', '1', '--shared-prefix-ratio', '1.5'],
    /from 0 to 1, found 1.5/,
  ],
  [
    'records of synthetic load',
    [...load, '--request-rate', '1', '--report-jsonl', 'r.jsonl'],
    /use --records/,
  ],
  ['worker counts of the other fleet', [good, '--num-prefill-workers', '2'], /use --num-workers/],
  ['missing file', ['missing.jsonl'], /missing.jsonl: cannot open .*no such file/],
  ['folder as trace', ['.'], /directory/],
  ['empty trace', [bad('empty', '')], /holds no request/],
  ['broken JSON', [bad('broken', GOOD, '{"timestamp":')], /broken.jsonl:2: timestamp: .*column/],
  ['text behind the row', [bad('behind', `${GOOD} x`)], /behind.jsonl:1: .*after the JSON/],
  ['not UTF-8', [file('latin.jsonl', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))], /latin.jsonl:1: .*UTF-8/],
  ['fractional length', [bad('fraction', GOOD.replace('100', '100.0'))], /:1: input_length: .*100.0/],
  ['negative hash', [bad('negative', GOOD.replace('[1]', '[-1]'))], /:1: hash_ids: .*-1/],
  ['hash beyond 64 bits', [bad('wide', GOOD.replace('[1]', '[18446744073709551616]'))], /64-bit/],
  ['length as text', [bad('text', GOOD.replace('100', '"100"'))], /:1: input_length: .*"100"/],
  [
    'field given twice',
    [bad('twice', GOOD.replace('"hash_ids"', '"input_tokens":3,"hash_ids"'))],
    /input_tokens: given twice/,
  ],
  ['no hashes', [bad('nohash', '{"timestamp":0,"output_length":5}')], /:1: hash_ids: missing/],
  [
    'no output length',
    [bad('noout', '', '{"timestamp":0,"hash_ids":[1]}')],
    /noout.jsonl:2: output_length: missing/,
  ],
  ['no timestamp', [bad('notime', '{"output_length":5,"hash_ids":[1]}')], /:1: timestamp: missing/],
  ['no tokens', [bad('notokens', GOOD.replace('[1]', '[]'))], /:1: input_length: must be positive/],
  ['delay on a first turn', [bad('delay', GOOD.replace('{', '{"delay":3,'))], /:1: delay: /],
  ['authored length', [bad('authored', GOOD.replace('{', '{"output_token_ids":[1],'))], /does not match 1/],
  [
    'number out of range',
    [bad('huge', GOOD.replace('"timestamp":0', '"timestamp":1e999'))],
    /timestamp: number out of range/,
  ],
  [
    'damaged gzip',
    [file('cut.jsonl.gz', gzipSync(GOOD.repeat(500)).subarray(0, 30))],
    /cut.jsonl.gz: cannot unpack/,
  ],
  [
    'cyclic graph',
    [
      bad(
        'cycle',
        '{"request_id":"a","wait_for":["a2"],"output_length":1,"hash_ids":[1]}',
        '{"request_id":"a2","wait_for":["a"],"output_length":1,"hash_ids":[1]}',
      ),
      '--trace-format',
      'agentic_mooncake',
    ],
    /cycle/,
  ],
  [
    'unknown dependency',
    [
      bad('dep', '{"request_id":"a","wait_for":["b"],"output_length":1,"hash_ids":[1]}'),
      '--trace-format',
      'agentic_mooncake',
    ],
    /unknown request "b"/,
  ],
  ['engine not JSON', engine('{block_size:1}'), /not valid JSON at character 2/],
  ['engine not an object', engine('[1]'), /expected a JSON object/],
  ['unknown engine field', engine('{"blocksize":16}'), /did you mean block_size/],
  ['engine out of range', engine('{"num_gpu_blocks":0}'), /num_gpu_blocks: 0 is out of range/],
  ['engine float', engine('{"num_gpu_blocks":1.5}'), /num_gpu_blocks: .*1.5/],
  ['engine null', engine('{"block_size":null}'), /block_size: must not be null/],
  ['unknown engine', engine('{"engine_type":"tgi"}'), /allowed are vllm, sglang, trtllm/],
  ['block of one token', engine('{"block_size":1}'), /at least 2/],
  ['rates without speculation', engine('{"aic_nextn_accept_rates":"0.5"}'), /needs aic_nextn/],
  ['bad accept rate', engine('{"aic_nextn":2,"aic_nextn_accept_rates":"0.5,x"}'), /entry 2 .*"x"/],
  ['tiers without G2', engine('{"num_g3_blocks":4}'), /needs num_g2_blocks/],
  ['prefill worker alone', engine('{"worker_type":"prefill"}'), /worker_type must be aggregated/],
  ['unknown GPU', engine('{"timing":{"type":"roofline","gpu":"tpu","model":"x"}}'), /no tpu; known are/],
  ['roofline without GPU', engine('{"timing":{"type":"roofline"}}'), /type roofline needs gpu/],
  ['unknown timing', [good, '--timing', '{"type":"magic"}'], /timing.*fitted, roofline, table/],
  ['fit without numbers', engine('{"timing":{"type":"fitted","prefill":[1]}}'), /prefill as a list of 3/],
  ['missing timing table', engine('{"timing":{"type":"table","path":"no.csv"}}'), /no.csv: cannot be read/],
  [
    'two timings',
    engine('{"timing":{"type":"table","path":"a"},"aic_backend":"vllm"}'),
    /timing and aic_backend exclude/,
  ],
  ['one stage alone', [good, '--prefill-engine-args', '{"worker_type":"prefill"}'], /must be given together/],
  [
    'stages with different blocks',
    [
      good,
      '--prefill-engine-args',
      '{"worker_type":"prefill","block_size":16}',
      '--decode-engine-args',
      '{"worker_type":"decode","block_size":32}',
    ],
    /block_size must be equal/,
  ],
  ['unknown router field', [good, '--router-config', '{"temperature":1}'], /router_temperature/],
  ['report in a file', [good, '--report-json', 'good.jsonl/x/report.json'], /cannot write/],
];

/** What is in the folder but for what commands that run beside this one are writing. */
function lasting(): string[] {
  return readdirSync(folder).filter((name) => !name.endsWith('.tmp'));
}

describe('bad input', () => {
  it(`is tried in at least 40 kinds`, () => expect(CASES.length).toBeGreaterThanOrEqual(40));

  it.concurrent.each(CASES)('%s: one clear line, exit 2, no output', async (_what, args, says) => {
    const before = lasting().length;
    const result = await runCli(
      ['replay', ...args, ...(args.includes('--report-json') ? [] : ['--report-json', 'out.json'])],
      folder,
    );
    expect(result.stderr).toMatch(says);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toBe('');
    expect(lasting()).toHaveLength(before);
  });

  it('leaves nothing that was to be renamed', () => {
    expect(readdirSync(folder)).toEqual(lasting());
  });
});

describe('the command line', () => {
  it('fails with exit 1 and leaves no report when the run fails', async () => {
    const result = await runCli(
      [
        'replay',
        ...engine('{"enable_chunked_prefill":false,"max_num_batched_tokens":50}'),
        '--report-json',
        'dead.json',
      ],
      folder,
    );
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/dead end.*enable_chunked_prefill/);
    expect(existsSync(join(folder, 'dead.json'))).toBe(false);
  });

  it.each(['replay', 'report', 'serve', 'calibrate', 'mocker', 'trace', 'timing', 'planner', 'config'])(
    '%s --help says what it does',
    async (command) => {
      const result = await runCli([command, '--help'], folder);
      expect([result.exitCode, result.stderr]).toEqual([0, '']);
      expect(result.stdout).toContain(`Usage: dynosim ${command}`);
    },
  );

  it('prints help with examples, for beginnings of flags too', async () => {
    const result = await runCli(['replay', '--he'], folder);
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(result.stdout).toMatch(/Examples:\n {2}dynosim replay/);
  });

  it('accepts beginnings of flags, = and Python spellings of numbers', async () => {
    const result = await runCli(
      ['replay', ...load, '--request-r=1_000', '--report-json', 'short.json', '--quiet'],
      folder,
    );
    expect([result.exitCode, result.stdout, result.stderr]).toEqual([0, '', '']);
    expect(JSON.parse(readFileSync(join(folder, 'short.json'), 'utf8')).completed_requests).toBe(3);
  });

  it('writes every request under --records, the unfinished too', async () => {
    const trace = bad('three', GOOD, GOOD.replace(':0', ':5'), GOOD.replace(':0', ':900'));
    const args = [
      'replay',
      trace,
      '--max-sim-time-seconds',
      '0.03',
      '--num-workers',
      '2',
      '--records',
      'all.jsonl',
      '--report-json',
      'capped.json',
    ];
    expect((await runCli(args, folder)).exitCode).toBe(0);
    const statuses = readFileSync(join(folder, 'all.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).terminal_status);
    expect(statuses).toEqual(['unfinished', 'unfinished']);
  });

  it('does not write over a trace unless told to', async () => {
    const args = ['trace', 'generate', '--requests', '5', '--output', 'made.jsonl'];
    expect((await runCli(args, folder)).exitCode).toBe(0);
    const first = readFileSync(join(folder, 'made.jsonl'), 'utf8');
    const second = await runCli([...args, '--seed', '2'], folder);
    expect([second.exitCode, readFileSync(join(folder, 'made.jsonl'), 'utf8')]).toEqual([2, first]);
    expect((await runCli([...args, '--seed', '2', '--force'], folder)).exitCode).toBe(0);
    expect(readFileSync(join(folder, 'made.jsonl'), 'utf8')).not.toBe(first);
  });

  it.each<[string, string[], RegExp]>([
    ['no file', ['missing.json'], /cannot read missing.json/],
    ['no JSON', [file('text.json', '# a title\n')], /text.json: is no JSON/],
    ['no report', [file('other.json', '{"a":1}')], /other.json: is no report of a replay/],
  ])('draws no page of %s', async (_, reports, says) => {
    const { exitCode, stderr } = await runCli(['report', ...reports, '--html', 'drawn.html'], folder);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(join(folder, 'drawn.html'))).toBe(false);
  });

  it('does not write over a page unless told to', async () => {
    const report = file('tiny.json', '{"completed_requests":1}');
    const page = file('page.html', 'mine');
    const args = ['report', report, '--html', page];
    expect((await runCli(args, folder)).exitCode).toBe(2);
    expect(readFileSync(join(folder, page), 'utf8')).toBe('mine');
    expect((await runCli([...args, '--force'], folder)).exitCode).toBe(0);
    expect(readFileSync(join(folder, page), 'utf8')).toContain('<!doctype html>');
  });
});

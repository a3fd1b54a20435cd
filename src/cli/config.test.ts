import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';
import { configSchema } from './config-schema.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const run = (...argv: string[]) => runCli(argv, folder);

const LOAD = 'input_tokens: 300\noutput_tokens: 20\nrequest_count: 40\nrequest_rate: 20\n';

describe('a configuration file', () => {
  it('does what the same flags do', async () => {
    const config = write('run.yaml', `# load\n${LOAD}num_workers: 2\nextra_engine_args:\n  block_size: 16\n`);
    const reports = [join(folder, 'a.json'), join(folder, 'b.json')];
    await run('replay', '--config', config, '--quiet', '--report-json', reports[0]);
    await run(
      ...[
        'replay',
        '--input-tokens',
        '300',
        '--output-tokens',
        '20',
        '--request-count',
        '40',
        '--request-rate',
        '20',
      ],
      ...[
        '--num-workers',
        '2',
        '--extra-engine-args',
        '{"block_size":16}',
        '--quiet',
        '--report-json',
        reports[1],
      ],
    );
    const [a, b] = reports.map((path) => {
      const report = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      return Object.entries(report).filter(([key]) => !/wall_time|processed_.*_per_s/.test(key));
    });
    expect(a).toEqual(b);
  });

  it('gives way to flags, and to --set, which reaches into objects', async () => {
    const config = write(
      'base.yaml',
      `${LOAD}num_workers: 2\nextra_engine_args: {block_size: 16, max_num_seqs: 8}\n`,
    );
    const { stdout: out } = await run(
      ...['replay', '--config', config, '--num-workers', '5', '--set', 'extra_engine_args.block_size=32'],
      ...['--set', 'sla_ttft_ms=250', '--print-config'],
    );
    expect(out).toContain('num_workers: 5\n');
    expect(out).toContain('extra_engine_args:\n  block_size: 32\n  max_num_seqs: 8\n');
    expect(out).toContain('sla_ttft_ms: 250\n');
  });

  it('is what --print-config prints', async () => {
    const flags = [
      'replay',
      'chat.jsonl',
      '--num-workers',
      '3',
      '--router-mode',
      'kv_router',
      '--router-seed',
      '9',
    ];
    const { stdout: out } = await run(...flags, '--print-config');
    const again = await run('replay', '--config', write('printed.yaml', out), '--print-config');
    expect(again).toMatchObject({ exitCode: 0, stdout: out, stderr: '' });
    expect(out).toContain('trace: chat.jsonl\n');
  });

  it.each([
    ['num_worker: 2', /bad.yaml:1: num_worker: unknown key, did you mean num_workers\?/],
    [
      'input_tokens: 5\nnum_workers: many',
      /bad.yaml:2: num_workers: expected an unsigned integer, found "many"/,
    ],
    ['router_mode: best', /bad.yaml:1: router_mode: found "best", allowed are round_robin, kv_router/],
    ['check: 1', /bad.yaml:1: check: expected true or false, found 1/],
    ['num_workers: [1]', /bad.yaml:1: num_workers: expected an unsigned integer, found a list/],
    ['num_workers:', /bad.yaml:1: num_workers: expected an unsigned integer, found null/],
    ['trace: {a: 1}', /bad.yaml:1: trace: expected a path, or a list of paths/],
    ['- a', /bad.yaml:1: expected keys and values/],
    ['a: b: c', /bad.yaml:1: Nested mappings are not allowed/],
    ['num_workers: 2\nnum_workers: 3', /bad.yaml:2: Map keys must be unique/],
  ])('says where it is wrong: %s', async (text, says) => {
    const { exitCode, stderr } = await run('replay', '--config', write('bad.yaml', text));
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(2);
  });

  it.each([
    [['--set', 'num_workers'], /--set num_workers: expected KEY=VALUE/],
    [
      ['--set', 'num_workers.a=1', '--set', 'num_workers.a.b=1'],
      /--set num_workers.a.b=1: num_workers.a.b: a is no object/,
    ],
    [['--config', 'none.yaml'], /--config: cannot read none.yaml/],
  ])('%o is refused', async (argv, says) => {
    const { exitCode, stderr } = await run('replay', ...argv);
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(2);
  });
});

describe('the schema of a configuration', () => {
  it('has every flag, and the fields of engines', () => {
    const { properties } = configSchema() as { properties: Record<string, Record<string, unknown>> };
    expect(properties.num_workers).toEqual({
      description: expect.any(String),
      ...{ default: 1, type: 'integer', minimum: 1, maximum: 2147483647 },
    });
    expect(properties.router_mode.enum).toEqual(['round_robin', 'kv_router']);
    expect(properties.kv_offload.type).toBe('boolean');
    const engine = properties.extra_engine_args as { properties: Record<string, unknown> };
    expect(engine.properties.block_size).toEqual({ type: 'integer', minimum: 0 });
    expect(engine.properties.num_gpu_blocks).toEqual({
      anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }],
    });
    expect(properties).not.toHaveProperty('config');
  });
});

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { PROGRAM, runCli } from '../testing/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-watch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const STUDY = `
base: {beyond_reference: true}
search: {num_workers: {choices: [1, 2, 3, 4, 5, 6]}}
goals: {ttft_ms: 500}
target: throughput_per_gpu
`;
const inFolder = (name: string) => join(folder, name);

/** A shard of so many requests a second for ten seconds. */
function shard(name: string, perSecond: number, startMs: number): void {
  const rows = Array.from({ length: 10 * perSecond }, (_, at) =>
    JSON.stringify({
      timestamp: Math.round(startMs + (at * 1000) / perSecond),
      input_length: 1000,
      output_length: 20,
      hash_ids: [2 * at + startMs * 1000, 2 * at + 1 + startMs * 1000],
    }),
  );
  writeFileSync(inFolder(`shards/${name}.jsonl`), `${rows.join('\n')}\n`);
}

const watch = (...args: string[]) =>
  runCli(
    ['watch', '--trace-dir', 'shards', '--spec', 'study.yaml', '--state', 'state', '--shards', '1', ...args],
    folder,
  );
const records = () =>
  readFileSync(inFolder('state/recommendations.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

beforeEach(() => {
  for (const name of ['shards', 'state']) rmSync(inFolder(name), { recursive: true, force: true });
  mkdirSync(inFolder('shards'));
  writeFileSync(inFolder('study.yaml'), STUDY);
});

describe('dynosim watch', () => {
  it('follows the traffic up and down, and goes on where it ended', async () => {
    shard('0001', 4, 0);
    shard('0002', 80, 10_000);
    const first = await watch('--once', '--follow');
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(/0001\.jsonl: begins with num_workers=1\n/);
    expect(first.stdout).toMatch(/0002\.jsonl: change to num_workers=\d .*misses the goals \(.*mean TTFT/);
    const begun = records();
    shard('0003', 4, 20_000);
    const second = await watch('--once', '--follow');
    expect(second.stdout).toMatch(/^0003\.jsonl: change to num_workers=\d .* better than num_workers=/);
    expect(records().slice(0, 2)).toEqual(begun);
    expect(records().map(({ shard, event }) => `${shard} ${event}`)).toEqual([
      '0001.jsonl begin',
      '0002.jsonl recommend',
      '0003.jsonl recommend',
    ]);
    expect((await watch('--once', '--follow')).stdout).toBe('');
  }, 60_000);

  it('keeps what wins by less than the margin', async () => {
    writeFileSync(inFolder('current.yaml'), 'num_workers: 2\nbeyond_reference: true\n');
    shard('0001', 4, 0);
    const kept = await watch('--once', '--current', 'current.yaml', '--margin', '5');
    expect(kept.stdout).toMatch(/^0001\.jsonl: keep num_workers=2/);
    rmSync(inFolder('state'), { recursive: true });
    const changed = await watch('--once', '--current', 'current.yaml', '--margin', '0.2');
    expect(changed.stdout).toMatch(/change to num_workers=1 .* better than num_workers=2/);
    expect(records()[0].recommended.settings).toMatchObject({ num_workers: 1 });
  }, 60_000);

  it('takes shards while they come, and stops cleanly', async () => {
    shard('0001', 4, 0);
    const child = spawn(
      process.execPath,
      [
        PROGRAM,
        'watch',
        '--trace-dir',
        'shards',
        '--spec',
        'study.yaml',
        '--follow',
        '--interval',
        '0.05',
      ].concat('--state', 'state'),
      { cwd: folder },
    );
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const until = async (pattern: RegExp) => {
      for (let tries = 0; tries < 600 && !pattern.test(text); tries++) await setTimeout(50);
      expect(text).toMatch(pattern);
    };
    await until(/0001\.jsonl: begins/);
    shard('0002', 4, 10_000);
    await until(/0002\.jsonl: keep/);
    child.kill('SIGTERM');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    expect(records()).toHaveLength(2);
  }, 60_000);

  it.each([
    [['--follow', '--current', 'x'], /--follow and --current cannot be combined/],
    [['--current', 'none.yaml', '--once'], /--current: cannot read none\.yaml/],
    [['--current', 'other.yaml', '--once'], /other\.yaml: is no candidate of study\.yaml/],
  ])('refuses %j in a line', async (args, message) => {
    writeFileSync(inFolder('other.yaml'), 'num_workers: 9\n');
    shard('0001', 4, 0);
    const { exitCode, stderr } = await watch(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { PROGRAM, runCli } from '../testing/run-cli.js';
import { OutputFiles } from './output.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-output-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ROW = '{"timestamp":0,"input_length":600,"output_length":9,"hash_ids":[1,2]}\n';
const inFolder = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(inFolder(name), 'utf8');
/** Every option of a replay that names a file, and what else it needs. */
const FILES = ['--report-json', '--report-jsonl', '--records', '--html', '--trace-events'];

beforeEach(() => {
  for (const entry of readdirSync(folder)) rmSync(inFolder(entry), { recursive: true });
  writeFileSync(inFolder('t.jsonl'), ROW);
});

const replay = (...args: string[]) => runCli(['replay', 't.jsonl', '--quiet', ...args], folder);

describe('an output', () => {
  it.each(FILES)('%s is never the input, however it is spelt', async (option) => {
    symlinkSync('t.jsonl', inFolder('link'));
    for (const path of ['t.jsonl', './x/../t.jsonl', inFolder('t.jsonl'), 'link']) {
      mkdirSync(inFolder('x'), { recursive: true });
      const { exitCode, stderr } = await replay(option, path, '--force');
      expect([exitCode, stderr.trim().split('\n')]).toEqual([2, [expect.stringContaining('is the input')]]);
      expect(text('t.jsonl')).toBe(ROW);
    }
  });

  it.each(FILES)('%s replaces what is there only when told to', async (option) => {
    writeFileSync(inFolder('mine'), 'precious');
    const { exitCode, stderr } = await replay(option, 'mine');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('exists already; add --force')]);
    expect(text('mine')).toBe('precious');
    expect((await replay(option, 'mine', '--force')).exitCode).toBe(0);
    expect(text('mine')).not.toBe('precious');
  });

  it('is one of its own', async () => {
    const { exitCode, stderr } = await replay('--records', 'a', '--html', './a');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('an output must be a file of its own')]);
    expect(readdirSync(folder)).toEqual(['t.jsonl']);
  });

  it('follows a link, and leaves it a link', async () => {
    writeFileSync(inFolder('old'), 'x');
    symlinkSync('old', inFolder('link'));
    expect((await replay('--report-json', 'link', '--force')).exitCode).toBe(0);
    expect(lstatSync(inFolder('link')).isSymbolicLink()).toBe(true);
    expect(JSON.parse(text('old')).completed_requests).toBe(1);
  });

  it('goes straight into a device, and to standard output', async () => {
    expect((await replay('--report-json', '/dev/null')).exitCode).toBe(0);
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
    const { stdout } = await runCli(['replay', 't.jsonl', '--report-json', '-'], folder);
    expect(JSON.parse(stdout).completed_requests).toBe(1);
  });

  it.each([
    ['an empty name', ''],
    ['a folder', '.'],
    ['a place inside a file', 't.jsonl/x'],
  ])('with %s is refused before the run, and nothing is left', async (_what, path) => {
    const { exitCode, stderr } = await replay('--records', path, '--report-json', 'r.json');
    expect(exitCode).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['t.jsonl']);
  });

  it('has a name of its own where none is given, also for runs that begin together', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map(() => replay()));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(readdirSync(folder).filter((name) => name.startsWith('dynamo_replay_report_'))).toHaveLength(4);
  });
});

describe('files of a command', () => {
  const rules = { force: false };
  const target = (name: string) => ({ option: `--${name}`, path: inFolder(name) });

  it('are all there or none', async () => {
    const files = OutputFiles.open([target('a'), target('b')], rules);
    await files.write(inFolder('a'), ['1', '2']);
    const failing = (function* () {
      yield '3';
      throw new Error('no more');
    })();
    await expect(files.write(inFolder('b'), failing)).rejects.toThrow('cannot write');
    expect(readdirSync(folder)).toEqual(['t.jsonl']);
  });

  it('leave nothing of those that were not written', async () => {
    const files = OutputFiles.open([target('a'), target('b')], rules);
    await files.write(inFolder('a'), [new Uint8Array([104, 105])]);
    files.commit();
    expect(readdirSync(folder).sort()).toEqual(['a', 't.jsonl']);
    expect(text('a')).toBe('hi');
  });

  it('take away what a killed process left of them', () => {
    writeFileSync(inFolder('.a.999999999.tmp'), 'half');
    OutputFiles.open([target('a')], rules).discard();
    expect(readdirSync(folder)).toEqual(['t.jsonl']);
  });
});

describe('a run that is ended', () => {
  const started = (args: readonly string[]) =>
    spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, stdio: 'ignore' });
  const LONG = ['replay', '--input-tokens', '500', '--output-tokens', '50', '--request-count', '20000'];
  const outputs = ['--request-rate', '50', '--report-json', 'r', '--records', 'a', '--html', 'h', '--force'];

  it.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves what was there, and nothing else', async (signal) => {
    for (const name of ['r', 'a', 'h']) writeFileSync(inFolder(name), 'old');
    for (const waits of [400, 0]) {
      const child = started([...LONG, ...outputs]);
      const ended = new Promise<string>((resolve) =>
        child.on('exit', (code, by) => resolve(by ?? String(code))),
      );
      if (waits > 0) await setTimeout(waits);
      else while (!readdirSync(folder).some((name) => name.endsWith('.tmp'))) await setTimeout(1);
      child.kill(signal);
      // In the middle of the simulation by the signal itself; while files are written, once they are taken away.
      const tidied = signal === 'SIGINT' ? '130' : '143';
      expect([signal, tidied]).toContain(await ended);
    }
    expect(readdirSync(folder).sort()).toEqual(['a', 'h', 'r', 't.jsonl']);
    expect(['r', 'a', 'h'].map(text)).toEqual(['old', 'old', 'old']);
  });

  it('by SIGKILL at any moment leaves old files or new ones, each whole', async () => {
    for (let round = 0; round < 6; round++) {
      for (const name of ['r', 'a', 'h']) writeFileSync(inFolder(name), 'old');
      const child = started([...LONG, ...outputs]);
      const ended = new Promise((resolve) => child.on('exit', resolve));
      await setTimeout(150 + 250 * round);
      child.kill('SIGKILL');
      await ended;
      const report = text('r');
      if (report !== 'old') expect(JSON.parse(report).completed_requests).toBe(20000);
      const records = text('a');
      if (records !== 'old') expect(records.trim().split('\n')).toHaveLength(20000);
      expect(existsSync(inFolder('h'))).toBe(true);
    }
  });
});

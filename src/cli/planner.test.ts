import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-planner-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LOAD = [
  ...['--input-tokens', '512', '--output-tokens', '32', '--request-count', '60', '--request-rate', '8'],
  ...['--extra-engine-args', '{"num_gpu_blocks":128,"block_size":16}', '--sla-ttft-ms', '2000'],
];
const planner = (...args: string[]) => runCli(['planner', ...args], folder);
const readFile = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('dynosim planner sweep', () => {
  it('prints and writes a row a value, on threads as on one', async () => {
    const args = ['sweep', ...LOAD, '--planner', 'hpa', '--planner-config', '{"interval_seconds":2}'];
    const vary = ['--vary', 'startup-time=0..10/5'];
    const one = await planner(...args, ...vary, '--threads', '1', '--json', 'one.json', '--csv', 'one.csv');
    expect(one).toMatchObject({ exitCode: 0, stderr: '' });
    expect(one.stdout).toContain('scaling events');
    const { runs, axes } = JSON.parse(readFile('one.json'));
    expect(axes).toEqual([{ name: 'startup-time', values: [0, 5, 10] }]);
    expect(runs.map((run: { 'startup-time': number }) => run['startup-time'])).toEqual([0, 5, 10]);
    expect(runs[0].measures).toMatchObject({ policy: 'hpa', wanted_attainment: 0.95 });
    expect(readFile('one.csv').split('\n')[0]).toMatch(/^startup-time,gpu_hours,attainment,/);
    const two = await planner(...args, ...vary, '--threads', '2', '--json', 'two.json');
    expect(two.stdout).toBe(one.stdout);
    expect(readFile('two.json')).toBe(readFile('one.json'));
  });

  it.each([
    [['--vary', 'num-workers=1,2'], '--planner: needed, or --planner-config'],
    [['--planner', 'hpa', '--vary', 'num-wokers=1,2'], 'unknown setting, did you mean num-workers?'],
    [['--planner', 'hpa', '--vary', 'x'], '--vary: expected name=values'],
  ])('%j is refused in a line', async (args, message) => {
    const { exitCode, stderr, stdout } = await planner('sweep', ...LOAD, ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^dynosim: error: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});

describe('dynosim planner compare', () => {
  it('puts planners beside each other and an oracle', async () => {
    const { stdout, stderr, exitCode } = await planner(
      ...['compare', ...LOAD, '--with', 'none', '--with', 'hpa={"interval_seconds":2}'],
      ...['--sla-attainment', '0.8', '--gpu-hour-price', '3600', '--json', 'compared.json'],
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('oracle');
    const { planners, oracle } = JSON.parse(readFile('compared.json'));
    expect(planners.map(({ planner: label }: { planner: string }) => label)).toEqual([
      'none',
      'hpa={"interval_seconds":2}',
    ]);
    expect(planners[0].cost).toBeCloseTo(planners[0].gpu_hours * 3600, 9);
    expect(planners[1].measures.oracle.gpu_hours).toBe(oracle.gpu_hours);
    // What the oracle found can be run again as a timetable.
    const replayed = await runCli(
      [
        ...['replay', ...LOAD, '--num-workers', String(oracle.workers.agg), '--planner', 'schedule'],
        ...['--planner-config', JSON.stringify({ changes: oracle.changes })],
        ...['--report-json', 'oracle.json', '--quiet'],
      ],
      folder,
    );
    expect(replayed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(readFile('oracle.json')).gpu_hours).toBeCloseTo(oracle.gpu_hours, 12);
  });

  it.each([
    [[], 'planners are compared by goals'],
    [['--sla-ttft-ms', '9', '--with', 'best'], 'best: planner: no policy "best"'],
    [['--sla-ttft-ms', '9', '--with', 'hpa={"a":1}'], 'a: unknown field'],
  ])('%j is refused in a line', async (args, message) => {
    const { exitCode, stderr } = await planner('compare', ...LOAD.slice(0, 10), ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^dynosim: error: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});

describe('dynosim planner check', () => {
  const decisions = (text: string) => {
    writeFileSync(join(folder, 'decisions.csv'), `at,stage,replicas\n${text}\n`);
    return ['check', 'decisions.csv', ...LOAD];
  };
  const POLICY = ['--planner', 'schedule', '--planner-config', '{"changes":[{"at_s":2,"agg":3}]}'];

  it('compares decisions of production with ours on the same traffic', async () => {
    const { exitCode, stdout } = await planner(...decisions('2,agg,3'), ...POLICY, '--json', 'checked.json');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('match rate');
    expect(JSON.parse(readFile('checked.json'))).toMatchObject({
      match_rate: 1,
      stages: [{ stage: 'agg', lag_seconds: 0, mean_difference: 0 }],
    });
  });

  it.each([
    ['2,agg', POLICY, 'decisions.csv:2: expected at,stage,replicas, found 2 values'],
    ['2,decode,3', POLICY, 'decisions.csv:2: stage: found "decode", allowed are agg'],
    ['2,agg,1.5', POLICY, 'decisions.csv:2: replicas: expected a whole number'],
    ['', POLICY, 'decisions.csv: holds no decisions'],
    ['2,agg,3', [], 'decisions.csv holds decisions: they are compared with those of --planner'],
  ])('%s is refused in a line', async (text, args, message) => {
    const { exitCode, stderr } = await planner(...decisions(text), ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^dynosim: error: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});

describe('dynosim replay --planner', () => {
  it('takes a policy from a file', async () => {
    const tick = 'tick(view) { this.nextTickMs += 5000; return { agg: 2 }; }';
    writeFileSync(
      join(folder, 'two.mjs'),
      `export const createPlanner = () => ({ nextTickMs: 1000, ${tick} });\n`,
    );
    const { stdout, stderr } = await runCli(['replay', ...LOAD, '--planner', './two.mjs'], folder);
    expect(stderr).toBe('');
    expect(stdout).toContain('t=1.0s [agg]: 1 -> 2 workers (scale_up)');
    expect(stdout).toMatch(/GPU hours: \d+\.\d+/);
  });

  it('writes the page that the settings of the reference ask for, never over another', async () => {
    const args = ['replay', ...LOAD, '--planner-config', '{"mode":"agg","report_output_dir":"pages"}'];
    const first = await runCli(args, folder);
    const second = await runCli(args, folder);
    const pathOf = ({ stdout }: typeof first) => /Planner diagnostics report: (.*)\n/.exec(stdout)![1];
    expect(pathOf(first)).toMatch(/^pages\/planner_report_19700101_0000\d\d_001.html$/);
    expect(pathOf(second)).toBe(pathOf(first).replace('_001', '_002'));
    expect(readFile(pathOf(first))).toMatch(/GPU hours: \d+\.\d+/);
    const none = '{"mode":"agg","report_interval_hours":null,"live_dashboard_port":0}';
    const { stdout } = await runCli(['replay', ...LOAD, '--planner-config', none], folder);
    expect(stdout).not.toContain('diagnostics');
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../testing/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-timing-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const nowhere = ['--aic-systems', join(folder, 'nowhere')];

describe('dynosim timing', () => {
  it('lists what there is, and says how to get tables where there are none', async () => {
    const { stdout, exitCode } = await runCli(['timing', 'list', ...nowhere], folder);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/No AI Configurator tables at .*timing install/);
    expect(stdout).toMatch(/h100_sxm/);
    const json = JSON.parse((await runCli(['timing', 'list', '--json', ...nowhere], folder)).stdout);
    expect(json.roofline.gpus).toContain('rtx_4090');
  });

  it('breaks a pass down, and the parts are its total', async () => {
    const args = ['timing', 'query', '--gpu', 'H100', '--model', 'meta-llama/Llama-3.1-8B', '--json'];
    const { stdout } = await runCli([...args, '--phase', 'decode', '--batch', '8'], folder);
    const { total_ms, operations } = JSON.parse(stdout) as { total_ms: number; operations: { ms: number }[] };
    expect(operations.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(total_ms, 9);
    expect(total_ms).toBeGreaterThan(4);
    expect(total_ms).toBeLessThan(15);
  });

  it('fits steps and prints an engine argument that a replay takes', async () => {
    const rows = [1, 2, 8].flatMap((batch) =>
      [100, 1000, 4000].flatMap((tokens) => [
        `prefill,${batch},${tokens},0,${5 + 0.02 * batch * tokens}`,
        `decode,${batch},1,${tokens},${6 + 0.1 * batch + 1e-4 * batch * tokens}`,
      ]),
    );
    writeFileSync(join(folder, 'steps.csv'), ['phase,batch,tokens,context,ms', ...rows].join('\n'));
    const { stdout } = await runCli(['timing', 'fit', 'steps.csv'], folder);
    const engine = stdout.trim().split('\n').at(-1)!;
    const load = ['--input-tokens', '100', '--output-tokens', '1', '--request-count', '1'];
    const run = ['replay', ...load, '--replay-concurrency', '1', '--extra-engine-args', engine];
    const replayed = await runCli([...run, '--report-json', 'report.json', '--records', 'r.jsonl'], folder);
    expect(replayed.stderr).toBe('');
    expect(replayed.stdout).toMatch(/Time to First Token \(ms\)\s*│\s*13\.1/);
  });

  it.each([
    [['query', '--gpu', 'tpu', '--model', 'x'], /no tpu; known are/],
    [['query', '--model', 'Qwen/Qwen3-32B', ...nowhere], /no AI Configurator tables.*timing install/],
    [['query', '--model', 'x', '--gpu', 'h100', '--phase', 'both'], /--phase: .*found both/],
    [['query', '--model', 'x', '--tokens', '5', '--prefix', '5'], /--prefix: must be from 0 to 4/],
    [['query'], /--model/],
    [['fit', 'missing.csv'], /missing.csv: cannot be read/],
  ])('refuses %j in one line', async (args, says) => {
    const { exitCode, stderr } = await runCli(['timing', ...args], folder);
    expect(exitCode).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(says);
  });
});

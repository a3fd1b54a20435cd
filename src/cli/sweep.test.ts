import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../random/std-rng.js';
import { PROGRAM } from '../testing/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-sweep-'));
const inFolder = (name: string) => join(folder, name);
const STUDY = inFolder('study.yaml');
writeFileSync(
  STUDY,
  `
base: {input_tokens: 600, output_tokens: 60, request_count: 400, request_rate: 20, beyond_reference: true}
search:
  num_workers: {range: {min: 1, max: 8}}
  router_mode: {choices: [round_robin, kv_router]}
  extra_engine_args.max_num_seqs: {choices: [16, 256]}
goals: {ttft_ms: 400}
target: [throughput_per_gpu, ttft]
`,
);
const sweep = (...args: string[]) =>
  execFileSync(process.execPath, [PROGRAM, 'sweep', STUDY, '--quiet', ...args], { stdio: 'pipe' });
const refused = (...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'sweep', ...args], { encoding: 'utf8' });
  return { status, stderr };
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a sweep and kills it after so many milliseconds. */
function killed(ms: number, ...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, 'sweep', STUDY, '--quiet', ...args], { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  return new Promise((resolve) =>
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    }),
  );
}

describe('dynosim sweep with a study', () => {
  it('writes the same whatever the number of threads', () => {
    sweep('--table-json', inFolder('one.json'), '--threads', '1');
    sweep('--table-json', inFolder('two.json'), '--threads', '2');
    expect(readFileSync(inFolder('two.json'), 'utf8')).toBe(readFileSync(inFolder('one.json'), 'utf8'));
    const { ledger, front } = JSON.parse(readFileSync(inFolder('one.json'), 'utf8'));
    expect(ledger).toHaveLength(32);
    expect(front.length).toBeGreaterThan(1);
  });

  it('goes on where it was killed, and ends with the same table', async () => {
    sweep('--table-json', inFolder('whole.json'), '--threads', '1');
    const journal = inFolder('journal.jsonl');
    const random = new SeededRandom(7n);
    for (let kill = 0; kill < 20; kill++)
      await killed(150 + random.nextBelow(700), '--journal', journal, '--resume', '--threads', '2');
    expect(existsSync(journal)).toBe(true);
    sweep('--journal', journal, '--resume', '--table-json', inFolder('resumed.json'), '--threads', '2');
    expect(readFileSync(inFolder('resumed.json'), 'utf8')).toBe(readFileSync(inFolder('whole.json'), 'utf8'));
    // Every simulation is in the journal once, whatever was cut off.
    const [, ...lines] = readFileSync(journal, 'utf8').trimEnd().split('\n');
    const keys = lines.map((line) => JSON.parse(line).key);
    expect(new Set(keys).size).toBe(keys.length);
  }, 120_000);

  it('writes recommendations that a replay repeats to the number', () => {
    sweep('--output', inFolder('answer'), '--threads', '1');
    const { ledger, ranking } = JSON.parse(readFileSync(inFolder('answer/recommendation.json'), 'utf8'));
    const config = inFolder('answer/recommendations/0001.yaml');
    execFileSync(
      process.execPath,
      [PROGRAM, 'replay', '--config', config, '--report-json', inFolder('again.json')],
      {
        stdio: 'pipe',
      },
    );
    const again = JSON.parse(readFileSync(inFolder('again.json'), 'utf8'));
    const { metrics } = ledger[ranking[0] - 1];
    for (const key of ['output_throughput_tok_s', 'mean_ttft_ms', 'p99_e2e_latency_ms', 'gpu_hours'])
      expect(again[key]).toBe(metrics[key]);
  });

  it('overwrites nothing that it was not asked to', () => {
    const { status, stderr } = refused(STUDY, '--output', inFolder('answer'));
    expect(status).toBe(2);
    expect(stderr).toMatch(/recommendation\.json exists already; add --force/);
  });

  it('refuses flags of the other kind of search', () => {
    expect(refused(STUDY, '--topology', 'aggregated').stderr).toMatch(/a study has fleet\.topologies/);
    const spec = inFolder('spec.json');
    writeFileSync(
      spec,
      JSON.stringify({
        engine: { model: 'm', backend: 'vllm' },
        hardware: { gpuSku: 'x', totalGpus: 2 },
        workload: { isl: 1, osl: 1, requestCount: 1, concurrency: 1 },
      }),
    );
    expect(refused(spec, '--output', inFolder('x')).stderr).toMatch(/--output is for studies/);
  });

  it('refuses a journal that is there, or is none', () => {
    writeFileSync(inFolder('other.txt'), 'something else\n');
    expect(refused(STUDY, '--journal', inFolder('other.txt')).stderr).toMatch(/add --resume/);
    expect(refused(STUDY, '--journal', inFolder('other.txt'), '--resume').stderr).toMatch(
      /other\.txt:1: is no journal of a sweep/,
    );
    expect(refused(STUDY, '--resume').stderr).toMatch(/--resume needs --journal/);
  });
});

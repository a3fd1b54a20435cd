import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../config/input-error.js';
import { PROGRAM, runCli } from '../../testing/run-cli.js';
import type { Evaluator, Job } from '../job.js';
import { inlineEvaluator } from '../run-job.js';
import { connect } from './connection.js';
import { queueEvaluator } from './queue-evaluator.js';

const WORKER = new URL('../../testing/queue-worker.mjs', import.meta.url).pathname;

/** A server of Debian's packages: Valkey, or Redis. */
function installedServer(): string | undefined {
  for (const name of ['valkey-server', 'redis-server'])
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // The next one may be there.
    }
  return undefined;
}

const server = installedServer();

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => socket.once('listening', resolve));
  const { port } = socket.address() as { port: number };
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

const jobs: Job[] = Array.from({ length: 24 }, (_, at) => ({
  settings: JSON.stringify({
    input_tokens: 400 + at,
    output_tokens: 100,
    request_count: 1500,
    request_rate: 50,
    num_workers: 1 + (at % 4),
  }),
}));

describe.skipIf(server === undefined)('a queue (Redis or Valkey; skipped where neither is installed)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-queue-'));
  const children = new Set<ChildProcess>();
  let port: number;
  let url: string;
  let redis: ChildProcess;
  let expected: unknown[];

  function start(command: string, args: string[]): ChildProcess {
    const child = spawn(command, args, { stdio: 'ignore' });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  }
  const ended = (child: ChildProcess) =>
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise((resolve) => child.once('exit', resolve));
  const startServer = async () => {
    redis = start(server!, ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder]);
    for (let tries = 0; tries < 100; tries++) {
      try {
        (await connect({ url })).disconnect();
        return;
      } catch {
        await wait(50);
      }
    }
  };
  const startWorker = () => start(process.execPath, [WORKER, url]);
  const answers = (evaluator: Evaluator) => Promise.all(jobs.map((job) => evaluator.run(job)));

  beforeAll(async () => {
    port = await freePort();
    url = `redis://127.0.0.1:${port}`;
    await startServer();
    const inline = inlineEvaluator();
    expected = await answers(inline);
  }, 60_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all([...children].map(ended));
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives what one process gives, though one worker is killed and one hangs', async () => {
    const workers = [startWorker(), startWorker(), startWorker()];
    const evaluator = await queueEvaluator({ url });
    let done = 0;
    const run = Promise.all(
      jobs.map(async (job) => {
        const outcome = await evaluator.run(job);
        done++;
        return outcome;
      }),
    );
    while (done < 4) await wait(10);
    workers[0].kill('SIGKILL');
    workers[1].kill('SIGSTOP');
    expect(await run).toEqual(expected);
    await evaluator.close();
    for (const worker of workers) worker.kill('SIGKILL');
  }, 120_000);

  it('goes on when the server comes back without what it knew', async () => {
    const worker = startWorker();
    const evaluator = await queueEvaluator({ url });
    let done = 0;
    const others = jobs.map((job) => ({ settings: job.settings.replace('1500', '1501') }));
    const run = Promise.all(
      others.map(async (job) => {
        const outcome = await evaluator.run(job);
        done++;
        return outcome;
      }),
    );
    while (done < 3) await wait(10);
    redis.kill('SIGKILL');
    await ended(redis);
    await startServer();
    const outcomes = await run;
    expect(outcomes.every((outcome) => 'metrics' in outcome)).toBe(true);
    const inline = inlineEvaluator();
    expect(outcomes[5]).toEqual(await inline.run(others[5]));
    await evaluator.close();
    worker.kill('SIGKILL');
  }, 120_000);

  it('gives the table of one process to a command line, which ends', async () => {
    const worker = start(process.execPath, [PROGRAM, 'worker', '--queue', url, '--threads', '1', '--quiet']);
    writeFileSync(
      join(folder, 'study.yaml'),
      'base: {input_tokens: 500, output_tokens: 50, request_count: 100, request_rate: 9}\nsearch: {num_workers: {choices: [1, 2, 3]}}\n',
    );
    const table = async (...args: string[]) => {
      const file = `${args.length}.json`;
      const { exitCode } = await runCli(['sweep', 'study.yaml', '--table-json', file, ...args], folder);
      expect(exitCode).toBe(0);
      return readFileSync(join(folder, file), 'utf8');
    };
    expect(await table('--queue', url)).toBe(await table());
    worker.kill('SIGTERM');
    await ended(worker);
    expect(worker.exitCode).toBe(0);
  }, 60_000);

  it('gives a simulation up that takes too long, and says so', async () => {
    const worker = start(process.execPath, [WORKER, url, '1']);
    const evaluator = await queueEvaluator({ url });
    const endless = JSON.stringify({
      input_tokens: 100,
      output_tokens: 2000,
      request_count: 200000,
      request_rate: 1000,
      router_mode: 'kv_router',
      num_workers: 8,
    });
    expect(await evaluator.run({ settings: endless })).toEqual({
      failure: 'gave up after 0.001 s',
      isInput: false,
    });
    await evaluator.close();
    worker.kill('SIGKILL');
  }, 60_000);

  it('is refused in a line where no server answers', async () => {
    const unused = await freePort();
    await expect(queueEvaluator({ url: `redis://127.0.0.1:${unused}` })).rejects.toThrow(InputError);
    await expect(queueEvaluator({ url: 'localhost' })).rejects.toThrow(/expected redis:\/\/host:port/);
  }, 20_000);
});

import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dynamoPython, freePort, hasProgram, TestDeployment, until } from './deployment.js';
import { writeTinyModel } from './tiny-model.js';

const VERSION = process.env.DYNOSIM_DYNAMO_VERSION ?? '1.4.2';
/** 126 tokens: seven whole blocks of 16, and a part of an eighth. */
const PROMPT = `${'the quick brown fox jumps over '.repeat(4)}ab`;
const TIMED = { nvext: { extra_fields: ['worker_id', 'timing'] } };

let python: string;
let model: string;
let deployment: TestDeployment;

beforeAll(() => {
  python = dynamoPython(VERSION);
  model = writeTinyModel();
}, 600_000);

const open = (): TestDeployment => {
  deployment = new TestDeployment(python, model);
  return deployment;
};
afterEach(() => deployment.close());

const complete = (prompt: string, tokens: number, more: object = {}) =>
  deployment.post('completions', { prompt, max_tokens: tokens, ...more });

describe('our workers behind the frontend of Dynamo', () => {
  it('appear, answer whole and in a stream, and disappear', async () => {
    open();
    await deployment.frontend('dynamo');
    const worker = await deployment.worker('ours');
    await deployment.ready();
    const { body } = await complete('hello', 4);
    expect(body.choices[0].text).toMatch(/^( t1\d{3}){4}$/);
    expect(body.usage).toEqual({ prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 });
    const messages = [{ role: 'user', content: 'hi' }];
    const stream = await deployment.post('chat/completions', { messages, max_tokens: 3, stream: true });
    expect(stream.body.match(/"content":" t1\d{3}"/g)).toHaveLength(3);
    expect(stream.body).toContain('[DONE]');
    expect(await worker.stop()).toBe(0);
    await until(async () => (await deployment.models()).length === 0 || undefined, 3000);
  });

  it('serve in turn', async () => {
    open();
    await deployment.frontend('dynamo');
    await deployment.worker('ours', '--num-workers', '2');
    await deployment.ready();
    const seen = new Set<number>();
    for (let i = 0; i < 6; i++)
      seen.add((await complete('x', 1, TIMED)).body.nvext.worker_id.decode_worker_id);
    expect(seen.size).toBe(2);
  });

  it('tell what they cache, also to a frontend that starts later', async () => {
    open();
    const first = await deployment.frontend('dynamo', '--router-mode', 'kv');
    await deployment.worker('ours', '--data-parallel-size', '2');
    await deployment.ready();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await complete(PROMPT, 2, TIMED)).body.nvext.timing.kv_hit_rate).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await complete(PROMPT, 2, TIMED)).body.nvext.timing.kv_hit_rate).toBe(0.875);
    await first.stop('SIGKILL');
    await deployment.frontend('dynamo', '--router-mode', 'kv');
    await deployment.ready();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await complete(PROMPT, 2, TIMED)).body.nvext.timing.kv_hit_rate).toBe(0.875);
  });

  it('are dropped some seconds after they are killed', async () => {
    open();
    await deployment.frontend('dynamo');
    const worker = await deployment.worker('ours');
    await deployment.ready();
    await worker.stop('SIGKILL');
    await until(async () => (await deployment.models()).length === 0 || undefined, 20_000);
  });

  it('turn away what is too much, and serve again afterwards', async () => {
    open();
    deployment.environment.DYN_ENGINE_REQUEST_LIMIT = '1';
    deployment.environment.DYN_DYNAMO_REQUEST_QUEUE_LIMIT = '1';
    await deployment.frontend('dynamo');
    await deployment.worker('ours');
    await deployment.ready();
    const replies = await Promise.all(Array.from({ length: 6 }, () => complete('x', 100)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1);
    expect(statuses).toContain(529);
    await until(async () => (await complete('x', 1)).status === 200 || undefined, 20_000);
  });

  it('free what a client does not wait for', async () => {
    open();
    await deployment.frontend('dynamo');
    await deployment.worker('ours', '--max-num-seqs', '1');
    await deployment.ready();
    const gone = new AbortController();
    const dropped = deployment.post(
      'completions',
      { prompt: 'x', max_tokens: 6000, stream: true },
      gone.signal,
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    gone.abort();
    await expect(dropped).rejects.toThrow();
    expect((await complete('y', 2)).status).toBe(200);
  });

  it('say why they cannot serve a request', async () => {
    open();
    await deployment.frontend('dynamo');
    await deployment.worker('ours', '--max-model-len', '64', '--tell-errors');
    await deployment.ready();
    expect((await complete('x'.repeat(70), 4)).status).toBe(400);
  });
});

const PLANES = [
  ['etcd', 'tcp', 'zmq'],
  ['etcd', 'nats', 'nats'],
  ['file', 'tcp', 'nats'],
] as const;

describe.each(PLANES)(
  'discovery over %s, requests over %s, events over %s',
  (discovery, requests, events) => {
    const needed = [
      discovery === 'etcd' && 'etcd',
      (requests === 'nats' || events === 'nats') && 'nats-server',
    ];
    const missing = needed.filter((name): name is string => name !== false && !hasProgram(name));
    const name = missing.length > 0 ? `skipped: ${missing.join(', ')} is not installed` : 'serve and tell';

    it.skipIf(missing.length > 0).each(['ours', 'dynamo'] as const)(
      `${name} (frontend: %s)`,
      async (frontend) => {
        open();
        await startServices(discovery === 'etcd', requests === 'nats' || events === 'nats');
        Object.assign(deployment.environment, {
          DYN_DISCOVERY_BACKEND: discovery,
          DYN_REQUEST_PLANE: requests,
          DYN_EVENT_PLANE: events,
        });
        await deployment.frontend(frontend, '--router-mode', 'kv');
        const worker = await deployment.worker(frontend === 'ours' ? 'dynamo' : 'ours');
        await deployment.ready();
        await new Promise((resolve) => setTimeout(resolve, 2000));
        for (let i = 0; i < 2; i++) {
          const { body } = await complete(PROMPT, 2, frontend === 'dynamo' ? TIMED : {});
          if (frontend === 'dynamo') expect(body.nvext.timing.kv_hit_rate).toBe(i * 0.875);
          else expect(body.usage.prompt_tokens_details.cached_tokens).toBe(i * 112);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        await worker.stop();
        await until(async () => (await deployment.models()).length === 0 || undefined, 15_000);
      },
    );
  },
);

/** Starts etcd and NATS on free ports. */
async function startServices(hasEtcd: boolean, hasNats: boolean): Promise<void> {
  if (hasEtcd) {
    const client = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const urls = ['--listen-client-urls', client, '--advertise-client-urls', client];
    const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
    const data = join(deployment.folder, 'etcd');
    deployment.start('etcd', ['--data-dir', data, ...urls, ...peers, '--initial-cluster', `default=${peer}`]);
    deployment.environment.ETCD_ENDPOINTS = client;
    await until(async () => (await fetch(`${client}/health`).catch(() => undefined))?.ok || undefined);
  }
  if (!hasNats) return;
  const port = await freePort();
  deployment.start('nats-server', ['-a', '127.0.0.1', '-p', String(port)]);
  deployment.environment.NATS_SERVER = `nats://127.0.0.1:${port}`;
  await new Promise((resolve) => setTimeout(resolve, 1000));
}

describe.each([
  ['ours', 'dynamo', 'vllm'],
  ['dynamo', 'ours', 'vllm'],
  ['ours', 'dynamo', 'sglang'],
  ['dynamo', 'ours', 'sglang'],
] as const)('prefill by %s, decode by %s, engine %s', (prefill, decode, engine) => {
  it.each(['dynamo', 'ours'] as const)('serve together behind the frontend of %s', async (frontend) => {
    open();
    await deployment.frontend(frontend, '--router-mode', 'kv');
    const common = ['--engine-type', engine];
    const port = String(await freePort());
    await deployment.worker(
      prefill,
      ...common,
      '--disaggregation-mode',
      'prefill',
      '--bootstrap-ports',
      port,
    );
    await deployment.worker(decode, ...common, '--disaggregation-mode', 'decode');
    await deployment.ready();
    for (const prompt of [PROMPT, PROMPT, 'x']) {
      const { status, body } = await complete(prompt, 5, frontend === 'dynamo' ? TIMED : {});
      expect(status).toBe(200);
      expect(body.usage.completion_tokens).toBe(5);
      if (frontend !== 'dynamo') continue;
      const { prefill_worker_id, decode_worker_id } = body.nvext.worker_id;
      expect(prefill_worker_id).not.toBe(decode_worker_id);
    }
  });
});

describe('our frontend before workers of Dynamo', () => {
  it('gives a prompt to the worker that has cached it', async () => {
    open();
    await deployment.frontend('ours', '--router-mode', 'kv');
    await Promise.all([deployment.worker('dynamo'), deployment.worker('dynamo'), deployment.worker('ours')]);
    await deployment.ready();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await complete(PROMPT, 2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (let i = 0; i < 4; i++)
      expect((await complete(PROMPT, 2)).body.usage.prompt_tokens_details.cached_tokens).toBe(112);
  });

  it('goes on with those that are left when one is killed', async () => {
    open();
    await deployment.frontend('ours');
    const workers = await Promise.all([deployment.worker('dynamo'), deployment.worker('dynamo')]);
    await deployment.ready();
    await workers[0].stop('SIGKILL');
    for (let i = 0; i < 6; i++) expect((await complete('x', 2)).status).toBe(200);
  });
});

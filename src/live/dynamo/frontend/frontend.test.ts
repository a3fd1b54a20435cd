import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../testing/interop/deployment.js';
import { writeTinyModel } from '../../../testing/interop/tiny-model.js';
import { type Mocker, type MockerFlags, startMocker } from '../worker/mocker.js';
import { type Frontend, startFrontend } from './frontend.js';

/** 126 tokens: seven whole blocks of 16. */
const PROMPT = `${'the quick brown fox jumps over '.repeat(4)}ab`;
const FLAGS: MockerFlags = {
  ...{ engineType: 'vllm', numWorkers: 1, staggerDelay: -1, dataParallelSize: 1, aicMtpSeed: 42n },
  ...{ maxNumSeqs: 256, maxNumBatchedTokens: 8192, preemptionMode: 'lifo', decodeSpeedupRatio: 1 },
  ...{ kvTransferBandwidth: 64, kvTransferTimingMode: 'full_prompt', kvCacheDtype: 'auto' },
  ...{ modelName: 'tiny', blockSize: 16, numGpuBlocksOverride: 512, speedupRatio: 20, seed: 1n },
};

/** Requests wait for a worker that computes a prompt, and one may wait. */
const ONE_WAITS = `
default_policy_family: all
uncached_isl_buckets: [{ min_tokens: 0, bucket: any }]
policy_classes:
  - { name: only, policy_family: all, cache_bucket: any, quantum: 1, prefill_busy_threshold: 10, request_queue_limit_per_worker: 1 }
`;

let folder: string;
let environment: Record<string, string>;
let modelPath: string;
const open: (Mocker | Frontend)[] = [];
let url: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dynosim-deployment-'));
  modelPath = writeTinyModel();
  environment = { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: folder, DYN_TCP_RPC_HOST: '127.0.0.1' };
});
afterEach(async () => {
  for (const member of open.splice(0).reverse()) await ('close' in member ? member.close() : member.stop());
  for (const path of [folder, modelPath]) rmSync(path, { recursive: true, force: true });
});

async function workers(flags: Partial<MockerFlags> = {}): Promise<Mocker> {
  const mocker = await startMocker({ ...FLAGS, modelPath, ...flags }, environment, () => {});
  open.push(mocker);
  return mocker;
}

async function frontend(routerMode: 'round-robin' | 'kv', routerConfig?: string): Promise<void> {
  const limits = { maxBodyBytes: 1 << 20, maxConnections: 100 };
  const flags = {
    httpHost: '127.0.0.1',
    httpPort: 0,
    routerMode,
    ...limits,
    ...(routerConfig && { routerConfig }),
  };
  const started = await startFrontend(flags, environment, () => {});
  open.push(started);
  ({ url } = started);
}

// biome-ignore lint/suspicious/noExplicitAny: an answer as clients have it
async function post(path: string, body: object): Promise<{ status: number; text: string; json: any }> {
  const response = await fetch(`${url}/v1/${path}`, { method: 'POST', body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}
const complete = (prompt: string, tokens: number, more: object = {}) =>
  post('completions', { model: 'tiny', prompt, max_tokens: tokens, ...more });
const modelsAre = (...names: string[]) =>
  vi.waitFor(
    async () => {
      const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
      expect(data.map(({ id }) => id)).toEqual(names);
    },
    { timeout: 10_000 },
  );

describe('a frontend', () => {
  it('serves the models of workers that come and go', async () => {
    await frontend('round-robin');
    await modelsAre();
    expect((await complete('x', 1)).status).toBe(404);
    const mocker = await workers({ numWorkers: 2, dataParallelSize: 2 });
    await modelsAre('tiny');
    const { json } = await complete('hello', 4);
    expect(json.choices[0].text).toMatch(/^( t1\d{3}){4}$/);
    expect(json.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 4 });
    const { text } = await complete('hello', 3, { stream: true });
    expect(text.match(/ t1\d{3}/g)).toHaveLength(3);
    await mocker.stop();
    await modelsAre();
  });

  it('routes by what workers have cached, and hears of it when it comes late', async () => {
    await workers({ numWorkers: 3 });
    await frontend('kv');
    await modelsAre('tiny');
    const cached = async () => (await complete(PROMPT, 2)).json.usage.prompt_tokens_details.cached_tokens;
    await cached();
    await vi.waitFor(async () => expect(await cached()).toBe(112));
    await frontend('kv');
    await modelsAre('tiny');
    await vi.waitFor(async () => expect(await cached()).toBe(112));
  });

  it.each(['vllm', 'sglang'])('serves with prefill and decode workers of %s', async (engineType) => {
    await workers({ engineType, disaggregationMode: 'prefill', bootstrapPorts: [await freePort()] });
    await frontend('kv');
    await modelsAre();
    await workers({ engineType, disaggregationMode: 'decode' });
    await modelsAre('tiny');
    expect((await complete(PROMPT, 5)).json.usage.completion_tokens).toBe(5);
  });

  it('refuses what its queue has no room for, and serves the rest', async () => {
    const policy = join(folder, '..', `${basename(folder)}-policy.yaml`);
    writeFileSync(policy, ONE_WAITS);
    await workers({ speedupRatio: 0.1 });
    await frontend('kv', JSON.stringify({ router_policy_config: policy }));
    await modelsAre('tiny');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => complete(`${i}${PROMPT}`, 2)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 529]));
    expect(answers.find(({ status }) => status === 529)?.json.error).toMatchObject({ code: 'overloaded' });
    expect((await complete('y', 2)).status).toBe(200);
    rmSync(policy);
  });

  it('has no fleet of its own to scale', async () => {
    await workers();
    await frontend('round-robin');
    await modelsAre('tiny');
    const response = await fetch(`${url}/control/capacity`, { method: 'POST', body: '{"workers":3}' });
    expect(response.status).toBe(404);
  });

  it('says what is wrong in the form of OpenAI', async () => {
    await frontend('round-robin');
    await workers({ maxModelLen: 64 });
    await modelsAre('tiny');
    expect((await complete('x'.repeat(70), 4)).json.error.code).toBe('context_length_exceeded');
    expect((await post('completions', { model: 'nope', prompt: 'x' })).json.error.code).toBe(
      'model_not_found',
    );
    expect((await complete('x'.repeat(2 << 20), 4)).status).toBe(413);
  });
});

it('workers have a status port', async () => {
  environment.DYN_SYSTEM_PORT = '0';
  const mocker = await workers();
  await frontend('round-robin');
  await modelsAre('tiny');
  await complete('hello', 3);
  const status = `http://127.0.0.1:${mocker.systemPort}`;
  expect(await (await fetch(`${status}/health`)).json()).toMatchObject({ status: 'ready' });
  const metrics = await (await fetch(`${status}/metrics`)).text();
  expect(metrics).toContain('vllm:time_to_first_token_seconds_count{model_name="tiny",engine="0"} 1');
  expect(metrics).toMatch(/dynamo_component_requests_total\{[^}]*dynamo_endpoint="generate"[^}]*\} 1/);
});

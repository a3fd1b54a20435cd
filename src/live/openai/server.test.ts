import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer } from '../../testing/live-server.js';
import type { LiveServer } from './server.js';

const MESSAGES = [{ role: 'user' as const, content: 'hello there' }];

describe('a real client', () => {
  let server: LiveServer;
  let client: OpenAI;

  beforeAll(async () => {
    server = await startTestServer({ reasoning: { startId: 1000, endId: 1999, ratio: 0 } });
    client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => server.close());

  it('finds the model', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['mock']);
    expect((await client.models.retrieve('mock')).id).toBe('mock');
    await expect(client.models.retrieve('other')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('gets as many tokens as it asked for, whole and as a stream', async () => {
    const asked = { model: 'mock', messages: MESSAGES, max_tokens: 12, seed: 7, n: 2 };
    const whole = await client.chat.completions.create(asked);
    const prompt = Buffer.byteLength('user: hello there\nassistant: ');
    expect(whole.usage).toMatchObject({
      prompt_tokens: prompt,
      completion_tokens: 24,
      total_tokens: prompt + 24,
    });
    const texts = ['', ''];
    const finishes: (string | null)[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    for await (const chunk of await client.chat.completions.create({ ...asked, ...options })) {
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index] += delta.content ?? '';
        if (finish_reason) finishes.push(finish_reason);
      }
      usage = chunk.usage;
    }
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
    expect(texts[0]).not.toBe(texts[1]);
    expect(texts[0].trim().split(' ')).toHaveLength(12);
    expect(finishes).toEqual(['length', 'length']);
    expect(usage?.completion_tokens).toBe(24);
  });

  it('stops at a stop string, which is not told', async () => {
    const asked = { model: 'mock', prompt: 'abc', max_tokens: 40, seed: 3 };
    const { choices } = await client.completions.create(asked);
    const words = choices[0].text.trim().split(' ');
    const stop = ` ${words[5]} ${words[6]}`;
    const stopped = await client.completions.create({ ...asked, stop });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop' });
    expect(stopped.choices[0].text).toBe(choices[0].text.slice(0, choices[0].text.indexOf(stop)));
  });

  it('finds its prefix in the cache, answers included', async () => {
    const prompt = Array.from({ length: 200 }, (_, i) => i % 256);
    const first = await client.completions.create({ model: 'mock', prompt, max_tokens: 100, logprobs: 0 });
    const answer = first.choices[0].logprobs!.tokens!.map((word) => Number(word.slice(2)));
    const again = await client.completions.create({
      model: 'mock',
      prompt: [...prompt, ...answer, 7],
      max_tokens: 1,
    });
    expect(again.usage?.prompt_tokens_details?.cached_tokens).toBe(256);
  });

  it('is told log-probabilities', async () => {
    const { choices } = await client.chat.completions.create({
      model: 'mock',
      messages: MESSAGES,
      max_tokens: 3,
      logprobs: true,
      top_logprobs: 2,
    });
    const content = choices[0].logprobs!.content!;
    expect(content.map(({ token }) => token).join('')).toBe(choices[0].message.content);
    for (const { top_logprobs, token, logprob } of content) {
      expect(top_logprobs[0]).toMatchObject({ token, logprob });
      expect(top_logprobs).toHaveLength(2);
    }
  });

  it.each([1, 2, 9])(
    'calls the tool that it must, with arguments that fit the schema, in %d tokens',
    async (max_tokens) => {
      const parameters = {
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: 'integer' }, unit: { enum: ['C', 'F'] } },
        required: ['city', 'days', 'unit'],
      };
      const asked = {
        model: 'mock',
        messages: MESSAGES,
        max_tokens,
        seed: 5,
        tools: [{ type: 'function' as const, function: { name: 'weather', parameters } }],
        tool_choice: 'required' as const,
      };
      const { choices } = await client.chat.completions.create(asked);
      expect(choices[0].finish_reason).toBe('tool_calls');
      const call = choices[0].message.tool_calls![0] as OpenAI.ChatCompletionMessageFunctionToolCall;
      expect(JSON.parse(call.function.arguments)).toMatchObject({ days: 1, unit: 'C' });
      let streamed = '';
      for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
        for (const one of chunk.choices[0]?.delta.tool_calls ?? []) streamed += one.function?.arguments ?? '';
      expect(streamed).toBe(call.function.arguments);
    },
  );

  it('gets embeddings of length 1 that depend on the text', async () => {
    const { data } = await client.embeddings.create({
      model: 'mock',
      input: ['a', 'b', 'a'],
      dimensions: 64,
    });
    const [a, b, again] = data.map(({ embedding }) => embedding);
    expect(a).toHaveLength(64);
    expect(Math.hypot(...a)).toBeCloseTo(1, 5);
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
  });

  it('gets a response, whole and as events', async () => {
    const asked = { model: 'mock', input: 'hello', max_output_tokens: 8 };
    const whole = await client.responses.create(asked);
    expect(whole).toMatchObject({ status: 'incomplete', usage: { output_tokens: 8 } });
    expect(whole.output_text.trim().split(' ')).toHaveLength(8);
    let text = '';
    let last = '';
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta;
      last = event.type;
    }
    expect(text.trim().split(' ')).toHaveLength(8);
    expect(last).toBe('response.incomplete');
  });

  it.each([
    [{ model: 'mock', messages: [] }, 400, 'messages'],
    [{ model: 'mock', messages: MESSAGES, max_tokens: 0 }, 400, 'max_tokens'],
    [{ model: 'mock', messages: MESSAGES, max_tokens: 2e6 }, 400, 'messages'],
    [{ model: 'mock', messages: MESSAGES, n: 'two' }, 400, 'n'],
    [{ model: 'none', messages: MESSAGES }, 404, 'model'],
  ])('is refused in OpenAI’s form: %j', async (body, status, param) => {
    await expect(client.chat.completions.create(body as never)).rejects.toMatchObject({ status, param });
  });

  it('cancels by going away', async () => {
    const stream = await client.chat.completions.create({
      model: 'mock',
      messages: MESSAGES,
      max_tokens: 100_000,
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await expect.poll(() => gauge(server, 'dynamo_frontend_inflight_requests')).toBe(0);
    expect(await gauge(server, 'dynamo_frontend_disconnected_clients')).toBe(1);
  });
});

async function gauge(server: LiveServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1));
}

describe('a server', () => {
  it('refuses what would wait too long, before any byte', async () => {
    const server = await startTestServer({
      mostWaiting: 1,
      fleet: { extraEngineArgs: '{"max_num_seqs": 1}' },
    });
    const ask = (max_tokens: number, signal?: AbortSignal) =>
      fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'mock', prompt: 'x', max_tokens, stream: true }),
        ...(signal && { signal }),
      });
    const away = new AbortController();
    await (await ask(1000, away.signal)).body!.getReader().read();
    await expect.poll(() => gauge(server, 'dynamo_frontend_queued_requests')).toBe(0);
    const waiting = await ask(1000, away.signal);
    expect(waiting.status).toBe(200);
    const refused = await ask(1);
    expect(refused.status).toBe(529);
    expect(await refused.json()).toMatchObject({ error: { type: 'overloaded_error' } });
    away.abort();
    await server.close();
  });

  it('lets what is in service end when it closes, and takes nothing new', async () => {
    const server = await startTestServer({ fleet: {} });
    const ask = (max_tokens: number) =>
      fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'mock', prompt: 'x', max_tokens, stream: true }),
      });
    const before = await ask(20);
    const closing = server.close();
    const after = await ask(1);
    expect(after.status).toBe(503);
    await after.text();
    const text = await before.text();
    expect(text.match(/ t\d{4}/g)).toHaveLength(20);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    await closing;
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it.each([
    ['not JSON', '{"model":'],
    ['too large a body', JSON.stringify({ model: 'mock', prompt: 'x'.repeat(2 << 20) })],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00])],
  ])('answers %s with a 4xx', async (_, body) => {
    const server = await startTestServer();
    const { status } = await fetch(`${server.url}/v1/completions`, { method: 'POST', body });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    await server.close();
  });
});

describe('control', () => {
  const post = (server: LiveServer, path: string, body: object) =>
    fetch(`${server.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const jsonOf = async (answer: Response) => (await answer.json()) as Record<string, never>;

  it('scales the fleet while it serves', async () => {
    const server = await startTestServer();
    const answers = Array.from({ length: 40 }, (_, i) =>
      post(server, '/v1/completions', { model: 'mock', prompt: `prompt ${i}`, max_tokens: 50 }),
    );
    for (const workers of [5, 1, 3]) {
      const answer = await post(server, '/control/capacity', { workers });
      expect(await jsonOf(answer)).toMatchObject({ stages: [{ active: workers }] });
    }
    for (const answer of await Promise.all(answers))
      expect(await jsonOf(answer)).toMatchObject({ usage: { completion_tokens: 50 } });
    await expect
      .poll(async () => jsonOf(await fetch(`${server.url}/control/capacity`)))
      .toMatchObject({ stages: [{ active: 3, draining: 0 }] });
    expect((await post(server, '/control/capacity', { prefill_workers: 1 })).status).toBe(400);
    expect((await post(server, '/control/capacity', { workers: -1 })).status).toBe(400);
    await server.close();
  });

  it('loads adapters and unloads them', async () => {
    const server = await startTestServer();
    const ask = () => post(server, '/v1/completions', { model: 'fine', prompt: 'x', max_tokens: 1 });
    expect((await ask()).status).toBe(404);
    const load = { lora_name: 'fine', lora_path: '/adapters/fine' };
    expect((await post(server, '/v1/load_lora_adapter', load)).status).toBe(200);
    expect((await post(server, '/v1/load_lora_adapter', load)).status).toBe(400);
    expect(await jsonOf(await ask())).toMatchObject({ model: 'fine' });
    expect((await post(server, '/v1/unload_lora_adapter', load)).status).toBe(200);
    expect((await ask()).status).toBe(404);
    await server.close();
  });
});

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer } from '../../testing/live-server.js';
import { FAULT_HEADER, Faults, parseFaults } from './faults.js';
import type { LiveServer } from './server.js';

interface Heard {
  status: number;
  headers: Record<string, unknown>;
  body: Buffer;
  /** How the connection ended, where it did not end as it should. */
  error: string | undefined;
}

describe('a client that asks for a fault', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startTestServer({ fleet: { numWorkers: 2, extraEngineArgs: '{"speedup_ratio": 20}' } });
  });
  afterAll(() => server.close());

  function ask(fault: string, more: object = {}, path = '/v1/chat/completions'): Promise<Heard> {
    const body = JSON.stringify({
      model: 'mock',
      messages: [{ role: 'user', content: 'hi' }],
      max_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
      ...more,
    });
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const heard: Heard = { status: 0, headers: {}, body: Buffer.alloc(0), error: undefined };
      const done = (error?: NodeJS.ErrnoException) =>
        resolve({ ...heard, body: Buffer.concat(chunks), error: error && (error.code ?? error.message) });
      const call = request(`${server.url}${path}`, { method: 'POST', headers: { [FAULT_HEADER]: fault } });
      call.on('response', (response) => {
        heard.status = response.statusCode!;
        heard.headers = response.headers;
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', done);
        response.on('end', () => done());
      });
      call.on('error', done);
      call.end(body);
    });
  }

  const framesOf = ({ body }: Heard) =>
    body
      .toString()
      .split('\n\n')
      .filter((frame) => frame !== '');
  const contentOf = (heard: Heard) =>
    framesOf(heard).filter((frame) => frame.includes('"content":" t')).length;

  it('none hears all of the answer', async () => {
    const heard = await ask('');
    expect(heard).toMatchObject({ status: 200, error: undefined });
    expect(contentOf(heard)).toBe(20);
    expect(framesOf(heard).at(-1)).toBe('data: [DONE]');
  });

  it.each([
    ['error; status=502', 502],
    ['rate-limit; ms=7000', 429],
    ['client-closed', 499],
    ['error-200', 200],
  ])('%s is refused with %d and an error', async (fault, status) => {
    const heard = await ask(fault);
    expect(heard.status).toBe(status);
    expect(JSON.parse(heard.body.toString())).toHaveProperty('error.message');
    if (status === 429) expect(heard.headers['retry-after']).toBe('7');
  });

  it('an error within the stream, in place of its end', async () => {
    const heard = await ask('error-frame; after=4');
    expect(heard).toMatchObject({ status: 200, error: undefined });
    expect(contentOf(heard)).toBe(4);
    expect(JSON.parse(framesOf(heard).at(-1)!.slice(6))).toHaveProperty('error.code', 'injected');
  });

  it.each(['cut; after=5', 'reset; after=5', 'stall; after=5; ms=150'])(
    '%s: breaks between frames',
    async (fault) => {
      const heard = await ask(fault);
      expect(heard.error).toBe('ECONNRESET');
      expect(contentOf(heard)).toBeLessThanOrEqual(5);
      for (const frame of framesOf(heard)) expect(() => JSON.parse(frame.slice(6))).not.toThrow();
    },
  );

  it('a frame that is cut', async () => {
    const heard = await ask('cut-frame; after=2');
    expect(heard.error).toBe('ECONNRESET');
    expect(() => JSON.parse(framesOf(heard).at(-1)!.slice(6))).toThrow();
  });

  it('a character that is cut', async () => {
    const { body, error } = await ask('cut-character; after=2');
    expect(error).toBe('ECONNRESET');
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(body)).toThrow();
  });

  it('reasoning that is cut', async () => {
    const heard = await ask('cut-reasoning; after=3');
    expect(heard.error).toBe('ECONNRESET');
    expect(heard.body.toString()).toContain('reasoning_content');
    expect(contentOf(heard)).toBe(0);
  });

  it('a tool call that is cut', async () => {
    const heard = await ask('cut-tool; after=3');
    expect(heard.error).toBe('ECONNRESET');
    const pieces = framesOf(heard).flatMap(
      (frame) => JSON.parse(frame.slice(6)).choices[0].delta.tool_calls ?? [],
    );
    expect(() => JSON.parse(pieces.map((piece) => piece.function.arguments).join(''))).toThrow();
  });

  it('no [DONE], and no usage', async () => {
    const undone = await ask('no-done');
    expect(undone.error).toBeUndefined();
    expect(undone.body.toString()).not.toContain('[DONE]');
    expect(undone.body.toString()).toContain('"total_tokens"');
    const unused = await ask('no-usage');
    expect(unused.body.toString()).not.toContain('"total_tokens"');
    expect(framesOf(unused).at(-1)).toBe('data: [DONE]');
  });

  it('an answer told as a whole that is cut', async () => {
    const heard = await ask('cut', { stream: false, stream_options: null });
    expect(heard.error).toBe('ECONNRESET');
    expect(() => JSON.parse(heard.body.toString())).toThrow();
  });

  it('a worker that hangs, and goes on', async () => {
    const heard = await ask('worker-hang; after=3; ms=200');
    expect(heard.error).toBeUndefined();
    expect(contentOf(heard)).toBe(20);
  });

  it('a worker that dies, and is replaced', async () => {
    const heard = await ask('worker-death; after=3', { max_tokens: 10_000 });
    expect(JSON.parse(framesOf(heard).at(-1)!.slice(6))).toHaveProperty('error.message');
    const answer = await fetch(`${server.url}/control/capacity`);
    const { stages } = (await answer.json()) as { stages: { workers: { id: number }[] }[] };
    expect(stages[0]).toMatchObject({ active: 2 });
    expect(stages[0].workers.some(({ id }) => id === 2)).toBe(true);
    expect(contentOf(await ask(''))).toBe(20);
  });

  it('one that it does not know', async () => {
    const heard = await ask('explode');
    expect(heard.status).toBe(400);
    expect(heard.body.toString()).toContain("no such fault: 'explode'");
  });

  it('in Anthropic’s form where it speaks that', async () => {
    const heard = await ask('error; status=529', {}, '/v1/messages');
    expect(JSON.parse(heard.body.toString())).toMatchObject({
      type: 'error',
      error: { type: 'overloaded_error' },
    });
  });
});

describe('configured faults', () => {
  it('hit the part of requests that they should', () => {
    const faults = new Faults(parseFaults('cut; rate=0.25', '--fault'), 3n);
    const hits = Array.from({ length: 2000 }, () => faults.of(undefined)).filter(
      ({ breaking }) => breaking,
    ).length;
    expect(hits).toBeGreaterThan(400);
    expect(hits).toBeLessThan(600);
  });

  it.each(['cut; after', 'cut; rate=2', 'cut; what=1', 'latency; ms=x'])('%s is refused', (text) => {
    expect(() => parseFaults(text, '--fault')).toThrow(/^--fault: /);
  });
});

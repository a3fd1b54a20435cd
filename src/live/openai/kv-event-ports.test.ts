import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dealer, Subscriber } from 'zeromq';
import { until } from '../../testing/interop/deployment.js';
import { startTestServer } from '../../testing/live-server.js';
import { decodeVllmBatch, type VllmBatch } from '../dynamo/event-plane/vllm-events.js';
import type { KvEventPlace } from './kv-event-ports.js';
import type { LiveServer } from './server.js';

/** The names that Dynamo's own workers gave to blocks of these tokens, recorded. */
const FIRST = { tokens: [1, 2, 3, 4], hash: 14643705804678351452n };
const SECOND = { tokens: [5, 6, 7, 8], hash: 4945711292740353085n };
const PROMPT = [...FIRST.tokens, ...SECOND.tokens];

let server: LiveServer;
let places: KvEventPlace[];

async function post(path: string, body: object): Promise<Response> {
  return fetch(server.url + path, { method: 'POST', body: JSON.stringify(body) });
}

async function complete(prompt: number[], max_tokens: number): Promise<void> {
  const { status } = await post('/v1/completions', { model: 'mock', prompt, max_tokens });
  expect(status).toBe(200);
}

async function placesNow(): Promise<KvEventPlace[]> {
  const { publishers } = (await (await fetch(`${server.url}/control/kv-events`)).json()) as {
    publishers: KvEventPlace[];
  };
  return publishers;
}

/** All batches of a rank so far. */
async function replayed({ replay_endpoint }: KvEventPlace, first = 0n): Promise<VllmBatch[]> {
  const dealer = new Dealer({ linger: 0, receiveTimeout: 5000 });
  dealer.connect(replay_endpoint!);
  const start = Buffer.alloc(8);
  start.writeBigUInt64BE(first);
  await dealer.send([Buffer.alloc(0), start]);
  const batches: VllmBatch[] = [];
  for (let next = first; ; next++) {
    const [, sequence, payload] = await dealer.receive();
    if (payload.length === 0) {
      expect(sequence.readBigInt64BE()).toBe(-1n);
      dealer.close();
      return batches;
    }
    expect(sequence.readBigUInt64BE()).toBe(next);
    batches.push(decodeVllmBatch(payload));
  }
}

beforeEach(async () => {
  server = await startTestServer({
    fleet: { extraEngineArgs: '{"speedup_ratio": 20, "block_size": 4, "num_gpu_blocks": 12, "dp_size": 2}' },
    kvEvents: { port: 0, replayPort: 0, topic: 'kv-events' },
  });
  places = await placesNow();
});
afterEach(() => server.close());

describe('KV events of a served fleet', () => {
  it('come by rank, with the tokens and names of blocks', async () => {
    expect(places).toMatchObject([
      { stage: '', worker: 0, rank: 0 },
      { stage: '', worker: 0, rank: 1 },
    ]);
    const subscriber = new Subscriber({ linger: 0, receiveTimeout: 5000 });
    for (const { endpoint } of places) subscriber.connect(endpoint);
    subscriber.subscribe('kv-events');
    // Until the subscription has arrived, nothing is sent to it: other prompts are asked for meanwhile.
    let other = 100;
    const first = subscriber.receive();
    await until(async () => {
      await complete([other, other, other, other++], 1);
      return Promise.race([
        first.then(() => true as const),
        new Promise<void>((resolve) => setTimeout(resolve, 5)),
      ]);
    });
    await complete(PROMPT, 1);
    await complete(PROMPT, 1);
    const seen = new Set<number>();
    while (seen.size < 2) {
      const [topic, sequence, payload] = await subscriber.receive();
      expect(topic.toString()).toBe('kv-events');
      expect(sequence).toHaveLength(8);
      const { rank, events, timeSeconds } = decodeVllmBatch(payload);
      for (const event of events)
        if (event.kind === 'stored' && event.tokens[0] === 1) {
          seen.add(rank);
          expect(event).toEqual({
            kind: 'stored',
            blockHashes: [FIRST.hash, SECOND.hash],
            parentHash: undefined,
            tokens: PROMPT,
            blockTokens: 4,
          });
          expect(Math.abs(timeSeconds - Date.now() / 1000)).toBeLessThan(60);
        }
    }
    subscriber.close();
  });

  it('add up to what is cached, and can be had again from any place on', async () => {
    for (let i = 0; i < 24; i++) await complete([...PROMPT, i, i, i, i, i, i, i, i, i], 4);
    for (const place of places) {
      const batches = await replayed(place);
      const cached = new Set<bigint>();
      let removed = 0;
      for (const event of batches.flatMap(({ events }) => events)) {
        if (event.kind === 'removed')
          for (const hash of event.blockHashes) {
            removed++;
            expect(cached.delete(hash)).toBe(true);
          }
        if (event.kind !== 'stored') continue;
        if (event.parentHash !== undefined) expect(cached).toContain(event.parentHash);
        expect(event.tokens).toHaveLength(event.blockHashes.length * 4);
        for (const hash of event.blockHashes) cached.add(hash);
      }
      expect(removed).toBeGreaterThan(0);
      expect(cached.size).toBeLessThanOrEqual(12);
      expect(cached).toContain(FIRST.hash);
      expect(await replayed(place, 2n)).toEqual(batches.slice(2));
    }
  });

  it('are told on more ports as workers come, on fewer as they go', async () => {
    await complete(PROMPT, 1);
    await post('/control/capacity', { workers: 2 });
    await until(async () => (await placesNow()).length === 4 || undefined);
    const subscriber = new Subscriber({ linger: 0, receiveTimeout: 5000 });
    subscriber.subscribe('');
    const leaving = (await placesNow()).filter(({ worker }) => worker === 1);
    expect(leaving).toHaveLength(2);
    for (const { endpoint } of leaving) subscriber.connect(endpoint);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await post('/control/capacity', { workers: 1 });
    for (const _ of leaving) {
      const { events } = decodeVllmBatch((await subscriber.receive())[2]);
      expect(events).toEqual([{ kind: 'cleared' }]);
    }
    subscriber.close();
    expect((await placesNow()).map(({ worker }) => worker)).toEqual([0, 0]);
  });

  it('need ports that are free', async () => {
    const port = Number(places[0].endpoint.split(':').at(-1));
    await expect(startTestServer({ kvEvents: { port, replayPort: undefined, topic: '' } })).rejects.toThrow(
      /KV events: cannot listen on 127\.0\.0\.1/,
    );
  });
});

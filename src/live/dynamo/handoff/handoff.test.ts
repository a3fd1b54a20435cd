import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WallClock } from '../../clock.js';
import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import type { WireValue, Writable } from '../codec/value.js';
import type { Call } from '../request-plane/call-home.js';
import { generateRequest, readOutput } from '../request-plane/generate.js';
import { GenerateEndpoint } from '../worker/generate.js';
import { Rank } from '../worker/rank.js';
import { handoffOf, rankParts } from '../worker/rank-parts.js';
import { TokenIds } from '../worker/token-ids.js';
import { BootstrapServer } from './bootstrap-server.js';

const NO_WATCH = { stored() {}, removed() {}, published() {}, passEnded() {}, loaded() {} };
const HANDOFF_ID = '9b240cb3-6804-43c0-bdea-fc4578084ccd';
const servers: BootstrapServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const wire = (value: Writable): WireValue => decodeMsgpack(encodeMsgpack(value));

function worker(role: 'prefill' | 'decode', engineType: string, bootstrap: BootstrapServer | undefined) {
  const engine = `{"engine_type":"${engineType}","block_size":4,"num_gpu_blocks":100,"speedup_ratio":100,"kv_bytes_per_token":1000}`;
  const parts = rankParts(engine, role);
  const rank = new Rank(parts, new WallClock(), NO_WATCH, undefined);
  const generate = new GenerateEndpoint({
    ...{ role, bootstrap, ranks: [rank], ids: new TokenIds(1n, undefined), recorded: new Map() },
    meter: () => ({ token() {}, ended() {} }),
    ...{ handoff: handoffOf(parts), cachesAnswers: false, tellsErrors: false },
  });
  /** Serves a request; the promise is fulfilled with what was said, tokens by their number. */
  const serve = (id: string, request: WireValue) => {
    const said: (number | string)[] = [];
    let over = (_: typeof said): void => {};
    const answer = new Promise<typeof said>((resolve) => {
      over = resolve;
    });
    const call: Call = {
      ...{ id, value: request, onCancel: () => {}, accept() {}, abort() {} },
      refuse: (reason) => over([reason]),
      send: (item) => {
        const { tokens, finish } = readOutput(wire(item));
        if (tokens.length > 0) said.push(tokens.length);
        if (finish) said.push(typeof finish === 'string' ? finish : finish.error);
      },
      end: () => over(said),
    };
    generate.handle(call);
    return { call, answer };
  };
  return { rank, serve };
}

async function pair(engineType: string) {
  const server = await BootstrapServer.listen(0);
  servers.push(server);
  const bootstrap = { host: '127.0.0.1', port: server.port, room: 2n ** 63n, handoffId: HANDOFF_ID };
  const tokens = Array.from({ length: 33 }, (_, i) => i);
  const ask = (maxTokens: number) =>
    wire(generateRequest({ model: 'm', tokens, maxTokens, eosTokens: [], bootstrap }, 'msgpack'));
  const prefill = worker('prefill', engineType, server);
  const decode = worker('decode', engineType, undefined);
  const isQuiet = () => {
    for (const { rank } of [prefill, decode]) {
      expect(rank.core.keptCount + rank.core.requestCount).toBe(0);
      expect(rank.core.cache.activeBlocks).toBe(0);
      rank.core.check();
    }
  };
  return { prefill, decode, ask, server, isQuiet };
}

describe.each(['vllm', 'sglang'])('a handoff between workers of %s', (engineType) => {
  it.each(['prefill', 'decode'])('brings the prompt over when the %s worker is first', async (first) => {
    const { prefill, decode, ask, isQuiet } = await pair(engineType);
    const legs = [
      () => prefill.serve(HANDOFF_ID, ask(1)).answer,
      () => decode.serve(HANDOFF_ID, ask(4)).answer,
    ];
    if (first === 'decode') legs.reverse();
    const early = legs[0]();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answers = await Promise.all([early, legs[1]()]);
    if (first === 'decode') answers.reverse();
    expect(answers).toEqual([
      [1, 'length'],
      [1, 1, 1, 1, 'length'],
    ]);
    await vi.waitFor(isQuiet);
  });

  it.each(['prefill', 'decode'] as const)('frees both when the %s leg is cancelled', async (cancelled) => {
    const { prefill, decode, ask, isQuiet } = await pair(engineType);
    const legs = { prefill: prefill.serve(HANDOFF_ID, ask(1)), decode: decode.serve(HANDOFF_ID, ask(400)) };
    const other = cancelled === 'prefill' ? legs.decode : legs.prefill;
    legs[cancelled].call.onCancel();
    expect((await other.answer).at(-1)).toMatch(/cancelled|gone|failed|retired/);
    await vi.waitFor(isQuiet);
  });
});

describe('a prefill worker', () => {
  it('refuses another kind of engine', async () => {
    const { prefill, ask } = await pair('vllm');
    const sglang = worker('decode', 'sglang', undefined);
    const answers = await Promise.all([
      prefill.serve(HANDOFF_ID, ask(1)).answer,
      sglang.serve(HANDOFF_ID, ask(2)).answer,
    ]);
    for (const answer of answers) expect(answer.at(-1)).toMatch(/mismatch/);
  });

  it('refuses a handoff that has been', async () => {
    const { prefill, decode, ask } = await pair('vllm');
    await Promise.all([prefill.serve(HANDOFF_ID, ask(1)).answer, decode.serve(HANDOFF_ID, ask(2)).answer]);
    expect((await prefill.serve(HANDOFF_ID, ask(1)).answer).at(-1)).toMatch(/retired/);
  });

  it('hangs up on strangers', async () => {
    const { server } = await pair('vllm');
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve));
  });

  it('serves alone where nobody is to be met', async () => {
    const { prefill } = await pair('vllm');
    const request = wire(
      generateRequest({ model: 'm', tokens: [1, 2], maxTokens: 9, eosTokens: [] }, 'json'),
    );
    expect(await prefill.serve('x', request).answer).toEqual([1, 'length']);
  });
});

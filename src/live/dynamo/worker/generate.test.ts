import { describe, expect, it, vi } from 'vitest';
import type { Prompt, TokenSink } from '../../serving.js';
import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import type { WireValue, Writable } from '../codec/value.js';
import type { Call } from '../request-plane/call-home.js';
import { type GenerateCall, generateRequest, readOutput } from '../request-plane/generate.js';
import { GenerateEndpoint, type GenerateOptions } from './generate.js';
import type { HandoverServing } from './rank.js';
import { TokenIds, thinkingTokens } from './token-ids.js';

/** A fleet that does what the test says. */
class Rank implements HandoverServing {
  readonly reserve = vi.fn();
  readonly activate = vi.fn();
  readonly release = vi.fn();
  readonly served: { prompt: Prompt; sink: TokenSink }[] = [];
  readonly cancel = vi.fn();

  submit(prompt: Prompt, sink: TokenSink): number {
    return this.served.push({ prompt, sink });
  }

  async drain(): Promise<void> {}

  /** Generates all tokens of the last request. */
  run(): void {
    const { prompt, sink } = this.served.at(-1)!;
    for (let i = 0; i < prompt.outputTokens; i++) sink.token(1, i);
    sink.ended(1, 'completed', prompt.outputTokens);
  }
}

const wire = (value: Writable): WireValue => decodeMsgpack(encodeMsgpack(value));

function callFor(value: WireValue) {
  const said: string[] = [];
  const call: Call = {
    id: 'x',
    value,
    accept: () => void said.push('accepted'),
    refuse: (reason) => void said.push(`refused: ${reason}`),
    send: (item) => {
      const { tokens, finish } = readOutput(wire(item));
      said.push(`${tokens.length} tokens${finish === undefined ? '' : `, ${JSON.stringify(finish)}`}`);
    },
    end: () => void said.push('end'),
    abort: () => {},
    onCancel: () => {},
  };
  return { said, call };
}

const ask = (call: Partial<GenerateCall>): WireValue =>
  wire(generateRequest({ model: 'm', tokens: [1, 2, 3], maxTokens: 2, eosTokens: [9], ...call }, 'msgpack'));

function endpoint(options: Partial<GenerateOptions> = {}) {
  const ranks = [new Rank(), new Rank()];
  const ids = new TokenIds(1n, undefined);
  const generate = new GenerateEndpoint({
    role: 'aggregated',
    ranks,
    ids,
    recorded: new Map(),
    meter: () => ({ token() {}, ended() {} }),
    handoff: {
      order: 'SourceFirst',
      engineType: 'vllm',
      timing: { mode: 'full_prompt', kvBytesPerToken: 1, gigabytesPerSecond: 1 },
    },
    bootstrap: undefined,
    cachesAnswers: false,
    tellsErrors: false,
    ...options,
  });
  const serve = (value: WireValue) => {
    const { said, call } = callFor(value);
    generate.handle(call);
    return { said, call };
  };
  return { ranks, serve };
}

describe('a worker', () => {
  it('streams tokens, the reason to finish, and the end', () => {
    const { ranks, serve } = endpoint();
    const { said } = serve(ask({}));
    ranks[0].run();
    expect(said).toEqual(['accepted', '1 tokens', '1 tokens', '0 tokens, "length"', 'end']);
  });

  it('gives requests to its ranks in turn, unless the router chose one', () => {
    const { ranks, serve } = endpoint();
    serve(ask({}));
    serve(ask({}));
    serve(ask({ rank: 1 }));
    expect(ranks.map(({ served }) => served.length)).toEqual([1, 2]);
  });

  it.each([
    ['no budget', { maxTokens: undefined }, 'max_output_tokens must be specified for mocker'],
    ['a rank that it does not have', { rank: 5 }, 'dp_rank 5 is out of bounds for dp_size 2'],
    [
      'a handoff',
      {
        bootstrap: { host: 'h', port: 1, room: 2n ** 63n, handoffId: '9b240cb3-6804-43c0-bdea-fc4578084ccd' },
      },
      'aggregated mocker request cannot carry handoff metadata',
    ],
  ])('refuses %s', (_, call, reason) => {
    const { said } = endpoint().serve(ask(call));
    expect(said).toEqual([`refused: Generate Error: ${reason}`]);
  });

  it('refuses what is no request', () => {
    const { said } = endpoint().serve(wire({ model: 'm' }));
    expect(said[0]).toMatch(/^refused: .*token_ids: expected a list, found nothing/);
  });

  it('serves a budget of 0 as one token, and an empty prompt', () => {
    const { ranks, serve } = endpoint();
    const { said } = serve(ask({ maxTokens: 0, tokens: [] }));
    ranks[0].run();
    expect(said).toContain('1 tokens');
  });

  it('says why a request was rejected, as the reference does or as an error', () => {
    for (const tellsErrors of [false, true]) {
      const { ranks, serve } = endpoint({ tellsErrors });
      const { call, said } = serve(ask({}));
      const send = vi.fn();
      call.send = send;
      ranks[0].served[0].sink.ended(1, 'rejected', 0);
      expect(JSON.stringify(send.mock.calls[0][0])).toContain('admission limits');
      expect('event' in send.mock.calls[0][0]).toBe(tellsErrors);
      expect(said).toContain('end');
    }
  });

  it('frees a request that nobody waits for any more', () => {
    const { ranks, serve } = endpoint();
    const { call, said } = serve(ask({}));
    call.onCancel();
    expect(ranks[0].cancel).toHaveBeenCalledWith(1);
    ranks[0].served[0].sink.ended(1, 'cancelled', 0);
    expect(said).toEqual(['accepted']);
  });

  it('caches what it said only when told to', () => {
    for (const cachesAnswers of [false, true]) {
      const { ranks, serve } = endpoint({ cachesAnswers });
      serve(ask({ maxTokens: 50 }));
      const { output } = ranks[0].served[0].prompt;
      expect(output!.every((id) => id >= 1000 && id < 2000)).toBe(cachesAnswers);
    }
  });
});

describe('token ids', () => {
  it('are the same for a seed', () => {
    expect(new TokenIds(7n, undefined).answer(20)).toEqual(new TokenIds(7n, undefined).answer(20));
  });

  it.each([
    [1, 0.9, 0],
    [6, 0.5, 3],
    [3, 0.4, 2],
    [10, 0.05, 0],
    [4, 1.5, 4],
  ])('of %d with a thinking part of %d: %d', (length, ratio, expected) => {
    expect(thinkingTokens(length, ratio)).toBe(expected);
  });

  it('think between their marks', () => {
    const ids = new TokenIds(1n, { startId: 300, endId: 301, ratio: 0.5 }).answer(6);
    expect([ids[0], ids[2]]).toEqual([300, 301]);
  });
});

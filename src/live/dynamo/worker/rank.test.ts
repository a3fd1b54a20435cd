import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../testing/fake-clock.js';
import { openServing } from '../../open-serving.js';
import type { Serving } from '../../serving.js';
import { Rank, type RankWatch } from './rank.js';
import { rankParts } from './rank-parts.js';

const watch = (): RankWatch & { used: number } => ({
  used: 0,
  stored: vi.fn(),
  removed: vi.fn(),
  published: vi.fn(),
  passEnded: vi.fn(),
  loaded(blocks) {
    this.used = blocks;
  },
});

const ENGINES = {
  vllm: '{"engine_type":"vllm","block_size":4,"num_gpu_blocks":60,"max_num_seqs":6}',
  sglang: '{"engine_type":"sglang","block_size":4,"num_gpu_blocks":60,"max_num_seqs":6}',
  kvbm: '{"engine_type":"vllm","g1_backend":"kvbm","block_size":4,"num_gpu_blocks":60,"max_num_seqs":6}',
};

interface TimedRequest {
  afterMs: number;
  inputTokens: number;
  outputTokens: number;
}

/** When each token of each request came. */
function serve(serving: Serving, clock: FakeClock, requests: readonly TimedRequest[]): number[][] {
  return requests.map(({ afterMs, inputTokens, outputTokens }, index) => {
    clock.advanceTo(clock.nowMs + afterMs);
    const tokensMs: number[] = [];
    const tokens = Uint32Array.from({ length: inputTokens }, (_, i) => (i < 8 ? i : index * 1000 + i));
    const output = Uint32Array.from({ length: outputTokens }, (_, i) => 1e6 + index * 1000 + i);
    serving.submit(
      { tokens, outputTokens, output },
      { token: (_, atMs) => tokensMs.push(atMs), ended: () => {} },
    );
    return tokensMs;
  });
}

const requests = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 1, max: 60 }),
    inputTokens: fc.integer({ min: 1, max: 60 }),
    outputTokens: fc.integer({ min: 1, max: 30 }),
  }),
  { minLength: 1, maxLength: 12 },
);

describe.each(Object.entries(ENGINES))('a rank of %s', (_, engine) => {
  it('serves as a fleet of one worker does', () => {
    fc.assert(
      fc.property(requests, (load) => {
        const clocks = [new FakeClock(), new FakeClock()];
        const heard = watch();
        const rank = new Rank(rankParts(engine, 'aggregated'), clocks[0], heard, undefined);
        const fleet = openServing({ extraEngineArgs: engine, numWorkers: 1 }, clocks[1]);
        const seen = [serve(rank, clocks[0], load), serve(fleet, clocks[1], load)];
        for (const clock of clocks) clock.advanceTo(1e9);
        expect(seen[0]).toEqual(seen[1]);
        expect(seen[0].map((tokens) => tokens.length)).toEqual(load.map((request) => request.outputTokens));
        expect(heard.used).toBe(0);
        rank.core.check();
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['a prompt', 300, 1],
    ['a prompt and its answer', 100, 200],
  ])('refuses %s that no cache can hold, and serves the next one', (_, inputTokens, outputTokens) => {
    const clock = new FakeClock();
    const rank = new Rank(rankParts(engine, 'aggregated'), clock, watch(), undefined);
    const ended = vi.fn();
    const prompt = { tokens: new Uint32Array(inputTokens), outputTokens };
    rank.submit(prompt, { token: () => {}, ended: (_ticket, why) => ended(why) });
    rank.reserve(prompt, { token: () => {}, ended: (_ticket, why) => ended(why) });
    rank.submit(
      { tokens: new Uint32Array(10), outputTokens: 4 },
      { token: () => {}, ended: (_ticket, why) => ended(why) },
    );
    clock.advanceTo(1e6);
    expect(ended.mock.calls.flat()).toEqual(['rejected', 'rejected', 'completed']);
    rank.core.check();
  });

  it('forgets what is cancelled, whenever that is', () => {
    fc.assert(
      fc.property(requests, fc.infiniteStream(fc.integer({ min: 0, max: 300 })), (load, delays) => {
        const clock = new FakeClock();
        const heard = watch();
        const rank = new Rank(rankParts(engine, 'aggregated'), clock, heard, undefined);
        const tickets = load.map(({ inputTokens, outputTokens }, index) => {
          const tokens = Uint32Array.from({ length: inputTokens }, (_, i) => (i < 8 ? i : index * 1000 + i));
          const output = new Uint32Array(outputTokens).fill(index);
          const ended = vi.fn();
          return { ended, ticket: rank.submit({ tokens, outputTokens, output }, { token: () => {}, ended }) };
        });
        for (const [index, { ticket }] of tickets.entries())
          if (index % 2 === 0) {
            clock.advanceTo(clock.nowMs + delays.next().value);
            rank.cancel(ticket);
          }
        clock.advanceTo(1e9);
        for (const { ended } of tickets) expect(ended).toHaveBeenCalledOnce();
        expect(heard.used).toBe(0);
        rank.core.check();
      }),
      { numRuns: 30 },
    );
  });
});

it('a rank waits for its engine to start', () => {
  const clock = new FakeClock();
  const rank = new Rank(rankParts(ENGINES.vllm, 'aggregated'), clock, watch(), undefined);
  rank.pause();
  const [tokens] = serve(rank, clock, [{ afterMs: 1, inputTokens: 5, outputTokens: 2 }]);
  clock.advanceTo(1000);
  expect(tokens).toEqual([]);
  rank.resume();
  clock.advanceTo(1e6);
  expect(tokens).toHaveLength(2);
  expect(tokens[0]).toBeGreaterThan(1000);
});

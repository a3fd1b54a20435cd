import { describe, expect, it } from 'vitest';
import { RankBench } from '../../testing/rank-bench.js';
import { trtllm, vllm } from './kind.js';

const distinct = (hashes: number) => ({ inputTokens: 30, outputTokens: 8, hashes: [hashes] });

/** Makes passes, each from the end of the one before. @returns their ends */
function passes(bench: RankBench, count: number, fromMs = 0): number[] {
  const ends: number[] = [];
  for (let pass = 0; pass < count; pass++) ends.push(bench.pass(ends.at(-1) ?? fromMs));
  return ends;
}

// Passes worked out by hand, to the bit, from the rules of the reference: prefill takes 4.209989e-7 t^2 + 1.518344e-2 t +
// 16.50142 ms for t new tokens, decode -25.74 p^2 + 54.01 p + 5.74 ms for the part p of the blocks that is in use.
describe('the scheduler of vLLM, pass by pass', () => {
  it('lets a prompt share the blocks that another one holds', () => {
    const bench = new RankBench(vllm, { block_size: 64 }, 512);
    const first = bench.receive({ inputTokens: 100, outputTokens: 5, hashes: [1] });
    expect(bench.pass(0)).toBe(23.770567000000003);
    expect(bench.core.cache.activeBlocks).toBe(2);
    const second = bench.receive({ inputTokens: 700, outputTokens: 3, hashes: [1, 2] });
    expect(bench.core.cachedTokens(second)).toBe(64);
    const ends = passes(bench, 2, 23.770567000000003);
    expect(ends).toEqual([55.878491000000004, 61.658035000000005]);
    // Eleven blocks of the second, one of them the first's, beside its other one.
    expect(bench.core.cache.activeBlocks).toBe(12);
    expect(bench.ended()).toEqual([]);
    expect(bench.pass(61.658035000000005)).toBe(67.437579);
    expect(bench.ended()).toEqual([second]);
    expect(bench.pass(67.437579)).toBe(73.184172);
    expect(bench.ended()).toEqual([first]);
    expect(bench.log.firstTokenMs[first]).toBe(23.770567000000003);
    expect(bench.log.firstReusedTokens[second]).toBe(64);
    expect(bench.core.requestCount).toBe(0);
    expect(bench.core.cache.activeBlocks).toBe(0);
  });

  it('plans the passes in which nothing but decoding happens, and comes to the same ends', () => {
    const bench = new RankBench(vllm, { block_size: 64 }, 512);
    bench.receive({ inputTokens: 100, outputTokens: 5, hashes: [1] });
    const endMs = bench.pass(0);
    expect(bench.core.plan(endMs, Number.POSITIVE_INFINITY)).toBeCloseTo(endMs + 4 * 5.746593, 9);
    // An arrival in the second of them leaves the first two.
    const cutMs = bench.core.shorten(endMs + 6);
    expect(cutMs).toBeCloseTo(endMs + 2 * 5.746593, 9);
    expect(bench.core.commit(Number.POSITIVE_INFINITY)).toBe(2);
    const ends = passes(bench, 2, cutMs);
    expect(bench.ended()).toEqual([0]);
    const alone = new RankBench(vllm, { block_size: 64 }, 512);
    alone.receive({ inputTokens: 100, outputTokens: 5, hashes: [1] });
    expect(ends.at(-1)).toBe(passes(alone, 5).at(-1));
  });

  it('preempts the last to come when blocks run out, who later finds what was kept of its prompt', () => {
    const bench = new RankBench(vllm, { block_size: 16, num_gpu_blocks: 7 }, 512);
    const [a, b, c] = [1, 2, 3].map((hash) => bench.receive(distinct(hash)));
    expect(passes(bench, 3)).toEqual([50.99460499999999, 84.11786999999998, 117.24113499999999]);
    expect(bench.core.cache.activeBlocks).toBe(6);
    expect(bench.pass(117.24113499999999)).toBe(150.3644);
    expect(bench.log.preemptions[c]).toBe(1);
    expect([bench.core.waitingCount, bench.core.requestCount]).toEqual([1, 3]);
    passes(bench, 4, 150.3644);
    expect(bench.ended()).toEqual([a, b]);
    expect(bench.log.lastTokenMs[a]).toBe(282.85746);
    // Sixteen of its 30 tokens are cached still.
    expect(bench.pass(282.85746)).toBe(323.730919);
    passes(bench, 4, 323.730919);
    expect(bench.ended()).toEqual([c]);
    expect(bench.log.lastTokenMs[c]).toBe(420.3684709999999);
    expect([bench.log.firstReusedTokens[c], bench.log.reusedTokens[c]]).toEqual([0, 16]);
  });

  it('preempts the first to come where that is asked for, and leaves out who moves up', () => {
    const bench = new RankBench(vllm, { block_size: 16, num_gpu_blocks: 7, preemption_mode: 'fifo' }, 512);
    const slots = [1, 2, 3].map((hash) => bench.receive(distinct(hash)));
    passes(bench, 3);
    expect(bench.pass(117.24113499999999)).toBe(148.427053);
    expect(slots.map((slot) => bench.log.emittedTokens[slot])).toEqual([3, 4, 3]);
    let endMs = 148.427053;
    while (bench.core.requestCount > 0) endMs = bench.pass(endMs);
    expect(slots.map((slot) => bench.log.lastTokenMs[slot])).toEqual([
      427.3950009999999, 280.920113, 330.757449,
    ]);
  });

  it('spreads prompts over passes of a budget', () => {
    const budget = { block_size: 16, num_gpu_blocks: 7, max_num_batched_tokens: 40 };
    const bench = new RankBench(vllm, budget, 512);
    const slots = [1, 2, 3].map((hash) => bench.receive(distinct(hash)));
    expect(bench.pass(0)).toBe(41.268819);
    expect(slots.map((slot) => bench.requests.computed[slot])).toEqual([30, 10, 0]);
    expect(bench.pass(41.268819)).toBe(91.471083);
    expect(bench.pass(91.471083)).toBe(141.262837);
    let endMs = 141.262837;
    while (bench.core.requestCount > 0) endMs = bench.pass(endMs);
    expect(slots.map((slot) => bench.log.lastTokenMs[slot])).toEqual([
      307.765897, 355.665886, 476.4628259999999,
    ]);
  });

  it('emits what its drafts guess right', () => {
    const drafts = { block_size: 16, aic_nextn: 2, aic_nextn_accept_rates: '0.7,0.4', aic_mtp_seed: 42 };
    const bench = new RankBench(vllm, drafts, 512);
    const slots = [1, 2, 3].map((hash) => bench.receive(distinct(hash)));
    const emitted: number[][] = [];
    const ends: number[] = [];
    while (bench.core.requestCount > 0) {
      ends.push(bench.pass(ends.at(-1) ?? 0));
      emitted.push(slots.map((slot) => bench.log.emittedTokens[slot]));
    }
    expect(emitted).toEqual([
      [2, 2, 2],
      [3, 3, 5],
      [4, 6, 7],
      [7, 8, 8],
      [8, 8, 8],
    ]);
    expect(ends).toEqual([23.631116, 29.390892, 35.160553, 40.930214, 46.680103]);
  });

  it.each([
    [vllm, 64, 64],
    [trtllm, 128, 0],
  ])(
    '$name computes the last block of a prompt again that is cached, or nothing',
    (kind, reused, computed) => {
      const bench = new RankBench(kind, { block_size: 64 }, 64);
      const prompt = { inputTokens: 128, outputTokens: 1, hashes: [1, 2] };
      bench.receive(prompt);
      const endMs = bench.pass(0);
      bench.signals();
      const again = bench.receive(prompt);
      const lastsMs = bench.pass(endMs) - endMs;
      expect(bench.log.reusedTokens[again]).toBe(reused);
      const prefillMs = computed === 0 ? 0 : 4.209989e-7 * computed ** 2 + 1.518344e-2 * computed + 16.50142;
      const part = 2 / 16384;
      expect(lastsMs).toBeCloseTo(prefillMs - 25.74 * part ** 2 + 54.01 * part + 5.74, 5);
    },
  );
});

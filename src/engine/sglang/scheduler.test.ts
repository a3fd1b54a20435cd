import { describe, expect, it } from 'vitest';
import { RankBench } from '../../testing/rank-bench.js';
import { sglang } from './kind.js';

// Passes worked out by hand, to the bit, from the rules of the reference; its models of time are those of vLLM.
describe('the scheduler of SGLang, pass by pass', () => {
  it('lets a prompt reuse the pages that a running request has put into the tree', () => {
    const bench = new RankBench(sglang, { block_size: 16 }, 512);
    const first = bench.receive({ inputTokens: 100, outputTokens: 5, hashes: [1] });
    expect(bench.pass(0)).toBe(23.784573);
    const second = bench.receive({ inputTokens: 600, outputTokens: 5, hashes: [1, 2] });
    expect(bench.core.cachedTokens(second)).toBe(96);
    const ends = [23.784573];
    for (let pass = 2; pass <= 6; pass++) ends.push(bench.pass(ends[ends.length - 1]));
    expect(ends.slice(1)).toEqual([53.92963100000001, 59.81428600000001, 65.699352, 71.584829, 77.449136]);
    expect(bench.ended()).toEqual([first, second]);
    expect(bench.log.lastTokenMs[first]).toBe(71.584829);
    expect(bench.log.firstReusedTokens[second]).toBe(96);
    expect(bench.core.cache.activeBlocks).toBe(0);
  });

  it('plans the passes in which all that runs decodes, and comes to the same ends', () => {
    const planned = new RankBench(sglang, { block_size: 16 }, 512);
    const executed = new RankBench(sglang, { block_size: 16 }, 512);
    for (const bench of [planned, executed])
      bench.receive({ inputTokens: 100, outputTokens: 40, hashes: [1] });
    let startMs = planned.pass(0);
    let endMs = executed.pass(0);
    while (executed.core.requestCount > 0) endMs = executed.pass(endMs);
    while (planned.core.requestCount > 0) {
      const plannedMs = planned.core.plan(startMs, Number.POSITIVE_INFINITY);
      if (plannedMs < 0) startMs = planned.pass(startMs);
      else {
        planned.core.commit(Number.POSITIVE_INFINITY);
        startMs = plannedMs;
      }
    }
    expect(startMs).toBe(endMs);
    const sorted = (bench: RankBench) =>
      bench.gaps.flatMap(({ ms, count }) => Array<number>(count).fill(ms)).toSorted((a, b) => a - b);
    expect(sorted(planned)).toEqual(sorted(executed));
  });

  it('retracts whom it cannot serve, computes prompts in chunks and evicts the pages used longest ago', () => {
    const settings = {
      clip_max_new_tokens: 1,
      schedule_conservativeness: 0,
      chunked_prefill_size: 8,
      max_prefill_tokens: 64,
    };
    const bench = new RankBench(sglang, { block_size: 4, num_gpu_blocks: 6, sglang: settings }, 4);
    const a = bench.receive({ inputTokens: 8, outputTokens: 6, hashes: [1, 2] });
    const b = bench.receive({ inputTokens: 8, outputTokens: 6, hashes: [1, 3] });
    const c = bench.receive({ inputTokens: 4, outputTokens: 3, hashes: [4] });
    const ends: number[] = [];
    const tokens: number[][] = [];
    const pages: number[] = [];
    for (let pass = 0; pass < 10; pass++) {
      ends.push(bench.pass(ends.at(-1) ?? 0));
      tokens.push([a, b, c].map((slot) => bench.log.emittedTokens[slot]));
      pages.push(bench.core.cache.activeBlocks);
    }
    expect(ends).toEqual([
      37.506247, 85.150803, 117.516532, 150.80809399999998, 184.66798999999997, 212.11121899999998,
      212.11121899999998, 259.0408, 290.80955, 308.4433,
    ]);
    // The second is retracted in the sixth pass, when the first ends; the chunk of the seventh is all in the tree.
    expect(tokens).toEqual([
      [1, 0, 0],
      [2, 1, 0],
      [3, 2, 0],
      [4, 3, 0],
      [5, 4, 0],
      [6, 4, 0],
      [6, 4, 0],
      [6, 5, 1],
      [6, 6, 2],
      [6, 6, 3],
    ]);
    expect(bench.log.preemptions[b]).toBe(1);
    expect(bench.core.requestCount).toBe(0);
    expect(pages.at(-1)).toBe(0);
  });
});

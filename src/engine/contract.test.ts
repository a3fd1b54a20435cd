import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENGINES } from '../setup/kinds.js';
import { type BenchRequest, RankBench } from '../testing/rank-bench.js';

const ENGINE = { block_size: 16, num_gpu_blocks: 24, max_num_seqs: 6, max_num_batched_tokens: 256 };
const request = fc.record({
  inputTokens: fc.integer({ min: 1, max: 150 }),
  outputTokens: fc.integer({ min: 1, max: 30 }),
  hashes: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 9 }),
  /** Passes that are made before it comes. */
  after: fc.nat(4),
});
const load = fc.array(request, { minLength: 1, maxLength: 12 });
type Load = readonly (BenchRequest & { after: number })[];

/** Makes passes one after the other, whether anything happens in them or not. */
class Driver {
  nowMs = 0;
  readonly ended: number[] = [];

  constructor(
    readonly bench: RankBench,
    private readonly plans: boolean,
  ) {}

  pass(): void {
    const { core } = this.bench;
    if (core.requestCount === 0) return;
    const beforeMs = this.nowMs;
    let endMs = this.plans ? core.plan(this.nowMs, Number.POSITIVE_INFINITY) : -1;
    if (endMs >= 0) core.commit(Number.POSITIVE_INFINITY);
    else endMs = this.bench.pass(this.nowMs);
    core.check();
    expect(endMs).toBeGreaterThanOrEqual(beforeMs);
    this.nowMs = endMs;
    for (const { slot, kind } of this.bench.signals()) if (kind === 'ended') this.ended.push(slot);
  }

  finish(): void {
    const { core } = this.bench;
    for (let left = 5000; core.requestCount > 0; left--) {
      this.pass();
      if (left === 0) throw new Error('requests are left that never end');
    }
  }
}

/** Serves a load. @returns what became of it */
function serve(bench: RankBench, requests: Load, plans: boolean): Driver {
  const driver = new Driver(bench, plans);
  for (const { after, ...own } of requests) {
    for (let pass = 0; pass < after; pass++) driver.pass();
    bench.receive(own);
  }
  driver.finish();
  return driver;
}

describe.each(ENGINES)('an engine: $name', (kind) => {
  const open = () => new RankBench(kind, ENGINE, 16);

  it('ends every request once, with all of its tokens, and keeps nothing', () => {
    fc.assert(
      fc.property(load, fc.boolean(), (requests, plans) => {
        const bench = open();
        const { ended } = serve(bench, requests, plans);
        expect(ended.toSorted((a, b) => a - b)).toEqual([...requests.keys()]);
        requests.forEach(({ outputTokens }, slot) => {
          expect(bench.log.emittedTokens[slot]).toBe(outputTokens);
          expect(bench.log.firstAdmitMs[slot]).toBeLessThanOrEqual(bench.log.firstTokenMs[slot]);
          expect(bench.log.firstTokenMs[slot]).toBeLessThanOrEqual(bench.log.lastTokenMs[slot]);
        });
        const gaps = bench.gaps.reduce((sum, { count }) => sum + count, 0);
        expect(gaps).toBe(requests.reduce((sum, { outputTokens }) => sum + outputTokens - 1, 0));
        const { core } = bench;
        expect([core.requestCount, core.waitingCount, core.keptCount]).toEqual([0, 0, 0]);
        expect(core.cache.activeBlocks).toBe(0);
        expect(core.cache.peakBlocks).toBeLessThanOrEqual(core.cache.blocks);
      }),
    );
  });

  it('comes to the same times whether its passes are planned or made one by one', () => {
    fc.assert(
      fc.property(load, (requests) => {
        // All of them come at once, so that no plan meets an arrival.
        const together = requests.map((one) => ({ ...one, after: 0 }));
        const [planned, made] = [open(), open()];
        serve(planned, together, true);
        serve(made, together, false);
        const count = requests.length;
        for (const column of ['firstAdmitMs', 'firstTokenMs', 'lastTokenMs', 'preemptions'] as const)
          expect(planned.log[column].subarray(0, count)).toEqual(made.log[column].subarray(0, count));
      }),
    );
  });

  it('changes nothing by a plan, however much of it is left out', () => {
    fc.assert(
      fc.property(load, fc.double({ min: 0, max: 1, noNaN: true }), (requests, part) => {
        const [looked, made] = [open(), open()];
        const driver = new Driver(made, false);
        for (const bench of [looked, made]) for (const { after: _, ...own } of requests) bench.receive(own);
        let nowMs = 0;
        while (looked.core.requestCount > 0) {
          const endMs = looked.core.plan(nowMs, Number.POSITIVE_INFINITY);
          if (endMs >= 0) looked.core.shorten(nowMs + part * (endMs - nowMs));
          nowMs = looked.pass(nowMs);
          looked.signals();
        }
        driver.finish();
        expect(nowMs).toBe(driver.nowMs);
      }),
    );
  });

  it('lets requests be taken out between passes', () => {
    fc.assert(
      fc.property(load, fc.nat(6), fc.nat(11), (requests, passes, which) => {
        const bench = open();
        const driver = new Driver(bench, false);
        for (const { after: _, ...own } of requests) bench.receive(own);
        for (let pass = 0; pass < passes; pass++) driver.pass();
        const left = [...requests.keys()].filter((slot) => !driver.ended.includes(slot));
        const slot = left[which % Math.max(1, left.length)];
        if (slot !== undefined) {
          const before = bench.core.requestCount;
          expect(bench.core.cancel(slot)).toBe(true);
          bench.core.check();
          expect(bench.core.requestCount).toBe(before - 1);
        }
        driver.finish();
        expect(driver.ended.toSorted((a, b) => a - b)).toEqual(
          [...requests.keys()].filter((other) => other !== slot),
        );
        expect(bench.core.cache.activeBlocks).toBe(0);
      }),
    );
  });
});

describe.each(ENGINES)('a decode worker: $name', (kind) => {
  it('gives prompts room in the order in which they ask, and gives it back when they do not come', () => {
    fc.assert(
      fc.property(load, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (requests, comes) => {
        const bench = new RankBench(kind, ENGINE, 16, 'decode');
        const { core } = bench;
        const { destinations } = core;
        const driver = new Driver(bench, false);
        // Requests that grow may be preempted, and then wait before prompts that have come and hold the rest of the pool.
        const slots = requests.map(({ after: _, ...own }) => bench.enter({ ...own, outputTokens: 1 }));
        for (const slot of slots) expect(destinations.request(slot)).toBe(true);
        const given: number[] = [];
        for (let round = 0; core.keptCount > 0 && round < 500; round++) {
          for (let slot = destinations.retry(); slot >= 0; slot = destinations.retry()) {
            given.push(slot);
            if (comes[slot]) destinations.activate(slot);
            else destinations.cancel(slot);
            core.check();
          }
          driver.pass();
        }
        driver.finish();
        expect(given).toEqual(slots);
        expect(driver.ended.toSorted((a, b) => a - b)).toEqual(slots.filter((slot) => comes[slot]));
        expect([core.requestCount, core.keptCount, core.cache.activeBlocks]).toEqual([0, 0, 0]);
      }),
    );
  });
});

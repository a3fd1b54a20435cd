import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptySample, WorkerSeries } from './worker-series.js';

const IDLE = emptySample();

const sum = (bins: Float64Array) => bins.reduce((a, b) => a + b, 0);

describe('what workers did over time', () => {
  it('is spread over the bins in which it happened', () => {
    const series = new WorkerSeries(1);
    series.add(0, 0.5, 2.5, { ...IDLE, sequences: 4, activeBlocks: 10, prefillTokens: 100 });
    series.add(0, 4, 5, { ...IDLE, sequences: 1, activeBlocks: 6, prefillTokens: 100, preemptions: 2 });
    const sums = series.sumsOf(0, 6);
    expect([...sums.busyMs]).toEqual([0.5, 1, 0.5, 0, 1, 0]);
    expect([...sums.sequenceMs]).toEqual([2, 4, 2, 0, 1, 0]);
    expect([...sums.prefillTokens]).toEqual([25, 50, 25, 0, 0, 0]);
    expect([...sums.preemptions]).toEqual([0, 0, 0, 0, 0, 2]);
    // Blocks rise evenly to 10, stay there until the next pass, and fall to 6 in it.
    expect([...sums.blockMs].map((ms) => Math.round(ms * 1000) / 1000)).toEqual([0.625, 5, 9.375, 10, 8, 0]);
  });

  it('is all there however often bins are joined', () => {
    const passes = fc.array(
      fc.record({
        gapMs: fc.double({ min: 0, max: 5000, noNaN: true }),
        lengthMs: fc.double({ min: 0.001, max: 20_000, noNaN: true }),
        sequences: fc.integer({ min: 0, max: 50 }),
        tokens: fc.integer({ min: 0, max: 9000 }),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(passes, (list) => {
        const series = new WorkerSeries(200);
        let now = 0;
        let prefillTokens = 0;
        let [busyMs, sequenceMs] = [0, 0];
        for (const { gapMs, lengthMs, sequences, tokens } of list) {
          const start = now + gapMs;
          now = start + lengthMs;
          prefillTokens += tokens;
          busyMs += now - start;
          sequenceMs += (now - start) * sequences;
          series.add(3, start, now, { ...IDLE, sequences, prefillTokens });
        }
        const sums = series.sumsOf(3, now + series.binMs);
        const near = (value: number, other: number) =>
          expect(Math.abs(value - other)).toBeLessThan(1e-6 * (1 + Math.abs(other)));
        near(sum(sums.busyMs), busyMs);
        near(sum(sums.sequenceMs), sequenceMs);
        near(sum(sums.prefillTokens), prefillTokens);
        expect(Math.max(...sums.busyMs)).toBeLessThanOrEqual(series.binMs * (1 + 1e-9));
        expect(series.workerCount).toBe(4);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapSamples } from './gap-samples.js';
import { floatText, reportJson } from './json.js';
import { distribution } from './statistics.js';

describe('statistics', () => {
  it('take percentiles at the nearest rank, halves away from zero', () => {
    const samples = Float64Array.from([
      23.218181, 23.22807, 24.204983, 35.060314000000005, 38.560314000000005,
    ]);
    const stats = distribution(samples);
    expect([stats.median, stats.p75, stats.p90]).toEqual([24.204983, 35.060314000000005, 38.560314000000005]);
    expect(stats.mean).toBeCloseTo(28.8543724, 12);
  });

  it('of weighted gaps equal those of the gaps one by one', () => {
    const gaps = fc.array(
      fc.tuple(fc.constantFrom(0, 1, 5.5, 98, 1e-9, 123456.789), fc.integer({ min: 1, max: 20 })),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(gaps, (list) => {
        const samples = new GapSamples();
        for (const [value, count] of list) samples.add(value, count);
        const clock = {
          decodeRun(
            startMs: number,
            _batch: number,
            tokens: number,
            most: number,
            _limit: number,
            ends: Float64Array,
          ) {
            for (let i = 0; i < most; i++) ends[i] = (i > 0 ? ends[i - 1] : startMs) + (tokens + i) / 4;
            return most;
          },
        };
        samples.addRun(clock, 10, 2, 21, 3);
        const inRun: [number, number][] = [5.25, 5.5, 5.75].map((gap) => [gap, 2]);
        const one = distribution(
          Float64Array.from(
            [...list, ...inRun].flatMap(([value, count]) => Array<number>(count).fill(value)),
          ).sort(),
        );
        const { gaps: weighted, rates: weightedRates } = samples.statistics();
        for (const key of ['min', 'max', 'median', 'p75', 'p90', 'p95', 'p99'] as const)
          expect(weighted[key]).toBe(one[key]);
        expect(weighted.mean).toBeCloseTo(one.mean, 8);
        expect(weighted.std).toBeCloseTo(one.std, 6);
        const moving = [...list, ...inRun].flatMap(([value, count]) =>
          value > 0 ? Array<number>(count).fill(1000 / value) : [],
        );
        const rates = distribution(Float64Array.from(moving).sort());
        for (const key of ['min', 'max', 'median', 'p99'] as const)
          expect(weightedRates[key]).toBe(rates[key]);
      }),
    );
  });

  it('of runs stay exact while they fit, and within 0.1 % beyond', () => {
    const clock = {
      decodeRun(
        startMs: number,
        batch: number,
        tokens: number,
        most: number,
        _limit: number,
        ends: Float64Array,
      ) {
        for (let i = 0; i < most; i++)
          ends[i] = (i > 0 ? ends[i - 1] : startMs) + 5 + (tokens + i * batch) / 1000;
        return most;
      },
    };
    const all = Float64Array.from({ length: 6000 }, (_, i) => 5 + i / 1000);
    const statisticsOf = (limit: number) => {
      const samples = new GapSamples(limit);
      for (let run = 0; run < 60; run++) samples.addRun(clock, 0, 1, run * 100, 100);
      return { samples, gaps: samples.statistics().gaps };
    };
    const exact = distribution(all);
    expect(statisticsOf(100_000).gaps.p99).toBeCloseTo(exact.p99, 9);
    const { samples, gaps } = statisticsOf(1000);
    expect(samples.isExact).toBe(false);
    for (const key of ['mean', 'median', 'p99'] as const)
      expect(Math.abs(gaps[key] / exact[key] - 1)).toBeLessThan(0.001);
  });

  it('of more distinct gaps than are kept exactly stay within 0.1 %', () => {
    const samples = new GapSamples(1000);
    const all = Float64Array.from({ length: 20000 }, (_, i) => 5 + ((i * 7919) % 20000) / 100);
    for (const gap of all) samples.add(gap, 1);
    const { gaps: sketched } = samples.statistics();
    expect(samples.isExact).toBe(false);
    const exact = distribution(all.sort());
    for (const key of ['mean', 'median', 'p75', 'p90', 'p95', 'p99'] as const)
      expect(Math.abs(sketched[key] / exact[key] - 1)).toBeLessThan(0.001);
  });
});

describe('the report file', () => {
  it.each([
    [0, '0.0'],
    [1e16, '1e+16'],
    [123456, '123456.0'],
    [4.1140921388888895e-5, '4.1140921388888895e-05'],
    [0.0001, '0.0001'],
    [1e-9, '1e-09'],
    [2.5, '2.5'],
  ])('writes %d as %s', (value, text) => expect(floatText(value)).toBe(text));

  it('sorts keys and keeps counts whole', () => {
    expect(reportJson({ num_requests: 3, mean_ttft_ms: 4 })).toBe(
      '{\n  "mean_ttft_ms": 4.0,\n  "num_requests": 3\n}\n',
    );
  });
});

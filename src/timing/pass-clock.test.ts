import { describe, expect, it } from 'vitest';
import { DurationError, nsToSeconds, PassClock, secondsToNs } from './pass-clock.js';
import { polynomialTiming, type TimingModel } from './timing-model.js';

describe('durations', () => {
  it.each([
    [5e-10, 1],
    [1.5e-9, 1],
    [2.5e-9, 3],
    [0.9999999996, 1e9],
    [0.018023973989, 18023974],
    [0, 0],
  ])('%d seconds are %d ns, the exact product rounded half to even', (seconds, ns) => {
    expect(secondsToNs(seconds)).toBe(ns);
  });

  it('keeps whole seconds apart from the fraction', () => {
    expect(nsToSeconds(1_000_000_001)).toBe(1 + 1e-9);
  });

  it.each([-1, Number.NaN, 2 ** 64])('refuses %d seconds', (seconds) => {
    expect(() => secondsToNs(seconds)).toThrow(DurationError);
  });
});

describe('pass clock', () => {
  const clock = new PassClock(polynomialTiming, 1, 1, 64, 16384);

  it('adds the published prefill times', () => {
    expect(clock.prefillMs(1, 100, 0)).toBeCloseTo(18.023974, 12);
    expect(clock.prefillMs(1, 700, 64)).toBeCloseTo(26.32838, 12);
    expect(clock.prefillMs(1, 64, 64)).toBe(0);
  });

  it('gives the first token of a lone request bit for bit', () => {
    expect(0 + clock.prefillMs(1, 100, 0) + clock.decodeMs(1, 2, 100)).toBe(23.770567000000003);
  });

  it('adds the published decode times', () => {
    expect(clock.decodeMs(1, 2, 0)).toBe(5.746593000000001);
    expect(clock.decodeMs(3, 12, 0)).toBe(5.7795440000000005);
    expect(clock.decodeMs(9, 16384, 0)).toBe(34.01);
    expect(new PassClock(polynomialTiming, 1, 1, 16, 7).decodeMs(3, 6, 0)).toBe(33.123264999999996);
  });

  it('leaves times unscaled when a ratio is 0', () => {
    expect(new PassClock(polynomialTiming, 0, 1, 64, 16384).prefillMs(1, 100, 0)).toBeCloseTo(18.023974, 12);
    expect(new PassClock(polynomialTiming, 2, 0, 64, 16384).decodeMs(1, 2, 0)).toBe(5.746593000000001);
    expect(new PassClock(polynomialTiming, 2, 0, 64, 16384).prefillMs(1, 100, 0)).toBeCloseTo(9.011987, 12);
  });

  it('never lets a decode pass take less than a millisecond before scaling', () => {
    const broken: TimingModel = { readsContext: true, prefillMs: () => -5, decodeMs: () => Number.NaN };
    const slow = new PassClock(broken, 1, 1, 64, 100);
    expect(slow.decodeMs(1, 1, 1)).toBe(1);
    expect(slow.prefillMs(1, 10, 0)).toBe(0);
  });

  it('adds what decoding takes beside prompts, or what it makes one pass longer', () => {
    const serial: TimingModel = {
      readsContext: true,
      prefillMs: (batch, tokens) => 10 + batch * tokens,
      decodeMs: (batch) => 20 + batch,
    };
    const fused: TimingModel = {
      ...serial,
      mixedMs: ({ batch, newTokens }, decodes) => 10 + batch * newTokens + decodes,
    };
    const prompts = { batch: 2, inputTokens: 30, prefixTokens: 10 };
    const clock = new PassClock(fused, 1, 1, 64, 100);
    expect([clock.isFused, new PassClock(serial, 1, 1, 64, 100).isFused]).toEqual([true, false]);
    expect(clock.decodeBesideMs(prompts, 3, 300)).toBeCloseTo(3, 9);
    expect(clock.decodeBesideMs(prompts, 0, 300)).toBeCloseTo(0, 9);
  });
});

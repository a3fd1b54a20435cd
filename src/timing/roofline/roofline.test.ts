import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGpu, GPUS } from './gpus.js';
import { rooflineBlocks, rooflineOptions } from './open.js';
import { RooflineTiming } from './roofline.js';

const question = {
  gpu: 'H100',
  model: 'meta-llama/Llama-3.1-8B-Instruct',
  tensorParallel: 1,
  dtype: 'bfloat16',
  kvDtype: 'bfloat16',
};
const options = rooflineOptions(question, '/nowhere');

describe('the roofline', () => {
  const timing = new RooflineTiming(options);
  const tokens = fc.integer({ min: 1, max: 20_000 });
  const batch = fc.integer({ min: 1, max: 256 });

  it('never falls with tokens or requests', () => {
    fc.assert(
      fc.property(batch, tokens, tokens, (requests, context, more) => {
        const decode = timing.decodeMs(requests, 0, context);
        expect(timing.decodeMs(requests, 0, context + more)).toBeGreaterThanOrEqual(decode);
        expect(timing.decodeMs(requests + 1, 0, context)).toBeGreaterThanOrEqual(decode);
        const prefill = timing.prefillMs(requests, context, 0);
        expect(timing.prefillMs(requests, context + more, 0)).toBeGreaterThan(prefill);
        expect(timing.prefillMs(requests, context, more)).toBeGreaterThanOrEqual(prefill);
      }),
    );
  });

  it('lies above what the data sheet allows and not far above it', () => {
    const weightBytes = 15e9;
    const least = (weightBytes / 3.35e12) * 1000;
    expect(timing.decodeMs(1, 0, 100)).toBeGreaterThan(least);
    expect(timing.decodeMs(1, 0, 100)).toBeLessThan(3 * least);
    const arithmetic = ((2 * 7.5e9 * 8192) / 989e12) * 1000;
    expect(timing.prefillMs(1, 8192, 0)).toBeGreaterThan(arithmetic);
    expect(timing.prefillMs(1, 8192, 0)).toBeLessThan(3 * arithmetic);
  });

  it('is the sum of its parts, and faster on more GPUs', () => {
    const parts = timing.breakdown(true, 2, 3000, 1000);
    const sum = parts.reduce((total, { ms }) => total + ms, 0);
    expect(sum).toBeCloseTo(timing.prefillMs(2, 2000, 1000), 9);
    const split = new RooflineTiming({ ...options, tensorParallel: 4 });
    expect(split.prefillMs(1, 4096, 0)).toBeLessThan(timing.prefillMs(1, 4096, 0));
  });

  it('reads only the experts that some token goes to', () => {
    const experts = rooflineOptions({ ...question, model: 'Qwen/Qwen3-30B-A3B' }, '/nowhere');
    const moe = new RooflineTiming(experts);
    const part = (requests: number) =>
      moe.breakdown(false, requests, 100, 0).find(({ name }) => name === 'experts')!.ms;
    expect(part(2) / part(1)).toBeGreaterThan(1.8);
    expect(part(128) / part(64)).toBeLessThan(1.1);
  });
});

describe('GPUs and models', () => {
  it('are found however they are written', () => {
    expect(findGpu('RTX 4090')?.name).toBe('rtx_4090');
    expect(findGpu('h200')?.name).toBe('h200_sxm');
    expect(new Set(GPUS.map(({ name }) => name)).size).toBe(GPUS.length);
  });

  it('that are unknown are refused with the known ones', () => {
    expect(() => rooflineOptions({ ...question, gpu: 'tpu' }, '/nowhere')).toThrow(
      /no tpu; known are a100_pcie/,
    );
    expect(() => rooflineOptions({ ...question, model: 'x/y' }, '/nowhere')).toThrow(
      /x\/y is neither.*llama-3.1-8b/,
    );
    expect(() => rooflineOptions({ ...question, tensorParallel: 5 }, '/nowhere')).toThrow(
      /32 heads.*found 5/,
    );
  });

  it('say how many KV blocks fit, or that the weights do not', () => {
    expect(rooflineBlocks(options, 16)).toBeGreaterThan(20_000);
    expect(rooflineBlocks(options, 16)).toBeLessThan(40_000);
    const large = rooflineOptions({ ...question, model: 'meta-llama/Llama-3.1-70B' }, '/nowhere');
    expect(() => rooflineBlocks(large, 16)).toThrow(/leave no room.*raise tp/);
  });
});

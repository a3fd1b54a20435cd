import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGpu, GPUS } from './gpus.js';
import { rooflineOptions } from './open.js';
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

  it.each([
    // [GPU, model, tp, phase, batch, tokens, prefix, ms]: from the publication of the constants, nine GPUs.
    ['a100_sxm', 'meta-llama/Llama-3.1-70B', 4, 'decode', 128, 1500, 0, 44.9108],
    ['a100_sxm', 'Qwen/Qwen3-8B', 1, 'prefill', 1, 2048, 0, 135.6016],
    ['a100_sxm', 'Qwen/Qwen3-30B-A3B', 1, 'decode', 8, 2048, 0, 16.7012],
    ['h100_sxm', 'Qwen/Qwen3-30B-A3B', 1, 'decode', 1, 512, 0, 4.3349],
    ['h200_sxm', 'Qwen/Qwen3-32B', 2, 'prefill', 2, 4096, 2048, 225.4347],
    ['b200_sxm', 'Qwen/Qwen3-32B', 2, 'prefill', 1, 8192, 0, 212.5645],
    ['b300_sxm', 'Qwen/Qwen3-30B-A3B', 1, 'prefill', 1, 512, 0, 14.4047],
    ['gb200', 'Qwen/Qwen3-32B', 2, 'decode', 8, 2048, 0, 8.0483],
    ['gb300', 'meta-llama/Llama-3.1-8B', 1, 'decode', 64, 1024, 0, 4.7519],
    ['l40s', 'Qwen/Qwen3-32B', 2, 'prefill', 4, 1024, 0, 951.1872],
    ['l40s', 'Qwen/Qwen3-32B', 2, 'decode', 8, 2048, 0, 50.7257],
    ['rtx_pro_6000_server', 'Qwen/Qwen3-30B-A3B', 1, 'decode', 128, 1500, 0, 56.8603],
  ] as const)(
    'of kernels on %s running %s is as published',
    (gpu, model, tp, phase, batch, tokens, prefix, ms) => {
      const asked = { ...question, gpu, model, tensorParallel: tp, peerToPeer: true };
      const kernels = new RooflineTiming({
        ...rooflineOptions(asked, '/nowhere'),
        engine: { passUs: 0, sequenceUs: 0 },
      });
      const answer =
        phase === 'prefill'
          ? kernels.prefillMs(batch, tokens - prefix, prefix)
          : kernels.decodeMs(batch, 0, tokens);
      expect(answer / ms).toBeCloseTo(1, 3);
    },
  );

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
    const split = new RooflineTiming(rooflineOptions({ ...question, tensorParallel: 4 }, '/nowhere'));
    expect(split.prefillMs(1, 4096, 0)).toBeLessThan(timing.prefillMs(1, 4096, 0));
  });

  it('reads weights once in a pass that is fused', () => {
    const fused = new RooflineTiming({ ...options, isFused: true });
    const prompts = { batch: 1, newTokens: 512, prefixTokens: 0 };
    const whole = fused.mixedMs!(prompts, 32, 2000);
    const [prefill, decode] = [fused.prefillMs(1, 512, 0), fused.decodeMs(32, 0, 2000)];
    expect(whole).toBeGreaterThan(Math.max(prefill, decode));
    expect(whole).toBeLessThan(0.8 * (prefill + decode));
    expect(timing.mixedMs).toBeUndefined();
  });

  it('reads only the experts that some token goes to', () => {
    const experts = rooflineOptions({ ...question, model: 'Qwen/Qwen3-30B-A3B' }, '/nowhere');
    const moe = new RooflineTiming(experts);
    const part = (requests: number) =>
      moe.breakdown(false, requests, 100, 0).find(({ name }) => name === 'generation_moe')!.ms;
    expect(part(2) / part(1)).toBeGreaterThan(1.3);
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
      /no tpu; known are a100_sxm/,
    );
    expect(() => rooflineOptions({ ...question, model: 'x/y' }, '/nowhere')).toThrow(
      /x\/y is neither.*llama-3.1-8b/,
    );
    expect(() => rooflineOptions({ ...question, tensorParallel: 5 }, '/nowhere')).toThrow(
      /32 heads.*found 5/,
    );
  });
});

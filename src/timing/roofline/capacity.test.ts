import { describe, expect, it } from 'vitest';
import { modelKvBytes, rooflineBlocks } from './capacity.js';
import { findGpu } from './gpus.js';
import { rooflineOptions } from './open.js';

const GIB = 2 ** 30;
const LLAMA = 'meta-llama/Llama-3.1-8B';

/** KV tokens of a model where the runtime reports some GiB of memory. */
function tokens(
  model: string,
  gib: number,
  tokens: number,
  sequences: number,
  share: number,
  version?: string,
) {
  const question = { gpu: 'a6000', model, tensorParallel: 1, dtype: 'bfloat16', kvDtype: 'bfloat16' };
  const options = rooflineOptions(question, '/nowhere');
  return rooflineBlocks(
    { ...options, gpu: { ...options.gpu, memoryBytes: gib * GIB } },
    {
      blockTokens: 1,
      maxBatchedTokens: tokens,
      maxSequences: sequences,
      memoryShare: share,
      engineVersion: version,
    },
  );
}

describe('the KV cache', () => {
  it('takes what layers, heads and formats of a model say', () => {
    // Keys and values of 32 layers with 8 heads of 128; a latent of 512 and 64 in 61 layers. Two bytes each.
    expect(modelKvBytes(LLAMA, '/nowhere')).toBe(2 * 32 * 8 * 128 * 2);
    expect(modelKvBytes('deepseek-ai/DeepSeek-V3', '/nowhere')).toBe(61 * (512 + 64) * 2);
  });

  it.each([
    // What vLLM logged ("GPU KV cache size"), from public issue threads; the first two were fitted.
    [LLAMA, 39.49, 2048, 256, 0.9, undefined, 163_168],
    [LLAMA, 93.09, 8192, 1024, 0.9, undefined, 545_456],
    [LLAMA, 47.53, 2048, 256, 0.9, undefined, 221_824],
    [LLAMA, 79.14, 8192, 256, 0.9, undefined, 449_986],
    ['Qwen/Qwen3-8B', 31.36, 2048, 256, 0.92, '0.24.0', 89_040],
    ['Qwen/Qwen3-14B', 44.4, 2048, 256, 0.92, '0.28.0', 75_824],
  ])(
    'of %s in %f GiB is what the engine logged',
    (model, gib, batched, sequences, share, version, logged) => {
      expect(Math.abs(tokens(model, gib, batched, sequences, share, version) / logged - 1)).toBeLessThan(
        0.05,
      );
    },
  );

  it('grows with the share of the memory, and with the memory', () => {
    expect(tokens(LLAMA, 39.49, 2048, 256, 0.95)).toBeGreaterThan(tokens(LLAMA, 39.49, 2048, 256, 0.9));
    expect(findGpu('h200')!.memoryBytes).toBeGreaterThan(findGpu('h100')!.memoryBytes);
  });

  it('has no room beside weights that are too large', () => {
    expect(() => tokens('meta-llama/Llama-3.1-70B', 79.18, 8192, 256, 0.9)).toThrow(
      /weights \(131.* leave no room.*raise tp/,
    );
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { estimateBlocks } from './capacity.js';
import { Grid } from './grid.js';
import { type AicQuestion, aicModel, openEstimator } from './open.js';
import { inferQuant, type QuantOverrides } from './quant.js';
import { readSystem } from './system.js';
import { compareVersions, newestFirst } from './versions.js';

const SYSTEMS = fileURLToPath(new URL('../../../../shared/aic-systems', import.meta.url));
const VECTORS = fileURLToPath(
  new URL('../../../../shared/reference/aic/vectors-public.json', import.meta.url),
);
const RELATIVE = 1e-12;

describe('versions', () => {
  it('are ordered as Python orders them', () => {
    const sorted = ['1.3.0rc10', '1.3.0', '1.3.0rc9', '1.3.0.post1', '1.2', '1.3.0.dev4', 'next'];
    expect(newestFirst(sorted)).toEqual([
      '1.3.0.post1',
      '1.3.0',
      '1.3.0rc10',
      '1.3.0rc9',
      '1.3.0.dev4',
      '1.2',
    ]);
    expect(compareVersions('0.19', '0.19.0')).toBe(0);
  });
});

describe('number formats', () => {
  const infer = (qc: object, backend: string, overrides: QuantOverrides = {}) =>
    inferQuant({ quantization_config: qc }, undefined, backend, overrides);

  it('follow from the quantisation of a model', () => {
    const blocks = { quant_method: 'fp8', weight_block_size: [128, 128] };
    const expected = { gemm: 'fp8_block', moe: 'fp8_block', kvcache: 'fp8' };
    expect(infer(blocks, 'sglang')).toEqual({ ...expected, fmha: 'fp8' });
    expect(infer(blocks, 'vllm')).toEqual({ ...expected, fmha: 'bfloat16' });
    expect(infer({ quant_method: 'mxfp4' }, 'vllm').moe).toBe('w4a16_mxfp4');
    expect(infer({ quant_method: 'fp8', activation_scheme: 'static' }, 'vllm').gemm).toBe('fp8_static');
  });

  it('give way to what a user sets, and unknown ones are refused with the known ones', () => {
    expect(infer({}, 'vllm', { kvcache: 'fp8', gemm: 'int4' })).toMatchObject({
      kvcache: 'fp8',
      gemm: 'int4_wo',
    });
    expect(() => infer({}, 'vllm', { gemm: 'fp7' })).toThrow(/gemm.*fp7.*bfloat16, int8_wo/);
    expect(() => infer({ quant_method: 'awq' }, 'vllm')).toThrow(/awq/);
  });
});

describe('a grid', () => {
  /** Latency 10 x + y on x in 1, 2, 4 and y in 10, 20, without the point (4, 20). */
  const points = [1, 2, 4].flatMap((x) => [10, 20].map((y) => [x, y])).slice(0, 5);
  const slice = {
    coordinates: Float64Array.from(points.flat()),
    latencyMs: Float64Array.from(points, ([x, y]) => 10 * x + y),
  };
  const sol = ([x, y]: readonly number[]) => x * y;
  const grid = new Grid(slice, -1);

  it('gives back its points and blends between them', () => {
    expect(grid.lookup([2, 20], sol)).toBe(40);
    expect(grid.lookup([1.5, 15], sol)).toBeCloseTo(30, 12);
    expect(grid.lookup([3, 10], sol)).toBeCloseTo(40, 12);
  });

  it('rescales the neighbour that is left where the other has no such point', () => {
    expect(grid.lookup([3, 15], sol)).toBeCloseTo(35 * (45 / 30), 12);
  });

  it('keeps the share of the speed of light of the nearest point beyond its range', () => {
    expect(grid.lookup([8, 10], sol)).toBeCloseTo(80 / (40 / 50), 12);
    expect(grid.lookup([1, 5], sol)).toBeCloseTo(5 / (10 / 20), 12);
  });

  it('blends roots on the axis that asks for it', () => {
    const rooted = new Grid(slice, 1);
    expect(rooted.lookup([1, 15], sol)).toBeCloseTo(((Math.sqrt(20) + Math.sqrt(30)) / 2) ** 2, 12);
  });
});

interface Vector {
  name: string;
  model: string;
  system: string;
  backend: string;
  version: string;
  tp: number;
  moe_tp?: number;
  moe_ep?: number;
  attention_dp?: number;
  nextn?: number;
  dtypes?: Record<string, string>;
  prefill: { batch: number; isl: number; prefix: number; ms?: number }[];
  decode: { batch: number; ctx?: number; isl?: number; osl?: number; ms?: number }[];
  blocks: { block_size: number; max_num_batched_tokens: number; fraction: number; blocks?: number }[];
  breakdown?: {
    phase: 'context' | 'generation';
    batch: number;
    isl: number;
    prefix?: number;
    ops: { ms: number }[];
  }[];
}

const PARTS: Record<string, string> = { kv_cache: 'kvcache' };

function question(vector: Vector): AicQuestion {
  const dtypes = Object.entries(vector.dtypes ?? {}).map(([name, mode]) => {
    const part = name.replace('_dtype', '');
    return [PARTS[part] ?? part, mode];
  });
  return {
    backend: vector.backend,
    system: vector.system,
    version: vector.version,
    modelPath: vector.model,
    tensorParallel: vector.tp,
    moeTensorParallel: vector.moe_tp ?? 1,
    moeExpertParallel: vector.moe_ep ?? 1,
    attentionDataParallel: vector.attention_dp ?? 1,
    dtypes: Object.fromEntries(dtypes),
    draftTokens: vector.nextn ?? 0,
  };
}

function expectEqual(ask: () => number, expected: number | undefined): void {
  if (expected === undefined || expected === null) expect(ask).toThrow(/no data/);
  else expect(Math.abs(ask() - expected)).toBeLessThanOrEqual(RELATIVE * Math.abs(expected));
}

describe.skipIf(!existsSync(VECTORS))('the public points of AI Configurator', () => {
  const { configs } = existsSync(VECTORS)
    ? (JSON.parse(readFileSync(VECTORS, 'utf8')) as { configs: Vector[] })
    : { configs: [] };

  it.each(configs)('$name', { timeout: 60_000 }, (vector) => {
    const estimator = openEstimator(SYSTEMS, question(vector));
    for (const { batch, isl, prefix, ms } of vector.prefill)
      expectEqual(() => estimator.prefillMs(batch, isl, prefix), ms);
    for (const { batch, ctx, isl, osl, ms } of vector.decode)
      expectEqual(() => estimator.decodeMs(batch, (ctx ?? isl)!, osl ?? 2), ms);
    for (const { phase, batch, isl, prefix, ops } of vector.breakdown ?? []) {
      const parts = estimator.breakdown(phase, batch, isl, prefix ?? 0);
      for (const [index, { ms }] of ops.entries()) expectEqual(() => parts[index].ms, ms);
    }
    const { options } = aicModel(SYSTEMS, { ...question(vector), draftTokens: 0 });
    for (const { block_size, max_num_batched_tokens, fraction, blocks } of vector.blocks) {
      const estimate = () =>
        estimateBlocks({
          ...options,
          system: readSystem(SYSTEMS, vector.system),
          maxBatchedTokens: max_num_batched_tokens,
          kvFraction: fraction,
          blockTokens: block_size,
        }).blocks;
      if (blocks === undefined) expect(estimate).toThrow(/no KV budget/);
      else expect(estimate()).toBe(blocks);
    }
  });

  it.each([
    [{ system: 'h20' }, /no h20 .*h200_sxm/],
    [{ version: '9.9' }, /no vllm 9.9 for h200_sxm; there is .*0.19.0/],
    [{ modelPath: 'acme/none' }, /acme\/none is neither a folder.*Qwen\/Qwen3-32B/],
    [{ tensorParallel: 3 }, /aic_tp_size: num_heads 64/],
    [{ modelPath: 'Qwen/Qwen3-30B-A3B', tensorParallel: 2 }, /aic_moe_tp_size \* aic_moe_ep_size/],
  ])('says what exists instead of %o', (wrong, says) => {
    const right = question(configs[0]);
    expect(() => openEstimator(SYSTEMS, { ...right, ...wrong })).toThrow(says);
  });
});

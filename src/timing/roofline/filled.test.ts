import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { OpTimes, Query } from '../aic/estimator.js';
import { type AicQuestion, openEstimator } from '../aic/open.js';
import type { Gemm, Leaf } from '../aic/ops.js';
import type { TableTimes } from '../aic/table-times.js';
import { doubts } from './doubts.js';
import { FilledTimes, openFilled } from './filled.js';

const SYSTEMS = fileURLToPath(new URL('../../../../shared/aic-systems', import.meta.url));
const GEMM: Gemm = {
  kind: 'gemm',
  name: 'context_qkv_gemm',
  count: 10,
  n: 1,
  k: 1,
  mode: 'fp8',
  lowPrecisionInput: false,
};
const MOE: Leaf = { kind: 'moe', name: 'generation_moe', distribution: 'uniform', count: 10 };
const QUERY: Query = { rows: 1, batch: 1, tokens: 1, prefix: 0 };

/** Times that know operations of some kinds. */
function times(ms: Partial<Record<Leaf['kind'], number>>): OpTimes {
  return { source: '', opMs: ({ kind }) => ms[kind] ?? Number.NaN };
}

describe('gaps of tables', () => {
  it('are filled by another version, else by a formula, and told with their part of the time', () => {
    const other = times({ moe: 3 }) as TableTimes;
    const filled = new FilledTimes(times({ memory: 6 }), ['0.2'], () => other, times({ gemm: 1 }));
    const memory: Leaf = { kind: 'memory', name: 'context_norm', bytesPerToken: 1, count: 10 };
    expect([memory, MOE, GEMM].map((leaf) => filled.opMs(leaf, QUERY))).toEqual([6, 3, 1]);
    expect(filled.substitutions()).toEqual([
      {
        op: 'generation_moe',
        phase: 'decode',
        reason: 'no row',
        used: 'version 0.2',
        calls: 1,
        share_of_time: 0.3,
      },
      {
        op: 'context_qkv_gemm',
        phase: 'prefill',
        reason: 'no row',
        used: 'formula',
        calls: 1,
        share_of_time: 0.1,
      },
    ]);
  });

  it('are also rows that cannot be right', () => {
    const filled = new FilledTimes(
      times({ gemm: 9 }),
      ['0.2'],
      () => times({ gemm: 10 }) as TableTimes,
      times({ gemm: 1 }),
    );
    expect(filled.opMs(GEMM, QUERY)).toBe(1);
    expect(filled.substitutions()).toMatchObject([{ reason: 'doubtful', used: 'formula' }]);
  });

  const question: AicQuestion = {
    backend: 'vllm',
    system: 'h100_sxm',
    version: '0.19.0',
    modelPath: 'openai/gpt-oss-120b',
    tensorParallel: 1,
    moeTensorParallel: 1,
    moeExpertParallel: 1,
    attentionDataParallel: 1,
    dtypes: {},
    draftTokens: 0,
  };

  it.skipIf(!existsSync(SYSTEMS))('change nothing where there are none, and no refusal is left', () => {
    const dense = { ...question, modelPath: 'Qwen/Qwen3-32B' };
    const { estimator, substitutions } = openFilled(SYSTEMS, dense);
    expect(estimator.prefillMs(2, 3000, 1000)).toBe(openEstimator(SYSTEMS, dense).prefillMs(2, 3000, 1000));
    expect(substitutions()).toEqual([]);
    const gaps = openFilled(SYSTEMS, question);
    expect(gaps.estimator.decodeMs(16, 2000)).toBeGreaterThan(1);
    expect(gaps.substitutions().map(({ op }) => op)).toContain('generation_moe');
    const known = openFilled(SYSTEMS, { ...question, modelPath: 'MiniMaxAI/MiniMax-M2.5' });
    expect(known.estimator.decodeMs(16, 2000)).toBeGreaterThan(1);
  });
});

describe('tables that cannot be right', () => {
  it('are those of short numbers that are slow, or far from the data sheet', () => {
    const slow: OpTimes = {
      source: '',
      opMs: (leaf) => (leaf.kind === 'gemm' && leaf.mode === 'fp8' ? 9 : 1),
    };
    expect(doubts(slow, times({ gemm: 4, moe: 1 }), [GEMM, MOE])).toEqual([
      'fp8 products take 9.0 times as long as bfloat16 ones',
    ]);
    expect(doubts(times({ gemm: 1, moe: 10 }), times({ gemm: 1, moe: 1 }), [GEMM, MOE])).toEqual([
      'experts of a decode pass take 10.0 times what a formula says',
    ]);
    expect(doubts(times({ gemm: 1, moe: 1 }), times({ gemm: 1, moe: 1 }), [GEMM, MOE])).toEqual([]);
  });
});

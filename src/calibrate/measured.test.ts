import { describe, expect, it } from 'vitest';
import type { TraceSource } from '../traces/form.js';
import { readMeasured } from './measured.js';

function source(...rows: object[]): TraceSource {
  const texts = rows.map((row) => JSON.stringify(row));
  return {
    path: 'measured.json',
    chunks: () => [new TextEncoder().encode(texts.join('\n'))],
    lines: () => texts.map((text, index) => ({ line: index + 1, text })),
  };
}

const BENCH = {
  input_lens: [10, 20, 30],
  output_lens: [3, 5, 1],
  ttfts: [0.5, 0.75, 0.25],
  itls: [[0.25, 0.5], [0.125], []],
  errors: ['', 'timed out', ''],
};

describe('what was measured', () => {
  it('by the benchmarks of vLLM and SGLang, but for requests that failed', () => {
    const rows = readMeasured(source(BENCH), 'bench');
    const common = { line: 1, arrivalMs: undefined, cachedTokens: undefined };
    expect(rows).toEqual([
      { ...common, inputTokens: 10, outputTokens: 3, ttftMs: 500, tpotMs: 375, e2eMs: 1250 },
      { ...common, inputTokens: 30, outputTokens: 1, ttftMs: 250, tpotMs: undefined, e2eMs: 250 },
    ]);
  });

  it('with the times of newer ones, in their order', () => {
    const rows = readMeasured(source({ ...BENCH, errors: [], start_times: [7, 9, 5] }), 'bench');
    expect(rows.map(({ arrivalMs, inputTokens }) => [arrivalMs, inputTokens])).toEqual([
      [5000, 30],
      [7000, 10],
      [9000, 20],
    ]);
  });

  it('by LLMServingSim, its two clocks put together', () => {
    const row = (arrival: number, queued: number, first: number, last: number) => ({
      input_toks: 8,
      output_toks: 5,
      arrival_time: 1000 + arrival,
      queued_ts: 50 + queued,
      scheduled_ts: 50 + queued,
      first_token_ts: 50 + first,
      last_token_ts: 50 + last,
    });
    // The second request was queued a quarter of a second after it had come.
    const rows = readMeasured(source(row(0, 0, 0.5, 2.5), row(1, 1.25, 2, 3)), 'llmservingsim');
    expect(rows.map(({ arrivalMs, ttftMs, tpotMs, e2eMs }) => [arrivalMs, ttftMs, tpotMs, e2eMs])).toEqual([
      [50_000, 500, 500, 2500],
      [51_000, 1000, 250, 2000],
    ]);
  });

  it.each([
    [{ ...BENCH, ttfts: [1] }, 'bench', /ttfts: expected as many as input_lens \(3\), found 1/],
    [{ ...BENCH, itls: [[1], ['x'], []], errors: [] }, 'bench', /itls: expected a number, found "x"/],
    [{ input_lens: [1], output_lens: [1] }, 'bench', /ttfts: expected a list, found nothing/],
  ] as const)('says what is wrong with it: %o', (row, format, says) => {
    expect(() => readMeasured(source(row), format)).toThrow(says);
  });
});

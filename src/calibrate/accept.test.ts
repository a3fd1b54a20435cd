import { describe, expect, it } from 'vitest';
import { accept } from './accept.js';
import type { Measured } from './measured.js';

const ROWS: readonly Measured[] = Array.from({ length: 50 }, (_, i) => ({
  line: i + 1,
  arrivalMs: i * 100,
  inputTokens: 1000,
  outputTokens: 11,
  cachedTokens: 250,
  ttftMs: 100 + i,
  tpotMs: 20,
  e2eMs: 300 + i,
}));

const SIMULATED = {
  ttftMs: Float64Array.from(ROWS, ({ ttftMs }) => ttftMs),
  tpotMs: new Float64Array(50).fill(20),
  hitRate: 0.25,
  requestsPerMinute: (50 / (49 * 100 + 349)) * 60_000,
};

const held = (found: ReturnType<typeof accept>) =>
  Object.fromEntries(found.checks.map(({ key, holds }) => [key, holds]));

describe('a measured window and its simulation', () => {
  it('that agree are accepted', () => {
    const found = accept(ROWS, SIMULATED);
    expect(found).toMatchObject({ accepted: true, requests: 50, unknown: [] });
    for (const { difference } of found.checks) expect(difference).toBeCloseTo(0, 12);
  });

  it.each([
    ['ttftMs', { ttftMs: SIMULATED.ttftMs.map((ms) => ms * 1.16) }, ['p50_ttft_ms', 'p90_ttft_ms']],
    ['tpotMs', { tpotMs: SIMULATED.tpotMs.map((ms) => ms * 0.89) }, ['p50_itl_ms', 'p90_itl_ms']],
    ['hitRate', { hitRate: 0.29 }, ['hit_rate']],
    ['requestsPerMinute', { requestsPerMinute: SIMULATED.requestsPerMinute * 1.06 }, ['requests_per_minute']],
  ])('that differ in %s are not, and it is said where', (_, wrong, keys) => {
    const found = accept(ROWS, { ...SIMULATED, ...wrong });
    expect(found.accepted).toBe(false);
    expect(Object.keys(held(found)).filter((key) => !held(found)[key])).toEqual(keys);
  });

  it('are compared by what was measured alone', () => {
    const bare = ROWS.map((row) => ({
      ...row,
      arrivalMs: undefined,
      cachedTokens: undefined,
      tpotMs: undefined,
    }));
    const found = accept(bare, { ...SIMULATED, hitRate: 0.9 });
    expect(found).toMatchObject({ accepted: true, unknown: ['itl_ms', 'hit_rate', 'requests_per_minute'] });
  });

  it('keep to the limits that are given', () => {
    const limits = { ttft: 0, itl: 0, hitRate: 0, throughput: 1e-9 };
    expect(accept(ROWS, SIMULATED, limits).accepted).toBe(true);
    expect(accept(ROWS, { ...SIMULATED, hitRate: 0.2501 }, limits).accepted).toBe(false);
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../config/json.js';
import { type CheckResult, checkTranscript } from './check.js';
import { readTranscript } from './transcript.js';

const OWN = fileURLToPath(new URL('../../testing/ticks', import.meta.url));
const ALL = fileURLToPath(new URL('../../../../shared/reference/planner/ticks', import.meta.url));
/** Asks AI Configurator tables; tested where they are opened. */
const NEEDS_TABLES = ['sla_aic_perf_model_native.json'];

interface StoredTick {
  decision: unknown;
  scale_to: unknown;
  diagnostics: unknown;
}

/** Numbers of an answer brought to those expected, where they agree within the tolerance. */
function close(expected: unknown, actual: unknown): unknown {
  if (typeof expected === 'number' && typeof actual === 'number')
    return Math.abs(expected - actual) <= 1e-9 * Math.max(1, Math.abs(expected)) ? expected : actual;
  if (expected === null) return actual ?? null;
  if (typeof expected !== 'object') return actual;
  const found = (actual ?? {}) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(expected).map(([key, value]) => [key, close(value, found[key])]));
}

function checkFile(path: string): { stored: StoredTick[]; result: CheckResult } {
  const text = readFileSync(path, 'utf8');
  return {
    stored: (JSON.parse(text) as { ticks: StoredTick[] }).ticks,
    result: checkTranscript(readTranscript(parseJson(text), path)),
  };
}

const cases = (folder: string) =>
  existsSync(folder) ? readdirSync(folder).map((name) => ({ name, path: join(folder, name) })) : [];

describe('what the reference planner decided', () => {
  it.each([...cases(OWN), ...cases(ALL).filter(({ name }) => !NEEDS_TABLES.includes(name))])(
    '$name is decided alike',
    ({ path }) => {
      const { stored, result } = checkFile(path);
      expect(result.ticks).toHaveLength(stored.length);
      stored.forEach(({ decision, scale_to, diagnostics }, index) => {
        const expected = { decision, scale_to, diagnostics };
        expect(close(expected, result.ticks[index]), `tick ${index}`).toEqual(expected);
      });
      expect(result.match_rate).toBe(1);
    },
  );
});

describe('a transcript', () => {
  it('says where it differs', () => {
    const text = readFileSync(join(OWN, 'disagg_budget_band.json'), 'utf8');
    const file = JSON.parse(text);
    file.ticks[0].decision = { target_prefill: 9, target_decode: 9, next_tick_ms: 10_000 };
    const result = checkTranscript(readTranscript(parseJson(JSON.stringify(file)), 'changed.json'));
    expect(result.differences).toHaveLength(1);
    expect(result.differences[0]).toMatchObject({ at_ms: 5000, recorded: { prefill: 9, decode: 9 } });
    expect(result.match_rate).toBeCloseTo(1 - 1 / file.ticks.length, 12);
  });

  it.each([
    ['{"ticks": []}', 't.json: planner_config: expected an object, found null'],
    ['{"planner_config": "{"}', 't.json: planner_config: expected a quoted key'],
    ['{"planner_config": {"mode": "agg"}}', 't.json: capabilities: expected an object, found null'],
    [
      '{"planner_config": {"mode": "agg"}, "capabilities": {"decode": {}}, "ticks": [{}]}',
      't.json: ticks[0]: snapshot: expected an object, found null',
    ],
  ])('%s is refused in one line', (text, message) => {
    expect(() => readTranscript(parseJson(text), 't.json')).toThrow(message);
  });
});

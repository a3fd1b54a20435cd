import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonText } from '../config/json.js';
import type { ReplayOptions } from '../config/scenario/options.js';
import { scenarioJson } from '../config/scenario/scenario.js';
import { replay } from '../replay.js';
import { scenarioOf } from '../setup/scenario.js';
import { advise } from './advise.js';
import { changed } from './change.js';
import { gainsOf, harms } from './trial.js';

const LOAD: ReplayOptions = { inputTokens: 600, outputTokens: 80, requestCount: 300 };

async function advised(options: ReplayOptions) {
  const result = await replay(options);
  return { base: result.report, advice: await advise(scenarioOf(options), result) };
}

const STARVED: ReplayOptions = { ...LOAD, requestRate: 12, extraEngineArgs: '{"max_num_seqs":4}' };

describe('advice', () => {
  it('finds the setting that holds a fleet back, and claims what a run with it measures', async () => {
    const { base, advice } = await advised(STARVED);
    expect(advice.verdict.state).toBe('overloaded');
    expect(advice.bottlenecks[0]).toMatchObject({ limit: 'max_num_seqs', latency: 'ttft' });
    const [remedy] = advice.bottlenecks[0].remedies;
    expect(Object.keys(remedy.change)).toEqual(['extra_engine_args.max_num_seqs']);
    const { report } = await replay(changed(scenarioOf(STARVED), remedy.change));
    const gains = gainsOf(base, report);
    expect(gains.mean_ttft).toBeGreaterThan(0.2);
    for (const [name, gain] of Object.entries(remedy.gain)) expect(gains[name]).toBeCloseTo(gain, 3);
    expect(harms(gains)).toBe(false);
  });

  it('is the same every time', async () => {
    const [first, second] = [await advised(STARVED), await advised(STARVED)];
    expect(second.advice).toEqual(first.advice);
  });

  it('tries nothing where nothing waits', async () => {
    const { advice } = await advised({ ...LOAD, requestRate: 1 });
    expect(advice.verdict.state).toBe('stable');
    expect(advice.advice.tried_changes).toBe(0);
  });

  it('calls a fleet overloaded by what it can serve at most, not by how long requests take when many are in flight', async () => {
    // Passes grow longer with what runs: latency climbs to a plateau, which is no overload.
    const { verdict } = (await advised({ ...LOAD, requestCount: 600, requestRate: 15 })).advice;
    expect(verdict.state).toBe('stable');
    const over = (await advised({ ...LOAD, requestCount: 2000, requestRate: 120 })).advice.verdict;
    expect(over).toMatchObject({ state: 'overloaded' });
  });

  it('judges agents that wait for each other as a whole, since no part of them can be run alone', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({
      request_id: `r${i}`,
      timestamp: i,
      output_length: 40,
      hash_ids: [i],
      wait_for: i % 3 === 2 ? [`r${i - 1}`] : [],
      tool_wait_ms: 0,
    }));
    const trace = join(mkdtempSync(join(tmpdir(), 'advice-')), 'agents.jsonl');
    writeFileSync(trace, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { advice } = await advised({
      traceFiles: [trace],
      traceFormat: 'agentic_mooncake',
      extraEngineArgs: '{"max_num_seqs":1}',
    });
    expect(advice.bottlenecks[0]).toMatchObject({ limit: 'max_num_seqs' });
  });

  it('names the longer context that serves requests which are refused', async () => {
    const options = { ...LOAD, requestRate: 1, requestCount: 20, extraEngineArgs: '{"max_model_len":400}' };
    const { advice } = await advised(options);
    const [anomaly] = advice.anomalies;
    expect(anomaly).toMatchObject({ name: 'unservable_requests', count: 20 });
    expect(anomaly.remedies[0].change).toEqual({ 'extra_engine_args.max_model_len': 1600 });
  });
});

describe('a change', () => {
  it('is made inside an object, beside it, and taken out again', () => {
    const base = scenarioOf({ ...LOAD, requestRate: 1, numWorkers: 2, extraEngineArgs: { block_size: 16 } });
    const textOf = (change: Record<string, unknown>) => jsonText(scenarioJson(changed(base, change)));
    const grown = textOf({ num_workers: 4, 'extra_engine_args.sglang.page_size': 2 });
    expect(grown).toContain('"num_workers":4');
    expect(grown).toContain('"extra_engine_args":{"block_size":16,"sglang":{"page_size":2}}');
    const shrunk = textOf({ 'extra_engine_args.block_size': null, num_workers: null });
    expect(shrunk).toContain('"extra_engine_args":{}');
    expect(shrunk).not.toContain('num_workers');
    expect(base.stages[0].workers).toBe(2);
  });
});

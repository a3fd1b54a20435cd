import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../config/input-error.js';
import { SpecDocument } from '../document.js';
import type { Evaluator, Job } from '../job.js';
import type { SweepRecord } from './ranking.js';
import { type SearchTables, searchAggregated, searchBoth, searchSplit } from './search.js';
import { readOptimizeSpec, specJson } from './spec.js';

interface StoredTables {
  evaluated: SweepRecord[];
  feasible: number[];
  best_feasible: number | null;
  best_infeasible: number | null;
}

/** An answer of the reference: a search, or a check of a spec. */
interface StoredSearch {
  name: string;
  call: 'agg' | 'disagg' | 'compare' | 'validate' | 'tp';
  spec: unknown;
  normalized_spec?: unknown;
  error?: unknown;
  result?: StoredTables & {
    agg: StoredTables;
    disagg: StoredTables;
    chosen: SweepRecord;
    chosen_mode: string;
  };
}

const FOLDERS = ['../../testing/searches', '../../../../shared/reference/sweep']
  .map((folder) => fileURLToPath(new URL(folder, import.meta.url)))
  .filter(existsSync);
const stored = new Map<string, StoredSearch>();
for (const folder of FOLDERS)
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')))
    stored.set(file, JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as StoredSearch);
const cases = [...stored.values()].filter(({ call }) => call !== 'tp');
const STATE = ['tp', 'workers', 'prefill_tp', 'decode_tp', 'prefill_workers', 'decode_workers'];

const read = ({ spec }: StoredSearch) =>
  readOptimizeSpec(SpecDocument.parse(JSON.stringify(spec), 'spec.json'));

/** Answers simulations with what the reference found for the same state. */
function fedWith(...tables: readonly StoredTables[]): Evaluator {
  const key = (state: readonly unknown[]) => state.map((value) => value ?? '').join(',');
  const known = new Map(
    tables
      .flatMap(({ evaluated }) => evaluated)
      .map((record) => [
        key([
          ...STATE.map((name) => record[name]),
          record.router_mode,
          ...(record.router_mode === 'kv_router'
            ? [record.overlap_score_credit, record.prefill_load_scale]
            : []),
        ]),
        record,
      ]),
  );
  const stateOf = ({ settings }: Job) => {
    const options = JSON.parse(settings);
    const router = options.router_config;
    return key([
      options.extra_engine_args?.aic_tp_size,
      options.num_workers,
      options.prefill_engine_args?.aic_tp_size,
      options.decode_engine_args?.aic_tp_size,
      options.num_prefill_workers,
      options.num_decode_workers,
      options.router_mode,
      ...(router ? [router.overlap_score_credit, router.prefill_load_scale] : []),
    ]);
  };
  return {
    run: async (job) => ({ metrics: known.get(stateOf(job)) as unknown as Record<string, number> }),
    close: async () => {},
  };
}

function expectTables(actual: SearchTables, expected: StoredTables): void {
  const states = (records: readonly SweepRecord[]) =>
    records.map((record) =>
      [...STATE, 'router_mode', 'overlap_score_credit', 'prefill_load_scale'].map((name) => record[name]),
    );
  expect(states(actual.evaluated)).toEqual(states(expected.evaluated));
  expect(actual.feasible).toEqual(expected.feasible);
  expect(actual.bestFeasible).toBe(expected.best_feasible);
  expect(actual.bestInfeasible).toBe(expected.best_infeasible);
  for (const [index, record] of actual.evaluated.entries())
    for (const column of ['score', 'objective', 'feasible', 'violation_penalty', 'total_gpus_used'])
      expect(record[column], `${column} of ${index}`).toEqual(expected.evaluated[index][column]);
}

describe('the search of the reference', () => {
  it.each(cases.filter(({ result }) => result))('walks as stored: $name', async (test) => {
    const spec = read(test);
    const { result } = test;
    const settings = { version: '0.14.0' };
    if (test.call === 'compare') {
      const evaluator = fedWith(result!.agg, result!.disagg);
      const answer = await searchBoth(spec, { ...settings, evaluator });
      expectTables(answer.agg, result!.agg);
      expectTables(answer.disagg, result!.disagg);
      expect(answer.chosenMode).toBe(result!.chosen_mode);
      expect(answer.chosen).toMatchObject({ score: result!.chosen.score });
    } else {
      const search = test.call === 'agg' ? searchAggregated : searchSplit;
      expectTables(await search(spec, { ...settings, evaluator: fedWith(result!) }), result!);
    }
  });

  it.each(cases.filter(({ error }) => error))('refuses as stored: $name', async (test) => {
    const run = async () => {
      const spec = read(test);
      const search = test.call === 'agg' ? searchAggregated : searchSplit;
      await search(spec, { version: '', evaluator: fedWith() });
    };
    await expect(run()).rejects.toThrow(InputError);
  });

  it.each(cases.filter((test) => test.normalized_spec))('reads as stored: $name', (test) => {
    expect(JSON.parse(specJson(read(test)))).toEqual(test.normalized_spec);
  });
});

describe('a spec', () => {
  const base = {
    engine: { model: 'm', backend: 'vllm' },
    hardware: { gpuSku: 'h200_sxm', totalGpus: 4 },
    workload: { isl: 1, osl: 1, requestCount: 1, concurrency: 1 },
  };
  const parse = (section: string, field: string, value: unknown) => {
    const spec = { ...base, [section]: { ...base[section as 'engine'], [field]: value } };
    return readOptimizeSpec(SpecDocument.parse(JSON.stringify(spec, null, 1), 'spec.json'));
  };

  it.each([
    ['4', 4],
    ['4.0', 4],
    [' 4 ', 4],
    ['4_0', 40],
    [true, 1],
    [4.0, 4],
    ['+4', 4],
  ])('takes %j for an integer, as the reference does', (given, expected) => {
    expect(parse('hardware', 'totalGpus', given).hardware.totalGpus).toBe(expected);
  });

  it.each([4.5, 'x', null, [1], '0x4', '1e1', 0, '-4', 1e30])(
    'refuses %j for an integer above 0',
    (given) => {
      expect(() => parse('hardware', 'totalGpus', given)).toThrow(/^spec\.json:\d+: hardware\.totalGpus: /);
    },
  );

  it('names the line of what is wrong', () => {
    const text = 'engine: {model: m, backend: vllm}\nhardware:\n  gpuSku: x\n  totalGpus: none\n';
    expect(() => readOptimizeSpec(SpecDocument.parse(text, 's.yaml'))).toThrow(
      /^s\.yaml:4: hardware\.totalGpus/,
    );
  });
});

describe('a failed run', () => {
  it('does not end the search', async () => {
    const spec = readOptimizeSpec(
      SpecDocument.parse(
        JSON.stringify({
          engine: { model: 'm', backend: 'vllm', baseEngineArgs: {} },
          hardware: { gpuSku: 'x', totalGpus: 4 },
          workload: { isl: 1, osl: 1, requestCount: 1, concurrency: 1 },
          router: { mode: 'round_robin' },
        }),
        's',
      ),
    );
    const evaluator: Evaluator = {
      run: async ({ settings }) => {
        const workers = JSON.parse(settings).num_workers as number;
        return workers === 4
          ? { failure: 'dead end', isInput: false }
          : { metrics: { output_throughput_tok_s: workers, mean_e2e_latency_ms: 1 } };
      },
      close: async () => {},
    };
    const { evaluated, feasible, bestInfeasible } = await searchAggregated(spec, { version: '', evaluator });
    expect(evaluated[0]).toMatchObject({ error: 'dead end', feasible: false, violation_penalty: Infinity });
    expect(evaluated[feasible[0]]).toMatchObject({ tp: 2, workers: 2 });
    expect(bestInfeasible).toBe(0);
  });
});

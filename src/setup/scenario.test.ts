import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, parseJson } from '../config/json.js';
import type { ReplayOptions } from '../config/scenario/options.js';
import { scenarioJson } from '../config/scenario/scenario.js';
import { readYaml, yamlText } from '../config/yaml.js';
import { readScenario, scenarioOf, withSettings } from './scenario.js';

const LOAD = { inputTokens: 10, outputTokens: 2, requestCount: 3, requestRate: 1 };
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const ratio = fc.double({ min: 0, max: 1, noNaN: true });

const engine = fc.record(
  {
    engine_type: fc.constantFrom('vllm', 'sglang', 'trtllm'),
    block_size: fc.constantFrom(16, 64),
    num_gpu_blocks: fc.integer({ min: 1, max: 1e9 }),
    max_num_seqs: fc.option(fc.integer({ min: 1, max: 500 }), { nil: null }),
    speedup_ratio: fc.double({ min: 0, max: 1e6, noNaN: true }),
    aic_mtp_seed: u64,
    aic_nextn: fc.integer({ min: 1, max: 5 }),
    enable_prefix_caching: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** Options of which every combination is a scenario. */
const options: fc.Arbitrary<ReplayOptions> = fc.record(
  {
    inputTokens: fc.constant(300),
    outputTokens: fc.constant(20),
    requestCount: fc.integer({ min: 1, max: 40 }),
    requestRate: fc.double({ min: 1, max: 1000, noNaN: true }),
    arrivalSeed: u64,
    turnsPerSession: fc.integer({ min: 1, max: 3 }),
    sharedPrefixRatio: ratio,
    numPrefixGroups: fc.integer({ min: 0, max: 4 }),
    interTurnDelayMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
    extraEngineArgs: engine,
    numWorkers: fc.integer({ min: 2, max: 8 }),
    routerMode: fc.constantFrom('round_robin', 'kv_router'),
    routerConfig: fc.record({ router_temperature: ratio, overlap_score_credit: ratio }),
    routerSeed: u64,
    overheads: fc.record({ step_ms: ratio, frontend_ms: ratio }, { requiredKeys: [] }),
    semantics: fc.constantFrom('dynamo-1.4.2', 'dynamo-1.6'),
    beyondReference: fc.boolean(),
    slaTtftMs: fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
  },
  { requiredKeys: ['inputTokens', 'outputTokens', 'requestCount', 'requestRate', 'numWorkers'] },
);

describe('a scenario', () => {
  it('is read from its JSON and its YAML as it was', () => {
    fc.assert(
      fc.property(options, (given) => {
        const scenario = readScenario(scenarioJson(scenarioOf(given)), 'x');
        const text = jsonText(scenarioJson(scenario));
        expect(readScenario(parseJson(text), 'x')).toEqual(scenario);
        const entries = readYaml(yamlText(scenarioJson(scenario)), 'x.yaml');
        const again = new Map([...entries].map(([key, { value }]) => [key, value]));
        expect(readScenario(again, 'x')).toEqual(scenario);
        expect(jsonText(again)).toBe(text);
      }),
    );
  });

  it('keeps every digit of a seed', () => {
    const most = (1n << 64n) - 1n;
    const { workload, router, stages } = scenarioOf({
      ...LOAD,
      ...{ numWorkers: 2, routerMode: 'kv_router', arrivalSeed: 9007199254740993n, routerSeed: most },
      extraEngineArgs: { aic_mtp_seed: most },
    });
    expect([workload.arrivalSeed, router.seed, stages[0].engine.speculationSeed]).toEqual([
      9007199254740993n,
      most,
      most,
    ]);
  });

  it('is changed by keys into another one, and stays as it is', () => {
    const scenario = scenarioOf({ ...LOAD, extraEngineArgs: { block_size: 16 } });
    const changed = withSettings(
      scenario,
      { num_workers: 4, 'extra_engine_args.max_num_seqs': 7, 'extra_engine_args.block_size': undefined },
      'trial 3',
    );
    expect(changed.stages[0]).toMatchObject({ workers: 4, engine: { maxSequences: 7, blockTokens: 64 } });
    expect(scenario.stages[0]).toMatchObject({ workers: 1, engine: { maxSequences: 256, blockTokens: 16 } });
    expect(() => withSettings(scenario, { 'extra_engine_args.max_num_seq': 7 }, 'trial 3')).toThrow(
      'trial 3: extra_engine_args: max_num_seq: unknown field, did you mean max_num_seqs?',
    );
  });
});

describe('options of the library', () => {
  it('may be numbers, big numbers, objects and JSON text', () => {
    const text = scenarioOf({ ...LOAD, arrivalSeed: 7n, extraEngineArgs: '{"block_size":16}' });
    expect(scenarioOf({ ...LOAD, arrivalSeed: 7, extraEngineArgs: { block_size: 16 } })).toEqual(text);
  });

  it.each<[object, string]>([
    [{ numWorker: 4 }, 'numWorker: unknown option, did you mean numWorkers?'],
    [{ routerMode: 'kv' }, 'routerMode: found "kv", allowed are round_robin, kv_router'],
    [
      { traceFormat: 'moonckae' },
      'traceFormat: found "moonckae", allowed are mooncake, mooncake-delta, agentic_mooncake, applied_compute_agentic, dynamo, aiperf, aiperf-inputs, azure, bailian, bench, blis, burstgpt, chat, claude-code, codex, dynamo-requests, llmservingsim, lengths, llmservingsim-sessions, otel, requests, servegen, servegen-chunks, sharegpt, splitwise, tracelab, vidur, weka',
    ],
    [{ arrivalSeed: 1.5 }, 'arrivalSeed: expected an unsigned 64-bit integer, found 1.5'],
    [
      { arrivalSeed: 2 ** 60 },
      'arrivalSeed: expected an unsigned 64-bit integer, found 1.152921504606847e+18',
    ],
    [{ numWorkers: '4' }, 'numWorkers: expected an unsigned integer, found "4"'],
    [{ numWorkers: 0 }, 'numWorkers: 0 is out of range, allowed is 1 to 2147483647'],
    [{ requestRate: Number.NaN }, 'requestRate: must be a finite number, found NaN'],
    [
      { extraEngineArgs: { blocksize: 16 } },
      'extraEngineArgs: blocksize: unknown field, did you mean block_size?',
    ],
    [{ extraEngineArgs: '{' }, 'extraEngineArgs: not valid JSON at character 2: expected a quoted key'],
    [{ extraEngineArgs: [16] }, 'extraEngineArgs: expected a JSON object'],
    [
      { numPrefillWorkers: 2 },
      'numPrefillWorkers and numDecodeWorkers need a disaggregated fleet; use numWorkers',
    ],
    [{ records: 'some' }, 'records: found some'],
  ])('%o are refused in one line', (wrong, says) => {
    const message = (() => {
      try {
        scenarioOf({ ...LOAD, ...wrong });
        return 'nothing';
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    })();
    expect(message).toBe(`InputError: ${says}`);
  });
});

describe('what goes beyond the reference', () => {
  const stages = (args: object, decode: object = args) => ({
    prefillEngineArgs: { worker_type: 'prefill', ...args },
    decodeEngineArgs: { worker_type: 'decode', ...decode },
  });
  it.each<[string, ReplayOptions]>([
    ['stages of TensorRT-LLM', stages({ engine_type: 'trtllm' })],
    ['unequal blocks', stages({ block_size: 16 }, { block_size: 32 })],
    ['one routed worker', { routerMode: 'kv_router' }],
  ])('%s need to be allowed', (_, given) => {
    expect(() => scenarioOf({ ...LOAD, ...given })).toThrow(/beyondReference allows/);
    expect(scenarioOf({ ...LOAD, ...given, beyondReference: true }).rules.beyondReference).toBe(true);
  });

  const trace = { traceFiles: ['x'], traceFormat: 'agentic_mooncake' } as const;
  it.each<[string, ReplayOptions]>([
    ['agents with a concurrency', { ...trace, replayConcurrency: 2 }],
    ['agents in stages', { ...trace, ...stages({}) }],
    ['growing prompts in stages', { ...trace, traceFormat: 'mooncake-delta', ...stages({}) }],
  ])('%s need to be allowed', (_, given) => {
    expect(() => scenarioOf(given)).toThrow(/beyondReference allows/);
    expect(scenarioOf({ ...given, beyondReference: true }).rules.beyondReference).toBe(true);
  });

  it('lets a bandwidth of 0 mean that transfers take no time', () => {
    const given = { ...LOAD, ...stages({ kv_transfer_bandwidth: 0 }) };
    const speeds = [false, true].map(
      (beyondReference) =>
        scenarioOf({ ...given, beyondReference }).stages[0].engine.transfer.gigabytesPerSecond,
    );
    expect(speeds).toEqual([0, undefined]);
  });
});

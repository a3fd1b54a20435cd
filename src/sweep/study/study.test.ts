import { describe, expect, it } from 'vitest';
import { InputError } from '../../config/input-error.js';
import { SpecDocument } from '../document.js';
import type { Evaluator, Job, Outcome } from '../job.js';
import { inlineEvaluator } from '../run-job.js';
import { highestLoad } from './load.js';
import { readStudySpec } from './read-spec.js';
import { recommendationText } from './result-json.js';
import { runStudy } from './study.js';

const NO_TABLES = '/nowhere';
const read = (text: string) => readStudySpec(SpecDocument.parse(text, 'study.yaml'), NO_TABLES);

/** Settings that the made-up fleets below look at. */
interface Settings {
  num_workers?: number;
  router_mode?: string;
  request_rate?: number;
  extra_engine_args?: { max_num_seqs: number };
}

/** A made-up fleet: what comes of a job is a formula of its settings. */
function madeUp(answer: (settings: Settings, job: Job) => Outcome): Evaluator & { runs: number } {
  return {
    runs: 0,
    async run(job) {
      this.runs++;
      return answer(JSON.parse(job.settings), job);
    },
    close: async () => {},
  };
}

const BASE =
  'base: {input_tokens: 100, output_tokens: 10, request_count: 20, replay_concurrency: 2, beyond_reference: true}';
const WIDE = `
${BASE}
search:
  num_workers: {range: {min: 1, max: 8}}
  extra_engine_args.max_num_seqs: {choices: [64, 128, 256, 512]}
  router_mode: {choices: [round_robin, kv_router]}
`;
const reported = (tokens: number, ttft: number, gpus = 1): Outcome => ({
  metrics: {
    output_throughput_tok_s: tokens,
    mean_ttft_ms: ttft,
    mean_output_token_throughput_per_user: 1000 / tokens,
    duration_ms: 3_600_000,
    gpu_hours: gpus,
    total_output_tokens: tokens * 3600,
  },
});
/** More workers give more and cost more; the best batch is 256, and TTFT goes up with it. */
const hill = (settings: Settings) => {
  const { num_workers: workers = 1, extra_engine_args: engine, router_mode: mode } = settings;
  const batch = engine!.max_num_seqs;
  const gain = mode === 'kv_router' ? 1.1 : 1;
  return reported(100 * workers * gain - Math.abs(batch - 256), 10 * workers + batch, workers);
};

describe('a study', () => {
  it.each([
    ['exhaustive', 64],
    ['coordinate', 64],
    ['random', 64],
    ['tpe', 64],
    ['nsga2', 64],
  ])('finds the best of a small space by %s', async (algorithm, most) => {
    const spec = read(`${WIDE}optimizer: {algorithm: ${algorithm}, max_trials: ${most}}`);
    const { winner } = await runStudy(spec, madeUp(hill));
    expect(winner!.candidate.labels).toEqual({
      num_workers: '8',
      'extra_engine_args.max_num_seqs': '256',
      router_mode: 'kv_router',
    });
    expect(winner!.values[0]).toBeCloseTo(880, 9);
  });

  it.each(['coordinate', 'random', 'tpe', 'nsga2', 'halving'])(
    'is the same whatever order runs end in, by %s',
    async (algorithm) => {
      const spec = read(`${WIDE}optimizer: {algorithm: ${algorithm}, max_trials: 24}`);
      let turn = 0;
      const late: Evaluator = {
        run: async (job) => {
          for (let wait = (turn++ * 7) % 5; wait > 0; wait--) await new Promise(setImmediate);
          return hill(JSON.parse(job.settings));
        },
        close: async () => {},
      };
      const [one, other] = [await runStudy(spec, madeUp(hill)), await runStudy(spec, late)];
      expect(recommendationText(other)).toBe(recommendationText(one));
    },
  );

  it('says why candidates are rejected, and names the best of those that are not', async () => {
    const spec = read(`${WIDE}goals: {ttft_ms: 200}\ntarget: throughput\noptimizer: {algorithm: exhaustive}`);
    const { entries, ranking, winner } = await runStudy(spec, madeUp(hill));
    expect(entries).toHaveLength(64);
    for (const { status, reason, metrics } of entries) {
      expect(status).toBe(metrics.mean_ttft_ms > 200 ? 'infeasible' : 'feasible');
      if (status === 'infeasible') expect(reason).toMatch(/mean TTFT .* against 200 ms$/);
    }
    expect(winner).toBe(ranking[0]);
    expect(winner!.candidate.labels).toMatchObject({
      num_workers: '8',
      'extra_engine_args.max_num_seqs': '64',
    });
  });

  it('gives the whole front of two targets', async () => {
    const spec = read(`${WIDE}target: [throughput, ttft]\noptimizer: {algorithm: exhaustive}`);
    const { front, entries } = await runStudy(spec, madeUp(hill));
    const isBeaten = (values: readonly number[]) =>
      entries.some(
        ({ values: [throughput, ttft] }) =>
          throughput >= values[0] && ttft <= values[1] && (throughput > values[0] || ttft < values[1]),
      );
    for (const entry of entries) {
      const equal = front.some(({ values }) => values.every((value, at) => value === entry.values[at]));
      expect(equal).toBe(!isBeaten(entry.values));
    }
  });

  it('keeps candidates that cannot be run in the ledger', async () => {
    const spec = read(`${BASE}\nsearch:\n  num_workers: {choices: [1, 0, 2]}`);
    const { entries } = await runStudy(
      spec,
      madeUp(() => reported(1, 1)),
    );
    expect(entries[1]).toMatchObject({ status: 'unsupported' });
    expect(entries[1].reason).toContain('num_workers');
  });

  it('tells failures and runs that were given up', async () => {
    const spec = read(`${BASE}\nsearch:\n  num_workers: {choices: [1, 2, 3]}\ngoals: {ttft_ms: 5}`);
    const { entries, winner } = await runStudy(
      spec,
      madeUp(({ num_workers: workers = 1 }) => {
        if (workers === 1) return { failure: 'dead end', isInput: false };
        const run = reported(workers, 1);
        return workers === 2 ? { ...run, stopped: 'mean TTFT at least 9.0 s' } : run;
      }),
    );
    expect(entries.map(({ status }) => status)).toEqual(['failed', 'stopped', 'feasible']);
    expect(entries.map(({ reason }) => reason)).toEqual([
      'dead end',
      'given up: mean TTFT at least 9.0 s',
      '',
    ]);
    expect(winner!.candidate.labels.num_workers).toBe('3');
  });

  it('asks for the highest load of each candidate', async () => {
    const spec = read(
      `${BASE}\nsearch:\n  num_workers: {choices: [1, 2, 4]}\nload: {request_rate: {min: 0.1, max: 1000}}\ngoals: {ttft_ms: 50}`,
    );
    const evaluator = madeUp(({ num_workers: workers = 1, request_rate: rate = 0 }) =>
      reported(rate, (rate / workers) * 10),
    );
    const { entries, winner } = await runStudy(spec, evaluator);
    for (const [at, workers] of [1, 2, 4].entries()) {
      expect(entries[at].load).toBeLessThanOrEqual(5 * workers);
      expect(entries[at].load).toBeGreaterThan(5 * workers * 0.97);
    }
    expect(winner!.candidate.labels.num_workers).toBe('4');
  });

  it('finds the smallest fleet that keeps the goals, and looks at no larger one', async () => {
    const spec = read(
      `${BASE}\nsearch:\n  num_workers: {range: {min: 1, max: 32}}\ngoals: {ttft_ms: 100}\ntarget: gpus`,
    );
    const evaluator = madeUp(({ num_workers: workers = 1 }) => reported(1, 1000 / workers, workers));
    const { winner, entries } = await runStudy(spec, evaluator);
    expect(winner!.gpus).toBe(10);
    expect(entries.find(({ candidate }) => candidate.gpus === 20)).toMatchObject({
      status: 'skipped',
      reason: '10 GPUs are enough, this has 20',
    });
  });

  it('confirms the winner on windows and on what was held out', async () => {
    const spec = read(
      `${BASE}\nsearch:\n  num_workers: {choices: [1, 2]}\nwindows: {count: 4, held_out: 0.2}`,
    );
    const parts = new Set<string>();
    const { confirmation } = await runStudy(
      spec,
      madeUp(({ num_workers: workers = 1 }, { part }) => {
        parts.add(`${part?.from.toFixed(2)} ${part?.to.toFixed(2)}`);
        return reported(workers * 10 + (part?.from ?? 0), 1);
      }),
    );
    expect([...parts]).toEqual([
      '0.00 0.80',
      '0.80 1.00',
      '0.00 0.20',
      '0.20 0.40',
      '0.40 0.60',
      '0.60 0.80',
    ]);
    const [best, second] = confirmation!.contenders;
    expect(best.mean).toBeCloseTo(20.3, 9);
    expect(best.low).toBeGreaterThanOrEqual(20);
    expect(best.high).toBeLessThanOrEqual(20.6);
    expect([best.best, second.best]).toEqual([1, 0]);
    expect(confirmation!.heldOut!.values[0]).toBeCloseTo(20.8, 9);
  });

  it('runs real simulations, whose result the settings of an entry repeat', async () => {
    const spec = read(`${BASE}\nsearch:\n  num_workers: {choices: [1, 2]}\ngoals: {ttft_ms: 1000}`);
    const evaluator = inlineEvaluator();
    const { entries } = await runStudy(spec, evaluator);
    const again = await inlineEvaluator().run({ settings: entries[1].job!.settings });
    expect('metrics' in again && again.metrics).toEqual(entries[1].metrics);
    expect(entries[1].metrics.completed_requests).toBe(20);
  });
});

describe('a spec of a study', () => {
  it.each([
    ['target: speed', /^study\.yaml:1: target: found "speed".*; allowed are throughput, /],
    ['goals: {tftt_ms: 1}', /^study\.yaml:1: goals\.tftt_ms: unknown goal/],
    ['goals: {ttft_ms: no}', /goals\.ttft_ms: expected a number, found "no"/],
    ['serch: {}', /serch: unknown field, did you mean search\?/],
    ['search: {num_worker: {choices: [1]}}', /num_worker is no setting, did you mean num_workers\?/],
    ['search: {num_workers: {choices: []}}', /must not be empty/],
    ['search: {num_workers: {range: {min: 4, max: 1}}}', /max: lies below min \(4\)/],
    ['search: {num_workers: [1, 2]}', /expected an object/],
    ['base: {trace: a}', /nothing to search/],
    ['target: cost\nsearch: {num_workers: {choices: [1]}}', /gpu_hour_price: target cost needs it/],
    ['target: goodput\nsearch: {num_workers: {choices: [1]}}', /goodput needs goals/],
    ['load: {request_rate: {max: 5}}', /needs goals/],
    ['fleet: {gpu: h200_sxm, max_gpus: 4}', /fleet\.model: is missing/],
    ['fleet: {model: x, gpu: y, max_gpus: 0}', /max_gpus: must be at least 1, found 0/],
  ])('refuses %j in one line', (text, message) => {
    expect(() => read(text)).toThrow(InputError);
    expect(() => read(text)).toThrow(message);
  });

  it('reads ranges and presets', () => {
    const { space } = read(`
search:
  num_workers: {range: {min: 1, max: 8, scale: log}}
  arrival_speedup_ratio: {range: {min: 0.5, max: 1.5, step: 0.25}}
  batching:
    preset:
      small: {engine_args.max_num_seqs: 8, engine_args.max_num_batched_tokens: 512}
      large: {engine_args.max_num_seqs: 512}
`);
    const labels = space.parameters.map(({ options }) => options.map(({ label }) => label));
    expect(labels).toEqual([
      ['1', '2', '4', '8'],
      ['0.5', '0.75', '1', '1.25', '1.5'],
      ['small', 'large'],
    ]);
    expect(space.size).toBe(40);
  });
});

describe('the highest load', () => {
  it.each([1, 7, 100, 333, 1024])('is %i where that is the last good one', async (limit) => {
    const question = { setting: 'replay_concurrency', min: 1, max: 1024 } as const;
    for (const guess of [undefined, 1, 50, 1024]) {
      const found = await highestLoad(question, guess, async (load) => load <= limit);
      expect(found).toBeLessThanOrEqual(limit);
      expect(found).toBeGreaterThanOrEqual(Math.floor(limit / 1.021));
    }
  });

  it('is none where the least load is too much', async () => {
    const question = { setting: 'request_rate', min: 1, max: 100 } as const;
    expect(await highestLoad(question, undefined, async () => false)).toBeUndefined();
  });
});

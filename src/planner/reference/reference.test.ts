import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../config/json.js';
import { fitOne, fitPair } from './budget.js';
import { readPlannerConfig } from './config.js';
import { KalmanModel } from './forecast/kalman.js';
import { ConstantModel, SkippingIdleStart } from './forecast/predictor.js';
import { fitSamples } from './perf/fit.js';
import { toNanoseconds, toSeconds } from './perf/nanoseconds.js';
import { SampleStore } from './perf/sample-store.js';

const config = (text: string) => readPlannerConfig(parseJson(text), '--planner-config');

describe('a planner configuration', () => {
  it('reads numbers and truth values written as text, and leaves unknown fields alone', () => {
    const { maxGpus, scalesLoad, goals } = config(
      '{"mode":"agg","optimization_target":"sla","max_gpu_budget":" 12 ","enable_load_scaling":"yes","ttft":"250.5","x":1}',
    );
    expect({ maxGpus, scalesLoad, ttftMs: goals.ttftMs }).toEqual({
      maxGpus: 12,
      scalesLoad: true,
      ttftMs: 250.5,
    });
  });

  it.each([
    ['{"load_adjustment_interval": 10}', 10],
    ['{"optimization_target": "sla"}', 5],
    [
      '{"optimization_target":"sla","throughput_adjustment_interval_seconds":7,"load_adjustment_interval_seconds":3}',
      1,
    ],
    [
      '{"optimization_target":"sla","enable_throughput_scaling":"no","enable_load_scaling":1,"load_adjustment_interval_seconds":3}',
      3,
    ],
    ['{"scheduling": {"scale_interval_seconds": 0.5}}', 0.5],
  ])('%s ticks every %d s', (text, seconds) => {
    expect(config(text.replace('{', '{"mode":"agg",')).intervals.tick).toBe(seconds);
  });

  it.each([
    ['[1]', 'expected an object, found a list'],
    ['{"mode":"both"}', 'mode: expected one of disagg, prefill, decode, agg, found "both"'],
    ['{"mode":"prefill"}', 'mode: a replay supports agg or disagg, found "prefill"'],
    ['{"mode":"agg","max_gpu_budget":"many"}', 'max_gpu_budget: expected an integer, found "many"'],
    ['{"mode":"agg","max_gpu_budget":2.5}', 'max_gpu_budget: expected an integer, found 2.5'],
    ['{"mode":"agg","max_gpu_budget":null}', 'max_gpu_budget: expected an integer, found null'],
    ['{"mode":"agg","ttft_ms":0}', 'ttft_ms: expected more than 0, found 0'],
    ['{"mode":"agg","report_interval_hours":0}', 'report_interval_hours: expected a positive finite number'],
    [
      '{"mode":"agg","fpm_sample_bucket_size":10}',
      'fpm_sample_bucket_size: expected a perfect square, found 10',
    ],
    ['{"mode":"agg","environment":"global-planner"}', 'global_planner_namespace: needed'],
    [
      '{"mode":"agg","optimization_target":"load"}',
      'decode_scale_up_kv_rate and decode_scale_down_kv_rate are needed',
    ],
    [
      '{"optimization_target":"load","decode_scale_up_kv_rate":50,"decode_scale_down_kv_rate":2}',
      'prefill_scale_up_queue_tokens and',
    ],
    [
      '{"mode":"agg","optimization_target":"load","decode_scale_up_kv_rate":20,"decode_scale_down_kv_rate":20}',
      'decode_scale_up_kv_rate: expected more than decode_scale_down_kv_rate, which is 20, found 20',
    ],
    [
      '{"mode":"agg","optimization_target":"load","decode_scale_up_kv_rate":120}',
      'decode_scale_up_kv_rate: expected at most 100, found 120',
    ],
    ['{"mode":"agg","optimization_target":"sla","enable_throughput_scaling":false}', 'at least one of'],
    [
      '{"mode":"agg","optimization_target":"sla","throughput_adjustment_interval":0}',
      'throughput_adjustment_interval_seconds: expected more than 0',
    ],
    [
      '{"mode":"agg","load_adjustment_interval":0}',
      'load_adjustment_interval: expected more than 0, found 0',
    ],
    ['{"mode":"agg","scheduling":{"scale_interval_seconds":2}}', 'must evenly divide'],
    [
      '{"mode":"agg","scheduling":{"scale_interval_seconds":0}}',
      'scheduling: scale_interval_seconds: expected more than 0, found 0',
    ],
    ['{"mode":"agg","scheduling":{"foo":1}}', 'scheduling: foo: unknown field'],
    [
      '{"mode":"agg","optimization_target":"sla","enable_load_scaling":true,"load_adjustment_interval":5,"throughput_adjustment_interval":5}',
      'must be less than',
    ],
    [
      '{"mode":"agg","optimization_target":"sla","load_predictor":"lstm"}',
      'load_predictor: expected one of constant, arima, kalman, prophet, found "lstm"',
    ],
    [
      '{"mode":"agg","aic_perf_model":{"hf_id":"x","system":"y","backend":"vllm"}}',
      'decode_pick is needed with mode agg',
    ],
  ])('%s is refused: %s', (text, message) => {
    expect(() => config(text)).toThrow(message);
  });
});

describe('a GPU budget', () => {
  it('caps one stage, and lifts it to its floor', () => {
    expect(fitOne(9, 2, { min: -1, max: 8, minWorkers: 1 })).toBe(4);
    expect(fitOne(1, 2, { min: 7, max: -1, minWorkers: 1 })).toBe(4);
    expect(fitOne(3, 2, { min: 8, max: 8, minWorkers: 1 })).toBe(3);
    expect(fitOne(3, 2, { min: -1, max: 3, minWorkers: 2 })).toBe(0);
  });

  it('never lets two stages cost more than it allows', () => {
    const workers = fc.integer({ min: 1, max: 40 });
    const gpus = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(workers, workers, gpus, gpus, fc.integer({ min: 16, max: 64 }), (p, d, gp, gd, max) => {
        const fitted = fitPair(
          { prefill: p, decode: d },
          { prefill: gp, decode: gd },
          { min: -1, max, minWorkers: 1 },
        );
        expect(fitted.prefill * gp + fitted.decode * gd).toBeLessThanOrEqual(max);
        expect(Math.min(fitted.prefill, fitted.decode)).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});

describe('forecasts', () => {
  it('leave out an idle start, and again after history', () => {
    const predictor = new SkippingIdleStart(new ConstantModel());
    for (const value of [0, Number.NaN, 4, 0]) predictor.add(value);
    expect(predictor.predict()).toBe(0);
    predictor.add(7);
    predictor.rest();
    predictor.add(0);
    expect(predictor.predict()).toBe(7);
  });

  it('of a Kalman filter follow a level with a trend', () => {
    const model = new KalmanModel({ level: 1, trend: 0.1, measurement: 10, isLogarithmic: false });
    model.add(10);
    expect(model.predict()).toBe(10);
    // By hand: P = [[2001, 1000], [1000, 1000.1]], K = [2001, 1000] / 2011 for an error of 2.
    model.add(12);
    expect(model.predict()).toBeCloseTo(10 + (2 * 3001) / 2011, 10);
    for (let i = 0; i < 200; i++) model.add(14 + 2 * i);
    expect(model.predict()).toBeCloseTo(14 + 400, 6);
  });
});

describe('times of passes', () => {
  it('bend where the measured ones do', () => {
    const tokens = [100, 1111, 2122, 3133, 4144, 5155, 6166, 7177, 8188];
    const ms = [
      23.888192, 107.979469, 196.149988, 277.038257, 365.541154, 464.03249, 559.843103, 655.47728, 751.20516,
    ];
    const samples = { axes: [Float64Array.from(tokens)], y: Float64Array.from(ms), count: tokens.length };
    const duration = fitSamples(samples, 5)!;
    expect(duration([1000])).toBeCloseTo(99.655222, 6);
    expect(duration([8192])).toBeCloseTo(753.575234, 6);
  });

  it('that fall with the work are not believed', () => {
    const samples = { axes: [Float64Array.of(1, 2, 3, 4, 5)], y: Float64Array.of(5, 4, 3, 2, 1), count: 5 };
    expect(fitSamples(samples, 5)).toBeUndefined();
  });

  it('of equal passes are their mean, whatever it is', () => {
    const samples = { axes: [new Float64Array(1).fill(3)], y: Float64Array.of(7), count: 1 };
    expect(fitSamples(samples, 1)!([100])).toBeCloseTo(7, 6);
  });

  it('are whole nanoseconds, half to even', () => {
    expect(toNanoseconds(2 ** -10)).toBe(976562);
    expect(toNanoseconds(3 * 2 ** -10)).toBe(2929688);
    expect(toNanoseconds(-1)).toBe(0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e15 }), (ns) => {
        expect(toNanoseconds(toSeconds(ns))).toBe(ns);
      }),
    );
  });
});

describe('a store of samples', () => {
  it('forgets the oldest of the most common size', () => {
    const store = new SampleStore(1, 4, 4);
    for (const [x, y] of [
      [0, 1],
      [100, 2],
      [1, 3],
      [2, 4],
      [3, 5],
    ])
      store.add([x], y);
    expect([...store.samples().y]).toEqual([3, 4, 5, 2]);
  });

  it('keeps as many as it may, all within what was seen', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 100 }), (points) => {
        const store = new SampleStore(2, 4, 16);
        points.forEach((point, index) => {
          store.add(point, index);
        });
        const { count, y } = store.samples();
        expect(count).toBe(Math.min(points.length, 16));
        expect(new Set(y).size).toBe(count);
      }),
    );
  });
});

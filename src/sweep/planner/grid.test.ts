import { describe, expect, it } from 'vitest';
import { type JsonObject, jsonText, readJson } from '../../config/json.js';
import { cliffsOf, gridRows, runGrid } from './grid.js';
import type { PlannedOutcome } from './planned-job.js';
import { plannedPool } from './planned-pool.js';
import { gridOf, readAxis } from './vary.js';

const json = (text: string) => readJson(text, 'test') as JsonObject;

describe('readAxis', () => {
  it.each([
    ['startup-time=0..30/10', [0, 10, 20, 30]],
    ['load-interval=1,2, 5', [1, 2, 5]],
    ['x=0..1/0.3', [0, 0.3, 0.6, 0.9]],
    ['planner=hpa,keda', ['hpa', 'keda']],
    ['x=1,10..30/20', [1, 10, 30]],
  ])('reads %s', (text, values) => {
    expect(readAxis(text).values).toEqual(values);
  });

  it.each(['startup-time', '=3', 'x=', 'x=1,,2', 'x=0..10', 'x=10..0/1', 'x=0..1/0', 'x=0..1e9/1'])(
    'refuses %s in one line',
    (text) => {
      expect(() => readAxis(text)).toThrow(/^--vary: [^\n]+$/);
    },
  );
});

describe('gridOf', () => {
  const base = json(
    '{"extra_engine_args":{"block_size":16},"planner_config":{"load_adjustment_interval":5}}',
  );

  it('sets every combination, the last axis quickest', () => {
    const points = gridOf(base, [readAxis('startup-time=1,2'), readAxis('load-interval=7,8')]);
    expect(points.map(({ values }) => values)).toEqual([
      [1, 7],
      [1, 8],
      [2, 7],
      [2, 8],
    ]);
    expect(JSON.parse(jsonText(points[3].settings))).toEqual({
      extra_engine_args: { block_size: 16, startup_time: 2 },
      planner_config: { load_adjustment_interval_seconds: 8 },
    });
    expect(JSON.parse(jsonText(base)).planner_config).toEqual({ load_adjustment_interval: 5 });
  });

  it('knows both engines of a fleet with stages, and places within settings', () => {
    const split = json('{"prefill_engine_args":{},"decode_engine_args":{}}');
    const [point] = gridOf(split, [readAxis('startup-time=3'), readAxis('planner_config.max_gpu_budget=9')]);
    expect(JSON.parse(jsonText(point.settings))).toEqual({
      prefill_engine_args: { startup_time: 3 },
      decode_engine_args: { startup_time: 3 },
      planner_config: { max_gpu_budget: 9 },
    });
  });

  it('refuses what is no setting, and too many runs', () => {
    expect(() => gridOf(base, [readAxis('startup-tim=1')])).toThrow('did you mean startup-time?');
    const many = readAxis('num-workers=1..200/1');
    expect(() => gridOf(base, [many, many])).toThrow('10000 runs at most');
  });
});

describe('cliffsOf', () => {
  const attained = (attainment: number) => ({ measures: { attainment } }) as PlannedOutcome;
  const cliffs = (...attainments: number[]) => {
    const axes = [{ name: 'x', values: attainments.map((_, index) => index) }];
    const points = attainments.map((_, index) => ({ values: [index], settings: new Map() }));
    return cliffsOf({ axes, points, outcomes: attainments.map(attained) }, 0.9);
  };

  it('is where attainment falls below what is wanted', () => {
    expect(cliffs(0.99, 0.95, 0.7, 0.1)).toEqual([
      { axis: 'x', at: {}, isBreak: true, from: 1, to: 2, attainment: [0.95, 0.7] },
    ]);
  });

  it('is the steepest fall where it is never enough, and nowhere where nothing falls', () => {
    expect(cliffs(0.8, 0.75, 0.3, 0.1)).toEqual([
      { axis: 'x', at: {}, isBreak: false, from: 1, to: 2, attainment: [0.75, 0.3] },
    ]);
    expect(cliffs(0.95, 0.93, 0.96)).toEqual([]);
    expect(cliffs(0.5, 0.48, 0.47)).toEqual([]);
  });
});

describe('runGrid', () => {
  it('has a row a point, errors included', async () => {
    const base = json(
      '{"input_tokens":256,"output_tokens":16,"request_count":30,"request_rate":5,"planner":"hpa","sla_ttft_ms":500}',
    );
    const axes = [readAxis('planner_config.target=2,-1')];
    const rows = gridRows(await runGrid(plannedPool(1), axes, gridOf(base, axes)));
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ 'planner_config.target': 2, attainment: expect.any(Number) });
    expect(rows[1].error).toContain('target: -1 is out of range');
  });
});

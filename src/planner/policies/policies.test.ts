import { describe, expect, it } from 'vitest';
import { parseJson } from '../../config/json.js';
import type { PlannerView, WorkerLoad } from '../planner.js';
import { policyOf } from './policies.js';

/** A fleet whose workers each have so many requests waiting and so much of their cache in use. */
function view(nowMs: number, workers: number, waitingRequests: number, kvUse = 0): PlannerView {
  const none = { value: 0, count: 0 };
  const ids = Array.from({ length: workers }, (_, id) => id);
  const loads: WorkerLoad[] = ids.map((worker) => ({ worker, waitingRequests, runningRequests: 0, kvUse }));
  return {
    nowMs,
    traffic: {
      ...{ seconds: 15, requests: 0, inputTokens: none, outputTokens: none, ttftMs: none, itlMs: none },
      ...{ hitRate: none, acceptLength: undefined, forwards: 0 },
    },
    stages: [
      {
        name: 'agg',
        capacity: {
          ...{ gpus: 1, maxBatchedTokens: undefined, maxRequests: undefined, kvTokens: undefined },
          ...{ contextTokens: undefined, draftTokens: undefined },
        },
        ...{ active: ids, starting: [], draining: [], passes: [], loads, runningRequests: 0, kvUse },
        waitingRequests: waitingRequests * workers,
      },
    ],
  };
}

const policy = (name: string, json = '{}') => policyOf(name, parseJson(json), 'planner_config');

describe('hpa', () => {
  it('brings the queue of a worker to its target', () => {
    expect(policy('hpa', '{"target": 4}').tick(view(15_000, 2, 6))).toEqual({ agg: 3 });
  });

  it('leaves a fleet alone that is within the tolerance', () => {
    expect(policy('hpa', '{"target": 10}').tick(view(15_000, 2, 11))).toEqual({ agg: 2 });
  });

  it('adds at most four workers, or as many as there are', () => {
    expect(policy('hpa', '{"max_workers": 100}').tick(view(15_000, 2, 400))).toEqual({ agg: 6 });
    expect(policy('hpa', '{"max_workers": 100}').tick(view(15_000, 10, 400))).toEqual({ agg: 20 });
  });

  it('goes down when the window is over', () => {
    const planner = policy('hpa', '{"down_window_seconds": 40}');
    expect(planner.tick(view(15_000, 4, 0))).toEqual({ agg: 4 });
    expect(planner.tick(view(30_000, 4, 0))).toEqual({ agg: 4 });
    expect(planner.tick(view(45_000, 4, 0))).toEqual({ agg: 1 });
  });
});

describe('keda', () => {
  it('brings the use of the KV cache to its target', () => {
    expect(policy('keda', '{"target": 0.5}').tick(view(15_000, 2, 0, 0.9))).toEqual({ agg: 4 });
  });
});

describe('saturation', () => {
  it('adds a worker where room is short, and takes one away where one fewer still has room', () => {
    expect(policy('saturation').tick(view(30_000, 2, 3))).toEqual({ agg: 3 });
    expect(policy('saturation').tick(view(30_000, 2, 0, 0.5))).toEqual({ agg: 2 });
    expect(policy('saturation').tick(view(30_000, 2, 0, 0.3))).toEqual({ agg: 1 });
    expect(policy('saturation').tick(view(30_000, 2, 9))).toEqual({ agg: 3 });
  });
});

describe('policyOf', () => {
  it.each([
    ['best', '{}', 'no policy "best"'],
    ['hpa', '{"goal": 1}', 'planner_config: goal: unknown field'],
    ['keda', '{"target": 70}', 'planner_config: target: 70 is out of range'],
    ['hpa', '{"min_workers": 9}', 'min_workers 9 must not be above max_workers 8'],
    ['hpa', '[]', 'planner_config: expected an object'],
  ])('refuses %s with %s', (name, json, message) => {
    expect(() => policy(name, json)).toThrow(message);
  });
});

describe('schedule', () => {
  const changes = '{"changes": [{"at_s": 10, "agg": 3}, {"at_s": 20.5, "agg": 1}]}';

  it('follows its timetable', () => {
    const planner = policy('schedule', changes);
    expect(planner.nextTickMs).toBe(10_000);
    expect(planner.tick(view(10_000, 1, 0))).toEqual({ agg: 3 });
    expect(planner.nextTickMs).toBe(20_500);
    expect(planner.tick(view(20_500, 3, 0))).toEqual({ agg: 1 });
    expect(planner.nextTickMs).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    ['{"changes": 3}', 'changes: expected a list, found 3'],
    ['{"change": []}', 'change: unknown field; known is changes'],
    ['{"changes": [{"agg": 3}]}', 'changes[0]: at_s: expected a number from 0, found null'],
    ['{"changes": [{"at_s": 1, "agg": 1.5}]}', 'changes[0]: agg: expected a whole number, found 1.5'],
    ['{"changes": [{"at_s": 1, "gpu": 1}]}', 'changes[0]: gpu: unknown field'],
    ['{"changes": [{"at_s": 1}, {"at_s": 1}]}', 'changes[1]: at_s must be later'],
  ])('refuses %s', (json, message) => {
    expect(() => policy('schedule', json)).toThrow(message);
  });
});

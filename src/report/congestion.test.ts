import { describe, expect, it } from 'vitest';
import { congestion, passageOf } from './congestion.js';
import { FlowSamples } from './flow.js';
import type { RequestOutcome } from './outcome.js';
import { type Course, verdictOf } from './verdict.js';

/** Requests that one server takes in turn, `serviceMs` each. */
function served(comingMs: readonly number[], serviceMs: number) {
  let freeMs = 0;
  return comingMs.map((ms) => {
    const startMs = Math.max(ms, freeMs);
    freeMs = startMs + serviceMs;
    return {
      comingMs: ms,
      handedOverMs: Number.NaN,
      goneMs: freeMs,
      waitMs: startMs - ms,
      isFirstTurn: true,
    };
  });
}

/** Arrivals at a pace that changes: [how many, milliseconds between two]. */
function arrivals(...phases: [count: number, gapMs: number][]): number[] {
  const times: number[] = [];
  let ms = 0;
  for (const [count, gapMs] of phases)
    for (let i = 0; i < count; i++) {
      times.push(ms);
      ms += gapMs;
    }
  return times;
}

function course(requests: Course['requests']): Course {
  const endMs = Math.max(...requests.map(({ goneMs }) => goneMs));
  return {
    requests,
    weight: 1,
    hasStages: false,
    isOpenLoop: true,
    unfinished: 0,
    rejected: 0,
    goals: undefined,
    busy: [],
    endMs,
  };
}

describe('the worst stretch of arrivals', () => {
  it('is the peak, not the calm before and after it, and its excess is that over the capacity', () => {
    // One is served in 100 ms; for 20 s one comes every 50 ms.
    const requests = served(arrivals([100, 400], [400, 50], [100, 400]), 100);
    const passage = passageOf(requests, '', Number.POSITIVE_INFINITY);
    const found = congestion(passage, passage.comingMs, 1, 100, { perMs: 1 / 100, serviceMs: 100 });
    expect(found).toMatchObject({ isOverload: true });
    expect(found!.fromMs).toBeCloseTo(40_000, -3);
    expect(found!.toMs).toBeCloseTo(60_000, -3);
    expect(found!.excess).toBeCloseTo(1, 1);
  });

  it('needs no measured capacity where the queue shows it', () => {
    const verdict = verdictOf(course(served(arrivals([100, 400], [400, 50], [100, 400]), 100)));
    expect(verdict).toMatchObject({ state: 'overloaded' });
    expect(verdict.excess).toBeGreaterThan(0.7);
    expect(verdict.excess).toBeLessThan(1.3);
  });

  it('is no overload where a burst comes at one moment and is worked off', () => {
    const verdict = verdictOf(course(served(arrivals([50, 0], [200, 400]), 100)));
    expect(verdict.state).toBe('backlogged');
  });

  it('is no overload where all is served as fast as it comes', () => {
    const verdict = verdictOf(course(served(arrivals([500, 101]), 100)));
    expect(verdict.state).toBe('stable');
  });
});

describe('samples of a flow', () => {
  it('keep a fair part of more requests than they hold, and say how many each stands for', () => {
    const samples = new FlowSamples();
    const count = 300_000;
    for (let row = 0; row < count; row++) {
      const outcome = { row, readyMs: row, lastTokenMs: row + 5, turnOrdinal: row % 2, status: 'completed' };
      samples.add(outcome as RequestOutcome, 1);
    }
    const requests = samples.requests();
    expect(requests.length).toBeLessThanOrEqual(65_536);
    expect((requests.length * samples.weight) / count).toBeCloseTo(1, 1);
    const second = requests.filter(({ isFirstTurn }) => !isFirstTurn).length;
    expect(second / requests.length).toBeCloseTo(0.5, 1);
    expect(requests.map(({ comingMs }) => comingMs)).toEqual(
      requests.map(({ comingMs }) => comingMs).sort((a, b) => a - b),
    );
  });
});

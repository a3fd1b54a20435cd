import { describe, expect, it } from 'vitest';
import type { PlannerOutcome } from './planner-outcome.js';
import { plannerPagePath } from './planner-page.js';

const OUTCOME: PlannerOutcome = { policy: 'p', events: [], ticks: [], goals: undefined, stages: [] };
const page = { folder: 'reports', fileName: undefined };

describe('plannerPagePath', () => {
  it('is named by the last tick, as in the reference', () => {
    const outcome = { ...OUTCOME, page, recordedMs: 15_000 };
    expect(plannerPagePath(outcome, () => false)).toBe('reports/planner_report_19700101_000015_001.html');
    const isTaken = (path: string) => path.endsWith('_001.html');
    expect(plannerPagePath(outcome, isTaken)).toBe('reports/planner_report_19700101_000015_002.html');
  });

  it('is the name that is asked for', () => {
    const outcome = { ...OUTCOME, page: { ...page, fileName: 'mine.html' }, recordedMs: 15_000 };
    expect(plannerPagePath(outcome, () => true)).toBe('reports/mine.html');
  });

  it('is none where none is asked for, or nothing was recorded', () => {
    expect(plannerPagePath(OUTCOME, () => false)).toBeUndefined();
    expect(plannerPagePath({ ...OUTCOME, page }, () => false)).toBeUndefined();
  });
});

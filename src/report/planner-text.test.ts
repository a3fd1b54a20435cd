import { describe, expect, it } from 'vitest';
import type { PlannerOutcome } from './planner-outcome.js';
import { plannerText, scalingText } from './planner-text.js';

const QUIET: PlannerOutcome = { policy: 'p', events: [], ticks: [], goals: undefined, stages: [] };

describe('scalingText', () => {
  it('prints a line for each change, as the reference does', () => {
    const events: PlannerOutcome['events'] = [
      { at_s: 5, component: 'agg', from: 1, to: 2, reason: 'scale_up' },
      { at_s: 12.25, component: 'decode', from: 4, to: 3, reason: 'scale_down' },
    ];
    expect(scalingText({ ...QUIET, events })).toBe(
      '\nScaling events:\n' +
        '  t=5.0s [agg]: 1 -> 2 workers (scale_up)\n' +
        '  t=12.3s [decode]: 4 -> 3 workers (scale_down)\n',
    );
  });

  it('prints nothing where nothing changed', () => {
    expect(scalingText(QUIET)).toBe('');
  });
});

describe('plannerText', () => {
  it('gives ticks, and GPU hours in the form that people search for', () => {
    expect(plannerText(QUIET, { gpu_hours: 0.0458333 })).toBe('Planner ticks: 0\nGPU hours: 0.0458\n');
    expect(plannerText(QUIET, { gpu_hours: 2, gpu_cost: 5 })).toContain('GPU cost: 5.00\n');
  });
});

import type { PlannerOutcome } from './planner-outcome.js';
import type { Report } from './report.js';

/** What changed the size of the fleet, a line each, as the reference prints it; nothing where nothing did. */
export function scalingText({ events }: PlannerOutcome): string {
  if (events.length === 0) return '';
  const lines = events.map(
    ({ at_s, component, from, to, reason }) =>
      `  t=${at_s.toFixed(1)}s [${component}]: ${from} -> ${to} workers (${reason})\n`,
  );
  return `\nScaling events:\n${lines.join('')}`;
}

/**
 * How often the planner was called, and what the fleet took.
 * @param report its GPU hours are of all workers from their start to their end, starting and draining ones included
 */
export function plannerText({ ticks }: PlannerOutcome, { gpu_hours, gpu_cost }: Report): string {
  const lines = [`Planner ticks: ${ticks.length}`, `GPU hours: ${(gpu_hours as number).toFixed(4)}`];
  if (typeof gpu_cost === 'number') lines.push(`GPU cost: ${gpu_cost.toFixed(2)}`);
  return `${lines.join('\n')}\n`;
}

import type { PlannerOutcome } from './planner-outcome.js';

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
 * @param gpuHours of all workers from their start to their end, starting and draining ones included
 */
export function plannerText({ ticks }: PlannerOutcome, gpuHours: number): string {
  return `Planner ticks: ${ticks.length}\nGPU hours: ${gpuHours.toFixed(4)}\n`;
}

import type { JsonValue } from '../../config/json.js';
import { readPlannerConfig } from '../../planner/reference/config.js';

/**
 * The latencies that settings of the reference's planner ask it to keep; undefined where it scales by load alone.
 * @throws {InputError} when the settings are wrong
 */
export function referenceGoals(settings: JsonValue): { ttftMs: number; itlMs: number } | undefined {
  const config = readPlannerConfig(settings, 'planner_config');
  return config.target === 'sla' ? config.goals : undefined;
}

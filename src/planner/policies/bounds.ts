import type { FieldRules } from '../../config/fields.js';

/** Limits of a stage that every policy keeps. */
export interface Bounds {
  readonly minWorkers: number;
  readonly maxWorkers: number;
}

export const BOUND_FIELDS = {
  min_workers: { type: 'uint', min: 1 },
  max_workers: { type: 'uint', min: 1 },
} as const satisfies FieldRules;

export function within(workers: number, { minWorkers, maxWorkers }: Bounds): number {
  return Math.min(maxWorkers, Math.max(minWorkers, workers));
}

import type { Planner } from '../planner.js';

/** Leaves the fleet as it is. */
export class FixedFleet implements Planner {
  readonly nextTickMs = Number.POSITIVE_INFINITY;

  tick(): undefined {
    return undefined;
  }
}

import { UserError } from '../config/user-error.js';
import type { FleetCore } from '../engine/engine-core.js';
import type { RequestSlots } from './slots.js';

/** The simulated run cannot go on. */
export class RunError extends UserError {
  override readonly name = 'RunError';
  readonly exitCode = 1;
}

/** The error of a run in which nothing can move any more, naming what is stuck and what to change. */
export function deadEnd(slots: RequestSlots, inFlight: number, cores: readonly FleetCore[]): RunError {
  const [first] = cores.flatMap((core) => core.diagnose());
  const what = first
    ? `: request ${slots.row[first.slot] + 1} (${slots.inputTokens[first.slot]} tokens in, ${slots.requestedTokens[first.slot]} out) ${first.problem}; ${first.remedy}`
    : '';
  return new RunError(`the replay reached a dead end with ${inFlight} in-flight requests remaining${what}`);
}

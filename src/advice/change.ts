import type { Scenario } from '../config/scenario/scenario.js';
import { withSettings } from '../setup/scenario.js';

/** Configuration keys and new values, as in `{"decode_engine_args.max_num_seqs": 32}`; null takes a key out. */
export type Change = Readonly<Record<string, unknown>>;

/** The scenario with a change made to it. @throws {InputError} when there can be no such scenario */
export function changed(scenario: Scenario, change: Change): Scenario {
  const settings = Object.entries(change).map(([key, value]) => [key, value ?? undefined]);
  return withSettings(scenario, Object.fromEntries(settings), 'change');
}

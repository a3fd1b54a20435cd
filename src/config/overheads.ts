import { type FieldRules, readFields } from './fields.js';
import { InputError } from './input-error.js';
import type { JsonValue } from './json.js';

/** Time that is spent around the GPUs; all zero where it is not simulated. Milliseconds. */
export interface Overheads {
  /** In the frontend before the router sees a request: for each, and for each token of its prompt. */
  frontendMs: number;
  tokenizeMsPerToken: number;
  /** In the scheduler: for each pass, and for each sequence in it. */
  stepMs: number;
  stepMsPerSequence: number;
  /** From the engine to the client, for the first token of a response; later ones do not wait for it. */
  firstTokenMs: number;
}

export const NO_OVERHEADS: Overheads = {
  frontendMs: 0,
  tokenizeMsPerToken: 0,
  stepMs: 0,
  stepMsPerSequence: 0,
  firstTokenMs: 0,
};

/** Names in JSON. */
const OVERHEAD_KEYS: Record<string, keyof Overheads> = {
  frontend_ms: 'frontendMs',
  tokenize_ms_per_token: 'tokenizeMsPerToken',
  step_ms: 'stepMs',
  step_ms_per_sequence: 'stepMsPerSequence',
  first_token_ms: 'firstTokenMs',
};

export const OVERHEAD_FIELDS: FieldRules = Object.fromEntries(
  Object.keys(OVERHEAD_KEYS).map((name) => [name, { type: 'float', min: 0 } as const]),
);

/** Reads overheads. @throws {InputError} naming the field, what was found and what is allowed */
export function readOverheads(json: JsonValue | undefined, where: string): Overheads {
  if (json === undefined) return NO_OVERHEADS;
  if (!(json instanceof Map)) throw new InputError(`${where}: expected a JSON object`);
  const values = readFields(json, OVERHEAD_FIELDS, where);
  const overheads = { ...NO_OVERHEADS };
  for (const [name, value] of Object.entries(values)) overheads[OVERHEAD_KEYS[name]] = value as number;
  return overheads;
}

/** Overheads that are not zero, under their names in JSON. */
export function overheadsJson(overheads: Overheads): Record<string, number> {
  const entries = Object.entries(OVERHEAD_KEYS).map(([name, key]) => [name, overheads[key]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value > 0));
}

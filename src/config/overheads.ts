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
  /** In the client, until it has the first token in hand. */
  clientMs: number;
}

export const NO_OVERHEADS: Overheads = {
  frontendMs: 0,
  tokenizeMsPerToken: 0,
  stepMs: 0,
  stepMsPerSequence: 0,
  firstTokenMs: 0,
  clientMs: 0,
};

/** What `typical` stands for. */
export const TYPICAL = 'typical';

/**
 * What was left of measured times to first token, of 2,058 public closed-loop runs, on H100 and H200 with up to 8
 * requests in flight, after the GPU's part: 16 to 18 ms and 0.015 ms for each token of the prompt. How the 17 ms are
 * shared out between the ways there and back is a guess; their sum is not.
 */
const TYPICAL_OVERHEADS: Overheads = {
  ...NO_OVERHEADS,
  frontendMs: 12,
  tokenizeMsPerToken: 0.015,
  firstTokenMs: 3,
  clientMs: 2,
};

/** Names in JSON. */
const OVERHEAD_KEYS: Record<string, keyof Overheads> = {
  frontend_ms: 'frontendMs',
  tokenize_ms_per_token: 'tokenizeMsPerToken',
  step_ms: 'stepMs',
  step_ms_per_sequence: 'stepMsPerSequence',
  first_token_ms: 'firstTokenMs',
  client_ms: 'clientMs',
};

export const OVERHEAD_FIELDS: FieldRules = Object.fromEntries(
  Object.keys(OVERHEAD_KEYS).map((name) => [name, { type: 'float', min: 0 } as const]),
);

/** Reads overheads, or their name. @throws {InputError} naming the field, what was found and what is allowed */
export function readOverheads(json: JsonValue | undefined, where: string): Overheads {
  if (json === undefined) return NO_OVERHEADS;
  if (json === TYPICAL) return TYPICAL_OVERHEADS;
  if (!(json instanceof Map)) throw new InputError(`${where}: expected a JSON object, or ${TYPICAL}`);
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

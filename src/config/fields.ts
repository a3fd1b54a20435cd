import { InputError } from './input-error.js';
import { describeJson, JsonNumber, type JsonObject, type JsonValue } from './json.js';

/** What `null` means for a field: an error, or the same as leaving it out. */
type NullRule = 'error' | 'unset';

export type FieldRule =
  | { type: 'uint'; min?: number; max?: number; null?: NullRule }
  | { type: 'u64'; null?: NullRule }
  | { type: 'float'; min?: number; above?: number; max?: number; null?: NullRule }
  | { type: 'bool'; null?: NullRule }
  | { type: 'string'; null?: NullRule }
  | { type: 'choice'; choices: readonly string[]; anyCase?: boolean; null?: NullRule }
  | { type: 'object'; fields: FieldRules; required?: readonly string[]; null?: NullRule }
  | { type: 'any' };

export type FieldRules = { readonly [name: string]: FieldRule };

type FieldValue = number | bigint | boolean | string | FieldValues | undefined;
export interface FieldValues {
  [name: string]: FieldValue;
}

const MAX_UINT = Number.MAX_SAFE_INTEGER;

function number(value: JsonValue, where: string, expected: string): JsonNumber {
  if (value instanceof JsonNumber) return value;
  throw new InputError(`${where}: expected ${expected}, found ${describeJson(value)}`);
}

interface Range {
  min?: number | undefined;
  above?: number | undefined;
  max?: number | undefined;
}

/** @returns the value @throws {InputError} when it is not finite or out of range */
export function inRange(value: number, { min, above, max }: Range, where: string): number {
  if (!Number.isFinite(value)) throw new InputError(`${where}: must be a finite number, found ${value}`);
  const isLow = (min !== undefined && value < min) || (above !== undefined && value <= above);
  if (isLow || (max !== undefined && value > max))
    throw new InputError(`${where}: ${value} is out of range, allowed is ${bounds({ min, above, max })}`);
  return value;
}

function bounds({ min, above, max }: Range): string {
  if (above !== undefined) return `above ${above}`;
  if (max === undefined) return `at least ${min}`;
  return min === undefined ? `at most ${max}` : `${min} to ${max}`;
}

/** @param nestedUnknownAllowed whether unknown keys of an object are passed over */
export function readField(
  value: JsonValue,
  rule: FieldRule,
  where: string,
  nestedUnknownAllowed = true,
): FieldValue {
  switch (rule.type) {
    case 'uint': {
      const found = number(value, where, 'an unsigned integer');
      if (!found.isInteger || found.value < 0 || found.text.startsWith('-'))
        throw new InputError(`${where}: expected an unsigned integer, found ${found.text}`);
      return inRange(found.value, { ...rule, max: rule.max ?? MAX_UINT }, where);
    }
    case 'u64': {
      const found = number(value, where, 'an unsigned 64-bit integer');
      if (!found.isInteger || found.text.startsWith('-') || BigInt(found.text) >> 64n)
        throw new InputError(`${where}: expected an unsigned 64-bit integer, found ${found.text}`);
      return BigInt(found.text);
    }
    case 'float':
      return inRange(number(value, where, 'a number').value, rule, where);
    case 'bool':
      if (typeof value === 'boolean') return value;
      throw new InputError(`${where}: expected true or false, found ${describeJson(value)}`);
    case 'string':
      if (typeof value === 'string') return value;
      throw new InputError(`${where}: expected a string, found ${describeJson(value)}`);
    case 'choice': {
      const word = typeof value === 'string' && rule.anyCase ? value.toLowerCase() : value;
      if (typeof word === 'string' && rule.choices.includes(word)) return word;
      throw new InputError(`${where}: found ${describeJson(value)}, allowed are ${rule.choices.join(', ')}`);
    }
    case 'object': {
      if (!(value instanceof Map))
        throw new InputError(`${where}: expected an object, found ${describeJson(value)}`);
      const values = readFields(value, rule.fields, where, nestedUnknownAllowed, nestedUnknownAllowed);
      for (const name of rule.required ?? [])
        if (values[name] === undefined) throw new InputError(`${where}: ${name} is missing`);
      return values;
    }
    case 'any':
      return undefined;
  }
}

/**
 * Reads an object by its field rules. Unset and null-as-unset fields are left out of the result.
 * @param where names the object in messages, such as `--extra-engine-args`
 * @param unknownAllowed whether unknown keys are passed over
 * @param nestedUnknownAllowed whether those of nested objects are
 * @throws {InputError} naming the field, what was found and what is allowed
 */
export function readFields(
  object: JsonObject,
  rules: FieldRules,
  where: string,
  unknownAllowed = false,
  nestedUnknownAllowed = true,
): FieldValues {
  const values: FieldValues = {};
  for (const [name, value] of object) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    const field = `${where}: ${name}`;
    if (rule === undefined) {
      if (unknownAllowed) continue;
      throw new InputError(`${field}: unknown field${suggestion(name, Object.keys(rules))}`);
    }
    if (rule.type === 'any') continue;
    if (value === null) {
      if (rule.null === 'unset') continue;
      throw new InputError(`${field}: must not be null`);
    }
    values[name] = readField(value, rule, field, nestedUnknownAllowed);
  }
  return values;
}

/** `, did you mean X?` for the nearest known name, else the list of known names. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near && near.distance <= Math.max(2, name.length / 3)) return `, did you mean ${near.candidate}?`;
  return `; known are ${known.join(', ')}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

import { describeJson, JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Path, SpecDocument } from '../document.js';

/** Digits that the reference still takes for an integer given as a float. */
const MOST_INTEGER_FLOAT = 2 ** 63;

/** What a field may be and what it is when left out; `undefined` as a default means that it must be given. */
type LaxRule =
  | { type: 'int'; default?: number | bigint | null; above?: number; isBig?: boolean }
  | { type: 'float'; default?: number | null }
  | { type: 'string'; default?: string | null }
  | { type: 'choice'; choices: readonly string[]; default?: string }
  | { type: 'object'; default: null }
  | { type: 'floats'; default: null };

export type LaxRules = { readonly [name: string]: LaxRule };

export type LaxValue = null | number | bigint | string | JsonObject | readonly number[];

/** Reads an object as leniently as the reference: numbers may be quoted, `true` is 1, an integer may be written `4.0`. */
export function readLax(document: SpecDocument, path: Path, value: JsonValue, rules: LaxRules) {
  const object = asObject(document, path, value);
  refuseUnknown(document, path, object, Object.keys(rules));
  const values: Record<string, LaxValue> = {};
  for (const [name, rule] of Object.entries(rules)) {
    const given = object.get(name);
    if (given === undefined) {
      if (rule.default === undefined) document.fail(path, `${name} is missing`);
      values[name] = rule.default;
    } else if (given === null && rule.default === null) values[name] = null;
    else values[name] = readValue(document, [...path, name], given, rule);
  }
  return values;
}

export function asObject(document: SpecDocument, path: Path, value: JsonValue): JsonObject {
  if (value instanceof Map) return value;
  return document.fail(path, `expected an object, found ${describeJson(value)}`);
}

export function refuseUnknown(
  document: SpecDocument,
  path: Path,
  object: JsonObject,
  known: readonly string[],
): void {
  for (const name of object.keys())
    if (!known.includes(name)) document.fail([...path, name], `unknown field; known are ${known.join(', ')}`);
}

function readValue(document: SpecDocument, path: Path, value: JsonValue, rule: LaxRule): LaxValue {
  switch (rule.type) {
    case 'int': {
      const found = laxInteger(document, path, value);
      if (rule.above !== undefined && found <= BigInt(rule.above))
        document.fail(path, `must be greater than ${rule.above}, found ${found}`);
      return rule.isBig ? found : Number(found);
    }
    case 'float':
      return laxFloat(document, path, value);
    case 'string':
      if (typeof value === 'string') return value;
      return document.fail(path, `expected a string, found ${describeJson(value)}`);
    case 'choice':
      if (typeof value === 'string' && rule.choices.includes(value)) return value;
      return document.fail(path, `found ${describeJson(value)}, allowed are ${rule.choices.join(', ')}`);
    case 'object':
      return asObject(document, path, value);
    case 'floats':
      if (!Array.isArray(value)) return document.fail(path, `expected a list, found ${describeJson(value)}`);
      return value.map((member, index) => laxFloat(document, [...path, index], member));
  }
}

function laxInteger(document: SpecDocument, path: Path, value: JsonValue): bigint {
  const refuse = () => document.fail(path, `expected an integer, found ${describeJson(value)}`);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  const text = value instanceof JsonNumber ? value.text : value;
  if (typeof text !== 'string') return refuse();
  const digits = /^([+-]?\d+(?:_\d+)*)(?:\.0+)?$/.exec(text.trim());
  if (digits) return BigInt(digits[1].replaceAll('_', '').replace('+', ''));
  if (!(value instanceof JsonNumber)) return refuse();
  const number = value.value;
  return Number.isInteger(number) && Math.abs(number) < MOST_INTEGER_FLOAT ? BigInt(number) : refuse();
}

function laxFloat(document: SpecDocument, path: Path, value: JsonValue): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof JsonNumber) return value.value;
  if (typeof value === 'string') {
    const text = value.trim().replace(/(\d)_(?=\d)/g, '$1');
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
    if (special?.[2].toLowerCase() === 'nan') return Number.NaN;
    if (special) return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return document.fail(path, `expected a number, found ${describeJson(value)}`);
}

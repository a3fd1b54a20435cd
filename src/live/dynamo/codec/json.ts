import { JsonNumber, type JsonValue, parseJson } from '../../../config/json.js';
import { Float, integer, isList, membersOf, WireError, type WireValue, type Writable } from './value.js';

/** Reads JSON with exact integers. @throws {WireError} */
export function decodeJson(text: string): WireValue {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new WireError(`JSON: ${(error as Error).message}`);
  }
  return fromJson(value);
}

function fromJson(value: JsonValue): WireValue {
  if (value instanceof JsonNumber) {
    // "-0" is a float to whoever cares about its sign.
    if (value.isInteger && value.text !== '-0') return integer(BigInt(value.text));
    return new Float(value.value, 8, value.text);
  }
  if (Array.isArray(value)) return value.map(fromJson);
  if (value instanceof Map) return new Map([...value].map(([name, member]) => [name, fromJson(member)]));
  return value;
}

/** Writes compact JSON. Bytes have no place in JSON: whoever has some writes them as text or list. */
export function encodeJson(value: Writable): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Float) return value.text ?? floatText(value.value);
  if (value instanceof Uint8Array) throw new WireError('JSON cannot hold bytes');
  if (isList(value)) return `[${value.map(encodeJson).join(',')}]`;
  const members: string[] = [];
  for (const [name, member] of membersOf(value))
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${encodeJson(member)}`);
  return `{${members.join(',')}}`;
}

function floatText(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text.replace('e+', 'e') : `${text}.0`;
}

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  stringify,
} from 'yaml';
import { InputError } from './input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from './json.js';

const MAX_DEPTH = 100;
/** Numbers that JSON writes the same way. */
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** A value at the top of a YAML file, and the line on which its key stands. */
export interface YamlEntry {
  value: JsonValue;
  line: number;
}

/**
 * Reads a YAML file whose top is keys and values; numbers are kept as they were written.
 * @throws {InputError} with file and line
 */
export function readYaml(text: string, path: string): Map<string, YamlEntry> {
  const lines = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: lines, intAsBigInt: true });
  const lineOf = (node: unknown) => lines.linePos((node as ParsedNode).range[0]).line;
  const [problem] = parsed.errors;
  if (problem)
    throw new InputError(`${path}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split('\n')[0]}`);
  const entries = new Map<string, YamlEntry>();
  const root = parsed.contents;
  if (root === null) return entries;
  if (!isMap(root)) throw new InputError(`${path}:1: expected keys and values`);
  for (const { key, value } of root.items) {
    if (!isScalar(key)) throw new InputError(`${path}: keys must be plain names`);
    const line = lineOf(key);
    entries.set(String(key.value), { value: jsonOf(value, parsed, `${path}:${line}`), line });
  }
  return entries;
}

/** Reads one value, as it may stand behind a key. @throws {InputError} */
export function readYamlValue(text: string, where: string): JsonValue {
  const parsed = parseDocument(text, { intAsBigInt: true });
  const [problem] = parsed.errors;
  if (problem) throw new InputError(`${where}: ${problem.message.split('\n')[0]}`);
  return jsonOf(parsed.contents, parsed, where);
}

function jsonOf(node: unknown, parsed: Document, where: string, depth = 0): JsonValue {
  if (depth > MAX_DEPTH) throw new InputError(`${where}: nested too deeply`);
  const inner = (child: unknown) => jsonOf(child, parsed, where, depth + 1);
  if (isAlias(node)) return inner(node.resolve(parsed));
  if (isSeq(node)) return node.items.map(inner);
  if (isMap(node))
    return new Map(
      node.items.map(({ key, value }) => [isScalar(key) ? String(key.value) : '', inner(value)]),
    );
  return isScalar(node) ? scalarJson(node, where) : null;
}

function scalarJson({ value, source }: Scalar, where: string): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new InputError(`${where}: found ${String(value)}`);
  const isPlain = source !== undefined && JSON_NUMBER.test(source);
  return new JsonNumber(isPlain ? source : String(value));
}

/** YAML text of an object, its numbers as they are. */
export function yamlText(json: JsonObject): string {
  return stringify(json, {
    customTags: (tags) => [
      {
        tag: 'tag:yaml.org,2002:float',
        default: true,
        identify: (value) => value instanceof JsonNumber,
        resolve: (text: string) => text,
        stringify: ({ value }) => (value as JsonNumber).text,
      },
      ...tags,
    ],
  });
}

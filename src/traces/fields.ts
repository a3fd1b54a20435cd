import { InputError } from '../config/input-error.js';
import {
  JsonNumber,
  type JsonObject,
  JsonSyntaxError,
  type JsonValue,
  jsonText,
  parseJson,
} from '../config/json.js';
import type { TraceSource } from './form.js';
import { objectTexts } from './object-texts.js';

const MAX_TOKENS = 2147483647;

/** Reads the fields of one row, and says where a bad one is. */
export class Fields {
  constructor(
    private readonly path: string,
    readonly line: number,
    readonly values: ReadonlyMap<string, JsonValue | undefined>,
    private readonly within = '',
  ) {}

  /** @throws {InputError} */
  fail(field: string, problem: string): never {
    throw new InputError(`${this.path}:${this.line}: ${this.within}${field}: ${problem}`);
  }

  /** The same row with other values. */
  with(values: ReadonlyMap<string, JsonValue | undefined>): Fields {
    return new Fields(this.path, this.line, values, this.within);
  }

  has(field: string): boolean {
    return (this.values.get(field) ?? null) !== null;
  }

  /** A finite number. */
  number(field: string): number {
    const value = this.values.get(field);
    const number =
      value instanceof JsonNumber ? value.value : typeof value === 'string' ? decimal(value) : Number.NaN;
    if (!Number.isFinite(number)) this.fail(field, `expected a number, found ${shown(value)}`);
    return number;
  }

  /** A whole number of tokens. */
  tokens(field: string): number {
    const number = this.number(field);
    if (!(Number.isInteger(number) && number >= 0 && number <= MAX_TOKENS))
      this.fail(field, `expected a whole number from 0 to ${MAX_TOKENS}, found ${number}`);
    return number;
  }

  text(field: string): string {
    const value = this.values.get(field);
    if (value instanceof JsonNumber) return value.text;
    if (typeof value !== 'string') this.fail(field, `expected a text, found ${shown(value)}`);
    return value;
  }

  /** Milliseconds since 1970 of an ISO 8601 time; one without a zone is UTC. */
  time(field: string): number {
    const text = this.text(field);
    const parts = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(
      text,
    );
    if (!parts) return this.fail(field, `expected an ISO 8601 time, found ${shown(text)}`);
    const [year, month, day, hour = 0, minute = 0, second = 0] = parts
      .slice(1, 7)
      .map((part) => Number(part ?? 0));
    const isDate = new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day && month >= 1 && month <= 12;
    if (!isDate || hour > 23 || minute > 59 || second > 60)
      return this.fail(field, `expected a time that exists, found ${shown(text)}`);
    const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)$/.exec(parts[8] ?? '') ?? [];
    const zoneMs =
      sign === undefined ? 0 : Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60_000;
    return Date.UTC(year, month - 1, day, hour, minute, second) + Number(parts[7] ?? 0) * 1000 - zoneMs;
  }

  /** The whole as JSON, numbers as they were written. */
  get json(): string {
    return jsonText(this.values as JsonObject);
  }

  list(field: string): JsonValue[] {
    const value = this.values.get(field);
    if (!Array.isArray(value)) this.fail(field, `expected a list, found ${shown(value)}`);
    return value;
  }

  /** Identities of blocks: whole numbers of any size. */
  blocks(field: string): string[] {
    return this.list(field).map((value, index) => {
      const isWhole = value instanceof JsonNumber && value.isInteger && !value.text.startsWith('-');
      if (!isWhole) this.fail(`${field}[${index}]`, `expected a whole number, found ${shown(value)}`);
      return (value as JsonNumber).text;
    });
  }

  object(field: string): Fields {
    return this.inside(this.values.get(field), field);
  }

  objects(field: string): Fields[] {
    return this.list(field).map((value, index) => this.inside(value, `${field}[${index}]`));
  }

  private inside(value: JsonValue | undefined, field: string): Fields {
    if (!(value instanceof Map)) this.fail(field, `expected an object, found ${shown(value)}`);
    return new Fields(this.path, this.line, value, `${this.within}${field}.`);
  }
}

/** A text that is nothing but a decimal number; NaN for any other. */
function decimal(text: string): number {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(text) ? Number(text) : Number.NaN;
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof Map) return 'an object';
  if (Array.isArray(value)) return 'a list';
  return JSON.stringify(value);
}

/** Rows of a JSONL file. */
export function* jsonRows(source: TraceSource): Generator<Fields> {
  for (const { line, text } of source.lines())
    yield new Fields(source.path, line, parseObject(source, line, text));
}

function parseObject(source: TraceSource, line: number, text: string): JsonObject {
  const value = parse(source, line, text);
  if (!(value instanceof Map)) throw new InputError(`${source.path}:${line}: expected a JSON object`);
  return value;
}

function parse(source: TraceSource, line: number, text: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new InputError(`${source.path}:${line}: ${error.message} (column ${error.offset + 1})`);
  }
}

/**
 * Objects of a file: one after the other however they are laid out, elements of one JSON list, or of the list that an
 * object has under `field`. They are counted as lines.
 * @throws {InputError} for a file that holds none
 */
export function* jsonElements(source: TraceSource, field?: string): Generator<Fields> {
  let line = 0;
  for (const text of objectTexts(source.chunks(), field)) {
    line++;
    const value = parse(source, line, text);
    if (!(value instanceof Map)) throw new InputError(`${source.path}: element ${line}: expected an object`);
    yield new Fields(source.path, line, value);
  }
  if (line === 0)
    throw new InputError(
      `${source.path}: expected a JSON list${field ? `, or an object with "${field}"` : ' of objects'}`,
    );
}

/** Rows of a CSV file by the names of its header, which must have `required`. */
export function* csvRows(source: TraceSource, required: readonly string[]): Generator<Fields> {
  let names: string[] | undefined;
  for (const { line, text } of source.lines()) {
    const cells = splitCsv(text);
    if (!names) {
      names = cells.map((cell) => cell.trim());
      const missing = required.filter((name) => !names!.includes(name));
      if (missing.length > 0)
        throw new InputError(
          `${source.path}:${line}: the header lacks ${missing.join(', ')}; it has ${names.join(', ')}`,
        );
      continue;
    }
    if (cells.length !== names.length)
      throw new InputError(`${source.path}:${line}: expected ${names.length} columns, found ${cells.length}`);
    yield new Fields(source.path, line, new Map(names.map((name, index) => [name, cells[index].trim()])));
  }
}

/** Cells of a line; quoted ones may hold commas and doubled quotes. */
function splitCsv(text: string): string[] {
  if (!text.includes('"')) return text.split(',');
  const cells: string[] = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g))
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]);
  return cells;
}

import { decimalToDouble } from './decimal.js';
import { InputError } from './input-error.js';

/**
 * JSON with exact numbers. JavaScript's own parser turns every number into a double, which merges 64-bit hash ids
 * above 2^53 and cannot tell `1` from `1.0`; both distinctions matter to trace files and engine arguments.
 */
export class JsonNumber {
  constructor(readonly text: string) {}

  /** True when written without fraction and exponent. */
  get isInteger(): boolean {
    return !/[.eE]/.test(this.text);
  }

  get value(): number {
    return decimalToDouble(this.text);
  }
}

export type JsonObject = Map<string, JsonValue>;
export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | JsonObject;

/** A syntax error at a byte offset; the caller adds file and line. */
export class JsonSyntaxError extends InputError {
  constructor(
    problem: string,
    readonly offset: number,
  ) {
    super(problem);
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MAX_DEPTH = 127;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A pull reader over one JSON text in bytes: hot row formats read their fields in place, without a tree. */
export class JsonCursor {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  end = 0;
  /** Low and high half of the last integer read by `readU64`. */
  low = 0;
  high = 0;

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  fail(problem: string, offset = this.position): never {
    throw new JsonSyntaxError(problem, offset);
  }

  /** The first byte of the next token, or -1 at the end. */
  peek(): number {
    const { bytes, end } = this;
    let p = this.position;
    while (p < end) {
      const c = bytes[p];
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
      p++;
    }
    this.position = p;
    return p < end ? bytes[p] : -1;
  }

  expectEnd(): void {
    if (this.peek() !== -1) this.fail('unexpected text after the JSON value');
  }

  /** Positions at the first key of an object; false when it is empty. */
  enterObject(): boolean {
    return this.enter(OPEN_BRACE, CLOSE_BRACE, 'an object');
  }

  /** After a value: true when another key or element follows, false when `close` ended the container. */
  private more(close: number): boolean {
    const c = this.peek();
    if (c !== COMMA && c !== close) this.fail(`expected ',' or '${String.fromCharCode(close)}'`);
    this.position++;
    return c === COMMA;
  }

  nextKey(): boolean {
    return this.more(CLOSE_BRACE);
  }

  nextElement(): boolean {
    return this.more(CLOSE_BRACKET);
  }

  enterArray(): boolean {
    return this.enter(OPEN_BRACKET, CLOSE_BRACKET, 'a list');
  }

  private enter(open: number, close: number, what: string): boolean {
    if (this.peek() !== open) this.fail(`expected ${what}, found ${this.describe()}`);
    this.position++;
    if (this.peek() !== close) return true;
    this.position++;
    return false;
  }

  /** Reads a key and its colon. */
  readKey(): string {
    if (this.peek() !== QUOTE) this.fail('expected a quoted key');
    const key = this.readString();
    if (this.peek() !== COLON) this.fail("expected ':' after the key");
    this.position++;
    return key;
  }

  readString(): string {
    if (this.peek() !== QUOTE) this.fail(`expected a string, found ${this.describe()}`);
    const { bytes, end } = this;
    const start = this.position + 1;
    let p = start;
    let plain = true;
    for (; p < end && bytes[p] !== QUOTE; p++) {
      const c = bytes[p];
      if (c < 0x20) this.fail('control character in a string', p);
      if (c === BACKSLASH) {
        plain = false;
        p++;
      } else if (c >= 0x80) plain = false;
    }
    if (p >= end) this.fail('unterminated string', start - 1);
    this.position = p + 1;
    if (plain) return ascii(bytes, start, p);
    let text: string;
    try {
      text = decoder.decode(bytes.subarray(start - 1, p + 1));
    } catch {
      return this.fail('text is not UTF-8', start);
    }
    try {
      return JSON.parse(text) as string;
    } catch {
      return this.fail('invalid escape in a string', start);
    }
  }

  /** True (and consumed) when the next value is `null`. */
  readNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    this.word('null');
    return true;
  }

  private readWord<T>(word: string, value: T): T {
    this.word(word);
    return value;
  }

  private word(word: string): void {
    if (ascii(this.bytes, this.position, Math.min(this.end, this.position + word.length)) !== word)
      this.fail('unknown word');
    this.position += word.length;
  }

  /** Skims a number by JSON's grammar and returns whether it is written as an integer. */
  private skimNumber(): boolean {
    const { bytes, end } = this;
    let p = this.position;
    if (bytes[p] === MINUS) p++;
    const first = p;
    while (p < end && bytes[p] >= ZERO && bytes[p] <= NINE) p++;
    if (p === first || (bytes[first] === ZERO && p > first + 1))
      this.fail(`expected a number, found ${this.describe()}`);
    let integer = true;
    if (p < end && bytes[p] === DOT) {
      integer = false;
      const digits = ++p;
      while (p < end && bytes[p] >= ZERO && bytes[p] <= NINE) p++;
      if (p === digits) this.fail('expected digits after the decimal point', p);
    }
    if (p < end && (bytes[p] | 0x20) === 0x65) {
      integer = false;
      p++;
      if (p < end && (bytes[p] === 0x2b || bytes[p] === MINUS)) p++;
      const digits = p;
      while (p < end && bytes[p] >= ZERO && bytes[p] <= NINE) p++;
      if (p === digits) this.fail('expected digits in the exponent', p);
    }
    this.position = p;
    return integer;
  }

  readFloat(): number {
    const c = this.peek();
    if (c !== MINUS && (c < ZERO || c > NINE)) this.fail(`expected a number, found ${this.describe()}`);
    const start = this.position;
    this.skimNumber();
    const value = decimalToDouble(ascii(this.bytes, start, this.position));
    if (!Number.isFinite(value)) this.fail('number out of range', start);
    return value;
  }

  /** Reads an unsigned 64-bit integer into `low` and `high`. */
  readU64(): void {
    const c = this.peek();
    if (c < ZERO || c > NINE) this.fail(`expected an unsigned integer, found ${this.describe()}`);
    const { bytes, end } = this;
    const start = this.position;
    let p = start;
    let value = 0;
    while (p < end && bytes[p] >= ZERO && bytes[p] <= NINE) value = value * 10 + (bytes[p++] - ZERO);
    const next = p < end ? bytes[p] : 0;
    if (next === DOT || (next | 0x20) === 0x65 || (c === ZERO && p > start + 1))
      this.fail(`expected an unsigned integer, found ${this.describe()}`);
    this.position = p;
    if (p - start <= 15) {
      this.low = value >>> 0;
      this.high = (value / 4294967296) >>> 0;
      return;
    }
    const exact = BigInt(ascii(bytes, start, p));
    if (exact >> 64n) this.fail('expected an unsigned 64-bit integer, found a larger number', start);
    this.low = Number(exact & 0xffffffffn);
    this.high = Number(exact >> 32n);
  }

  /** Reads an integer within [min, max], both safe in a double. */
  readInteger(min: number, max: number): number {
    const c = this.peek();
    const start = this.position;
    const expected = min < 0 ? 'an integer' : 'an unsigned integer';
    if (c !== MINUS && (c < ZERO || c > NINE)) this.fail(`expected ${expected}, found ${this.describe()}`);
    const integer = this.skimNumber();
    const text = ascii(this.bytes, start, this.position);
    const value = Number(text);
    if (!integer || (min === 0 && c === MINUS)) this.fail(`expected ${expected}, found ${text}`, start);
    if (value < min || value > max)
      this.fail(`expected ${expected} from ${min} to ${max}, found ${text}`, start);
    return value;
  }

  readValue(depth = 0): JsonValue {
    if (depth > MAX_DEPTH) this.fail('nested too deeply');
    const c = this.peek();
    if (c === QUOTE) return this.readString();
    if (c === OPEN_BRACE) {
      const object: JsonObject = new Map();
      if (this.enterObject())
        do {
          const key = this.readKey();
          object.set(key, this.readValue(depth + 1));
        } while (this.nextKey());
      return object;
    }
    if (c === OPEN_BRACKET) {
      const list: JsonValue[] = [];
      if (this.enterArray())
        do list.push(this.readValue(depth + 1));
        while (this.nextElement());
      return list;
    }
    if (c === 0x74) return this.readWord('true', true);
    if (c === 0x66) return this.readWord('false', false);
    if (c === 0x6e) return this.readWord('null', null);
    if (c !== MINUS && (c < ZERO || c > NINE))
      this.fail(c === -1 ? 'the text ends too early' : 'expected a value');
    const start = this.position;
    this.skimNumber();
    const number = new JsonNumber(ascii(this.bytes, start, this.position));
    if (!Number.isFinite(number.value)) this.fail('number out of range', start);
    return number;
  }

  /** Names what stands at the cursor, for messages. */
  describe(): string {
    const c = this.peek();
    if (c === -1) return 'the end of the text';
    const { bytes, end } = this;
    let p = this.position;
    if (c === QUOTE) {
      for (p++; p < end && bytes[p] !== QUOTE; p++);
      return ascii(bytes, this.position, Math.min(p + 1, this.position + 40));
    }
    if (c === OPEN_BRACE) return 'an object';
    if (c === OPEN_BRACKET) return 'a list';
    while (
      p < end &&
      bytes[p] > 0x20 &&
      bytes[p] !== COMMA &&
      bytes[p] !== CLOSE_BRACE &&
      bytes[p] !== CLOSE_BRACKET
    )
      p++;
    return ascii(bytes, this.position, Math.min(p, this.position + 40)) || `'${String.fromCharCode(c)}'`;
  }
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let p = start; p < end; p++) text += String.fromCharCode(bytes[p]);
  return text;
}

/** Parses a whole JSON text. @throws {JsonSyntaxError} with the byte offset of the problem. */
export function parseJson(text: string): JsonValue {
  const cursor = new JsonCursor();
  const bytes = new TextEncoder().encode(text);
  cursor.reset(bytes, 0, bytes.length);
  const value = cursor.readValue();
  cursor.expectEnd();
  return value;
}

/** Names a parsed value, for messages. */
export function describeJson(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof JsonNumber) return value.text;
  return Array.isArray(value) ? 'a list' : 'an object';
}

/** Parses a JSON text that a user wrote. @param where its name in messages @throws {InputError} */
export function readJson(text: string, where: string): JsonValue {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new InputError(`${where}: not valid JSON at character ${error.offset + 1}: ${error.message}`);
  }
}

/** A value as JSON text, its numbers as they were written. */
export function jsonText(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (value instanceof Map)
    return `{${[...value].map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner)}`).join(',')}}`;
  return JSON.stringify(value);
}

/** A value that a report carries and writes exactly; other writers get what plain numbers can hold. */
export class ExactJson {
  constructor(readonly json: JsonValue) {}

  exactText(): string {
    return jsonText(this.json);
  }

  toJSON(): unknown {
    return plainJson(this.json);
  }
}

/** A value in objects, lists and plain numbers, which may round. */
export function plainJson(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return value.value;
  if (Array.isArray(value)) return value.map(plainJson);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, inner]) => [key, plainJson(inner)]));
  return value;
}

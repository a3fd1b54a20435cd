import { InputError } from '../../config/input-error.js';
import { describeJson, JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';

/** Bounds of a number, inclusive. */
interface Bounds {
  readonly above?: number;
  readonly min?: number;
  readonly max?: number;
}

const TRUE = ['true', 'yes', 'on', '1', 't', 'y'];
const FALSE = ['false', 'no', 'off', '0', 'f', 'n'];

/**
 * Reads fields of a planner configuration as leniently as the planner itself: numbers and booleans may be written as
 * text, and unknown fields are left alone.
 */
export class LaxFields {
  constructor(
    private readonly object: JsonObject,
    private readonly where: string,
  ) {}

  has(name: string): boolean {
    return this.object.has(name);
  }

  /** A field under its name, or under an older one. */
  raw(name: string, alias?: string): JsonValue | undefined {
    return this.has(name) || alias === undefined ? this.object.get(name) : this.object.get(alias);
  }

  integer(name: string, bounds?: Bounds, alias?: string): number | undefined {
    const value = this.number(name, 'an integer', bounds, alias);
    if (value === undefined || Number.isSafeInteger(value)) return value;
    return this.fail(name, 'an integer', alias);
  }

  float(name: string, bounds?: Bounds, alias?: string): number | undefined {
    return this.number(name, 'a number', bounds, alias);
  }

  private number(name: string, expected: string, bounds: Bounds = {}, alias?: string): number | undefined {
    const given = this.raw(name, alias);
    if (given === undefined || given === null) return this.unlessNull(given, name, expected);
    const value = laxNumber(given);
    if (value === undefined) return this.fail(name, expected, alias);
    const { above, min, max } = bounds;
    if (above !== undefined && !(value > above)) return this.fail(name, `more than ${above}`, alias);
    if (min !== undefined && !(value >= min)) return this.fail(name, `at least ${min}`, alias);
    if (max !== undefined && !(value <= max)) return this.fail(name, `at most ${max}`, alias);
    return value;
  }

  boolean(name: string): boolean | undefined {
    const given = this.raw(name);
    if (given === undefined || given === null) return this.unlessNull(given, name, 'true or false');
    if (typeof given === 'boolean') return given;
    const word = given instanceof JsonNumber ? String(given.value) : String(given).toLowerCase();
    if (TRUE.includes(word)) return true;
    return FALSE.includes(word) ? false : this.fail(name, 'true or false');
  }

  text(name: string): string | undefined {
    const given = this.raw(name);
    if (given === undefined || given === null) return this.unlessNull(given, name, 'a string');
    return typeof given === 'string' ? given : this.fail(name, 'a string');
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const given = this.raw(name);
    if (given === undefined) return undefined;
    const found = choices.find((choice) => choice === given);
    return found ?? this.fail(name, `one of ${choices.join(', ')}`);
  }

  /** Whether null may stand for a field that is left out. */
  nullable(names: readonly string[]): void {
    for (const name of names) if (this.object.get(name) === null) this.object.delete(name);
  }

  nested(name: string): JsonObject | undefined {
    const given = this.raw(name);
    if (given === undefined) return undefined;
    return given instanceof Map ? given : this.fail(name, 'an object');
  }

  fail(name: string, expected: string, alias?: string): never {
    const given = this.raw(name, alias);
    const field = alias !== undefined && !this.has(name) ? alias : name;
    throw new InputError(
      `${this.where}: ${field}: expected ${expected}, found ${describeJson(given ?? null)}`,
    );
  }

  private unlessNull(given: null | undefined, name: string, expected: string): undefined {
    return given === null ? this.fail(name, expected) : undefined;
  }
}

/** A number written as one, as text, or as a truth value; text may be surrounded by blanks. */
export function laxNumber(value: JsonValue): number | undefined {
  if (value instanceof JsonNumber) return value.value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string' || !/^\s*[-+]?(\d+(_\d+)*\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value))
    return undefined;
  return Number(value.replaceAll('_', ''));
}

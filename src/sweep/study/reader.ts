import { suggestion } from '../../config/fields.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Path, SpecDocument } from '../document.js';

/** What a number of a spec may be. */
interface Range {
  min?: number;
  max?: number;
  isWhole?: boolean;
}

/** One object of a document: its fields are read one by one, and what is wrong is refused by its place. */
export class Fields {
  private constructor(
    private readonly document: SpecDocument,
    private readonly path: Path,
    private readonly object: JsonObject,
  ) {}

  /** The whole document. @param known names that it may have */
  static of(document: SpecDocument, known: readonly string[]): Fields {
    return Fields.at(document, [], document.root, known);
  }

  private static at(
    document: SpecDocument,
    path: Path,
    value: JsonValue,
    known: readonly string[] | undefined,
  ): Fields {
    if (!(value instanceof Map)) return document.fail(path, 'expected an object');
    for (const name of known ? value.keys() : [])
      if (!known!.includes(name))
        document.fail(
          [...path, name],
          `unknown field${suggestion(name, known!)}; known are ${known!.join(', ')}`,
        );
    return new Fields(document, path, value);
  }

  has(name: string): boolean {
    return this.object.has(name);
  }

  get names(): string[] {
    return [...this.object.keys()];
  }

  /** What stands there; null where nothing does. */
  value(name: string): JsonValue {
    return this.object.get(name) ?? null;
  }

  /** The objects of a field that may be missing. @param known names that it may have; any where left out */
  inner(name: string, known?: readonly string[]): Fields {
    return Fields.at(this.document, [...this.path, name], this.object.get(name) ?? new Map(), known);
  }

  /** Refuses a field. */
  fail(name: string, problem: string): never {
    return this.document.fail([...this.path, name], problem);
  }

  number(name: string, missing: number | undefined, range: Range = {}): number {
    const value = this.object.get(name);
    if (value === undefined || value === null)
      return missing ?? this.document.fail(this.path, `${name} is missing`);
    return this.numberOf(name, value, range);
  }

  numberOf(name: string, value: JsonValue, { min, max, isWhole }: Range): number {
    if (!(value instanceof JsonNumber) || !Number.isFinite(value.value))
      return this.fail(name, `expected a number, found ${shown(value)}`);
    if (isWhole && !Number.isInteger(value.value))
      this.fail(name, `expected a whole number, found ${value.text}`);
    if (min !== undefined && value.value < min)
      this.fail(name, `must be at least ${min}, found ${value.text}`);
    if (max !== undefined && value.value > max)
      this.fail(name, `must be at most ${max}, found ${value.text}`);
    return value.value;
  }

  text(name: string, missing?: string): string {
    const value = this.object.get(name) ?? missing;
    if (typeof value === 'string') return value;
    if (value === undefined) return this.document.fail(this.path, `${name} is missing`);
    return this.fail(name, `expected a text, found ${shown(value)}`);
  }

  boolean(name: string, missing: boolean): boolean {
    const value = this.object.get(name) ?? missing;
    return typeof value === 'boolean'
      ? value
      : this.fail(name, `expected true or false, found ${shown(value)}`);
  }

  choice<T extends string>(name: string, allowed: readonly T[], missing?: T): T {
    return this.choiceOf(name, this.object.get(name) ?? missing ?? null, allowed);
  }

  choiceOf<T extends string>(name: string, value: JsonValue, allowed: readonly T[]): T {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    const near = typeof value === 'string' ? suggestion(value, allowed) : '';
    return this.fail(name, `found ${shown(value)}${near}; allowed are ${allowed.join(', ')}`);
  }

  /** The members of a list; one value counts as a list of one. */
  list(name: string, missing: readonly JsonValue[]): readonly JsonValue[] {
    const value = this.object.get(name);
    if (value === undefined || value === null) return missing;
    const list = Array.isArray(value) ? value : [value];
    return list.length > 0 ? list : this.fail(name, 'must not be empty');
  }

  /** The members of a list of objects. */
  objects(name: string, known: readonly string[]): Fields[] {
    return this.list(name, []).map((member, index) =>
      Fields.at(this.document, [...this.path, name, index], member, known),
    );
  }
}

function shown(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof Map) return 'an object';
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'nothing' : JSON.stringify(value);
}

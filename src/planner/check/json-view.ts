import { InputError } from '../../config/input-error.js';
import { describeJson, JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';

/** A JSON object being read; everything that is wrong with it ends in one line that says where. */
export class JsonView {
  constructor(
    private readonly object: JsonObject,
    readonly where: string,
  ) {}

  static of(value: JsonValue | undefined, where: string): JsonView {
    if (value instanceof Map) return new JsonView(value, where);
    throw new InputError(`${where}: expected an object, found ${describeJson(value ?? null)}`);
  }

  raw(name: string): JsonValue | undefined {
    return this.object.get(name);
  }

  /** @returns `undefined` for null and for what is left out */
  optionalNumber(name: string): number | undefined {
    const value = this.object.get(name);
    if (value === undefined || value === null) return undefined;
    if (value instanceof JsonNumber) return value.value;
    throw new InputError(`${this.where}: ${name}: expected a number, found ${describeJson(value)}`);
  }

  number(name: string): number {
    const value = this.optionalNumber(name);
    if (value === undefined) throw new InputError(`${this.where}: ${name} is missing`);
    return value;
  }

  text(name: string): string {
    const value = this.object.get(name);
    if (typeof value === 'string') return value;
    throw new InputError(`${this.where}: ${name}: expected a string, found ${describeJson(value ?? null)}`);
  }

  list(name: string): readonly JsonValue[] {
    const value = this.object.get(name) ?? [];
    if (Array.isArray(value)) return value;
    throw new InputError(`${this.where}: ${name}: expected a list, found ${describeJson(value)}`);
  }

  numbers(name: string): number[] {
    return this.list(name).map((value) => {
      if (value instanceof JsonNumber) return value.value;
      throw new InputError(`${this.where}: ${name}: expected numbers, found ${describeJson(value)}`);
    });
  }

  /** @returns `undefined` for null and for what is left out */
  optional(name: string): JsonView | undefined {
    const value = this.object.get(name);
    return value === undefined || value === null ? undefined : JsonView.of(value, `${this.where}: ${name}`);
  }

  objects(name: string): JsonView[] {
    return this.list(name).map((value, index) => JsonView.of(value, `${this.where}: ${name}[${index}]`));
  }
}

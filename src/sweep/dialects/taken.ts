import type { JsonObject, JsonValue } from '../../config/json.js';

/** An object whose fields are taken one by one; what nobody has taken is told when it is closed. */
export class Taken {
  private readonly left: JsonObject;

  private constructor(
    value: JsonValue | undefined,
    private readonly path: string,
    private readonly untaken: string[],
  ) {
    this.left = new Map(value instanceof Map ? value : []);
  }

  static of(value: JsonValue | undefined, path: string, untaken: string[]): Taken {
    return new Taken(value, path, untaken);
  }

  has(name: string): boolean {
    return this.left.has(name);
  }

  take(name: string): JsonValue | undefined {
    const value = this.left.get(name);
    this.left.delete(name);
    return value;
  }

  inner(name: string): Taken {
    return new Taken(this.take(name), this.nameOf(name), this.untaken);
  }

  /** Says why something has no effect. */
  note(name: string, problem: string): void {
    this.untaken.push(`${this.nameOf(name)}: ${problem}`);
  }

  /** Leaves what nobody has taken. */
  ignore(): void {
    this.left.clear();
  }

  /** Tells what nobody has taken. */
  close(): void {
    for (const name of this.left.keys()) this.untaken.push(`${this.nameOf(name)} has no counterpart`);
    this.left.clear();
  }

  private nameOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

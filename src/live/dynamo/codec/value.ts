/**
 * What travels on Dynamo's wires, from JSON or MessagePack: integers of any size are exact (a `bigint` above 2^53),
 * and a float stays a float although its value is whole, so that what was read is written again byte for byte.
 */
export type WireValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Float
  | WireValue[]
  | WireMap;
export type WireMap = Map<string, WireValue>;

/** What can be written: besides wire values also plain objects; members that are undefined are left out. */
export type Writable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Float
  | readonly Writable[]
  | ReadonlyMap<string, Writable>
  | { readonly [name: string]: Writable | undefined };

/** A floating-point number of four or eight bytes; `text` is how JSON had it. */
export class Float {
  constructor(
    readonly value: number,
    readonly bytes: 4 | 8 = 8,
    readonly text?: string,
  ) {}
}

/** What came over a wire is not what the protocol says. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** An integer as a `number` where that is exact. */
export function integer(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}

function describe(value: WireValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (value instanceof Float) return 'a float';
  if (value instanceof Map) return 'a map';
  if (value instanceof Uint8Array) return 'bytes';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function refuse(name: string, expected: string, found: WireValue | undefined): never {
  throw new WireError(`${name}: expected ${expected}, found ${describe(found)}`);
}

/** Reads members of a map, naming what is wrong. Members that are null count as absent. */
export class Fields {
  constructor(
    private readonly map: WireMap,
    private readonly where: string,
  ) {}

  /** @throws {WireError} unless the value is a map */
  static of(value: WireValue | undefined, where: string): Fields {
    return value instanceof Map ? new Fields(value, where) : refuse(where, 'a map', value);
  }

  get(name: string): WireValue | undefined {
    return this.map.get(name) ?? undefined;
  }

  private required<T>(name: string, value: T | undefined, expected: string): T {
    return value ?? refuse(`${this.where}.${name}`, expected, this.get(name));
  }

  text(name: string): string {
    return this.required(name, this.optionalText(name), 'a string');
  }

  optionalText(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'string') return value;
    return refuse(`${this.where}.${name}`, 'a string', value);
  }

  /** An integer that fits a `number`. */
  count(name: string): number {
    return this.required(name, this.optionalCount(name), 'an integer');
  }

  optionalCount(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'number') return value;
    return refuse(`${this.where}.${name}`, 'an integer', value);
  }

  /** An unsigned 64-bit integer. */
  u64(name: string): bigint {
    return this.required(name, this.optionalU64(name), 'an unsigned 64-bit integer');
  }

  optionalU64(name: string): bigint | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if ((typeof value === 'number' || typeof value === 'bigint') && value >= 0) return BigInt(value);
    return refuse(`${this.where}.${name}`, 'an unsigned 64-bit integer', value);
  }

  float(name: string): number {
    const value = this.get(name);
    if (value instanceof Float) return value.value;
    return typeof value === 'number' ? value : refuse(`${this.where}.${name}`, 'a number', value);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.get(name);
    if (value === undefined) return otherwise;
    return typeof value === 'boolean' ? value : refuse(`${this.where}.${name}`, 'true or false', value);
  }

  list(name: string): WireValue[] {
    return this.required(name, this.optionalList(name), 'a list');
  }

  optionalList(name: string): WireValue[] | undefined {
    const value = this.get(name);
    if (value === undefined || Array.isArray(value)) return value;
    return refuse(`${this.where}.${name}`, 'a list', value);
  }

  fields(name: string): Fields {
    return Fields.of(this.get(name), `${this.where}.${name}`);
  }

  optionalFields(name: string): Fields | undefined {
    return this.get(name) === undefined ? undefined : this.fields(name);
  }

  /** A UUID: 16 bytes in MessagePack, hyphenated text in JSON. */
  optionalUuid(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === 'string') return value;
    if (!(value instanceof Uint8Array) || value.length !== 16)
      return refuse(`${this.where}.${name}`, 'a UUID', value);
    return uuidText(value);
  }

  /** Token ids or other unsigned 32-bit integers. */
  u32List(name: string): Uint32Array {
    const list = this.list(name);
    const numbers = new Uint32Array(list.length);
    for (let i = 0; i < list.length; i++) {
      const value = list[i];
      if (typeof value !== 'number' || value < 0 || value > 0xffffffff)
        refuse(`${this.where}.${name}[${i}]`, 'an unsigned 32-bit integer', value);
      numbers[i] = value as number;
    }
    return numbers;
  }
}

/** A UUID of 16 bytes as text. */
function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The bytes of a UUID. */
export function uuidBytes(text: string): Uint8Array {
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}

type Members = Exclude<Writable, null | boolean | number | bigint | string | Uint8Array | Float>;

export function isList(value: Members): value is readonly Writable[] {
  return Array.isArray(value);
}

export function membersOf(
  value: Exclude<Members, readonly Writable[]>,
): readonly (readonly [string, Writable | undefined])[] {
  return value instanceof Map ? [...value] : Object.entries(value);
}

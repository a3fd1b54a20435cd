import {
  Float,
  integer,
  isList,
  membersOf,
  WireError,
  type WireMap,
  type WireValue,
  type Writable,
} from './value.js';

/*
 * MessagePack as Rust's serde writes it: integers in their shortest form, maps with string keys, floats in the width of
 * their type. Libraries read a float 0.0 as the number 0 and write it again as an integer, which a typed reader refuses.
 */

const MAX_DEPTH = 128;

/** Reads one value that fills the bytes. @throws {WireError} */
export function decodeMsgpack(bytes: Uint8Array): WireValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.position !== bytes.length)
    throw new WireError(`MessagePack: ${bytes.length - reader.position} bytes after the value`);
  return value;
}

class Reader {
  position = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves over `count` bytes. @returns where they begin */
  private skip(count: number): number {
    const at = this.position;
    if (count > this.bytes.length - at) throw new WireError('MessagePack: the bytes end within a value');
    this.position = at + count;
    return at;
  }

  private u8 = (): number => this.view.getUint8(this.skip(1));
  private u16 = (): number => this.view.getUint16(this.skip(2));
  private u32 = (): number => this.view.getUint32(this.skip(4));

  value(depth: number): WireValue {
    if (depth > MAX_DEPTH) throw new WireError('MessagePack: nested too deeply');
    const tag = this.u8();
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.map(tag & 15, depth);
    if (tag < 0xa0) return this.list(tag & 15, depth);
    if (tag < 0xc0) return this.text(tag & 31);
    if (tag >= 0xe0) return tag - 256;
    return this.tagged(tag, depth);
  }

  private tagged(tag: number, depth: number): WireValue {
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.raw(this.u8());
      case 0xc5:
        return this.raw(this.u16());
      case 0xc6:
        return this.raw(this.u32());
      case 0xca:
        return new Float(this.view.getFloat32(this.skip(4)), 4);
      case 0xcb:
        return new Float(this.view.getFloat64(this.skip(8)), 8);
      case 0xcc:
        return this.u8();
      case 0xcd:
        return this.u16();
      case 0xce:
        return this.u32();
      case 0xcf:
        return integer(this.view.getBigUint64(this.skip(8)));
      case 0xd0:
        return this.view.getInt8(this.skip(1));
      case 0xd1:
        return this.view.getInt16(this.skip(2));
      case 0xd2:
        return this.view.getInt32(this.skip(4));
      case 0xd3:
        return integer(this.view.getBigInt64(this.skip(8)));
      case 0xd9:
        return this.text(this.u8());
      case 0xda:
        return this.text(this.u16());
      case 0xdb:
        return this.text(this.u32());
      case 0xdc:
        return this.list(this.u16(), depth);
      case 0xdd:
        return this.list(this.u32(), depth);
      case 0xde:
        return this.map(this.u16(), depth);
      case 0xdf:
        return this.map(this.u32(), depth);
      default:
        throw new WireError(`MessagePack: type 0x${tag.toString(16)} is not used on these wires`);
    }
  }

  private raw(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  private text(length: number): string {
    const at = this.skip(length);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, length).toString('utf8');
  }

  private list(length: number, depth: number): WireValue[] {
    const values: WireValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(depth + 1));
    return values;
  }

  private map(length: number, depth: number): WireMap {
    const map: WireMap = new Map();
    for (let i = 0; i < length; i++) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string') throw new WireError('MessagePack: a key that is not a string');
      map.set(name, this.value(depth + 1));
    }
    return map;
  }
}

export function encodeMsgpack(value: Writable): Buffer {
  const writer = new Writer();
  writer.value(value);
  return writer.finish();
}

class Writer {
  private bytes = Buffer.allocUnsafe(256);
  private length = 0;

  finish(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Makes room. @returns where `count` new bytes begin */
  private grow(count: number): number {
    const at = this.length;
    this.length = at + count;
    if (this.length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.length, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    return at;
  }

  private tag(tag: number): void {
    const at = this.grow(1);
    this.bytes[at] = tag;
  }

  private u16(tag: number, value: number): void {
    const at = this.grow(3);
    this.bytes[at] = tag;
    this.bytes.writeUInt16BE(value, at + 1);
  }

  private u32(tag: number, value: number): void {
    const at = this.grow(5);
    this.bytes[at] = tag;
    this.bytes.writeUInt32BE(value, at + 1);
  }

  private u8(tag: number, value: number): void {
    const at = this.grow(2);
    this.bytes[at] = tag;
    this.bytes[at + 1] = value;
  }

  value(value: Writable): void {
    if (value === null) this.tag(0xc0);
    else if (typeof value === 'boolean') this.tag(value ? 0xc3 : 0xc2);
    else if (typeof value === 'string') this.text(value);
    else if (typeof value === 'number') this.integer(value);
    else if (typeof value === 'bigint') this.big(value);
    else if (value instanceof Float) this.float(value);
    else if (value instanceof Uint8Array) this.raw(value);
    else if (isList(value)) {
      this.head(value.length, 0x90, 0xdc);
      for (const item of value) this.value(item);
    } else {
      const members = membersOf(value).filter(([, member]) => member !== undefined);
      this.head(members.length, 0x80, 0xde);
      for (const [name, member] of members) {
        this.text(name);
        this.value(member!);
      }
    }
  }

  private head(count: number, short: number, long: number): void {
    if (count < 16) this.tag(short | count);
    else if (count < 0x10000) this.u16(long, count);
    else this.u32(long + 1, count);
  }

  private text(value: string): void {
    const length = Buffer.byteLength(value);
    if (length < 32) this.tag(0xa0 | length);
    else if (length < 0x100) this.u8(0xd9, length);
    else if (length < 0x10000) this.u16(0xda, length);
    else this.u32(0xdb, length);
    const at = this.grow(length);
    this.bytes.write(value, at, 'utf8');
  }

  private raw(value: Uint8Array): void {
    const { length } = value;
    if (length < 0x100) this.u8(0xc4, length);
    else if (length < 0x10000) this.u16(0xc5, length);
    else this.u32(0xc6, length);
    const at = this.grow(length);
    this.bytes.set(value, at);
  }

  private float({ value, bytes }: Float): void {
    this.tag(bytes === 4 ? 0xca : 0xcb);
    const at = this.grow(bytes);
    if (bytes === 4) this.bytes.writeFloatBE(value, at);
    else this.bytes.writeDoubleBE(value, at);
  }

  private integer(value: number): void {
    if (!Number.isSafeInteger(value))
      throw new WireError(`${value} is no integer: floats are written as such`);
    if (value < -32 || value > 0xffffffff) this.wide(value);
    else if (value < 0) this.tag(value + 256);
    else if (value < 0x80) this.tag(value);
    else if (value < 0x100) this.u8(0xcc, value);
    else if (value < 0x10000) this.u16(0xcd, value);
    else this.u32(0xce, value);
  }

  private wide(value: number): void {
    if (value >= -128 && value < 0) this.u8(0xd0, value + 0x100);
    else if (value >= -32768 && value < 0) this.u16(0xd1, value + 0x10000);
    else if (value >= -0x80000000 && value < 0) this.u32(0xd2, value + 0x100000000);
    else this.big(BigInt(value));
  }

  private big(value: bigint): void {
    if (value >= -0x80000000n && value <= 0xffffffffn) {
      this.integer(Number(value));
      return;
    }
    this.tag(value < 0n ? 0xd3 : 0xcf);
    const at = this.grow(8);
    if (value < 0n) this.bytes.writeBigInt64BE(value, at);
    else this.bytes.writeBigUInt64BE(value, at);
  }
}

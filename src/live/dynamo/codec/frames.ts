import { WireError } from './value.js';

/** Largest request frame, and largest part of a message, that is accepted. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Control JSON is small. */
const MAX_HEADER_BYTES = 128 * 1024;
const MAX_BOOTSTRAP_BYTES = 65_536;
const TWO_PART_BYTES = 24;

/** A request as it travels to a worker over TCP. */
export interface RequestFrame {
  /** `{instance id in hex}/{endpoint}` */
  path: string;
  /** A JSON object of strings. */
  headers: Buffer;
  payload: Buffer;
}

export function encodeRequestFrame({ path, headers, payload }: RequestFrame): Buffer {
  const name = Buffer.from(path);
  const frame = Buffer.allocUnsafe(8 + name.length + headers.length + payload.length);
  let at = frame.writeUInt16BE(name.length, 0);
  at += name.copy(frame, at);
  at = frame.writeUInt16BE(headers.length, at);
  at += headers.copy(frame, at);
  at = frame.writeUInt32BE(payload.length, at);
  payload.copy(frame, at);
  return frame;
}

/** A control part and a data part, either of which may be absent. Checksums are written as 0 and not looked at. */
export interface TwoPart {
  header: Buffer;
  data: Buffer;
}

const NOTHING = Buffer.alloc(0);

export function encodeTwoPart({ header = NOTHING, data = NOTHING }: Partial<TwoPart>): Buffer {
  const frame = Buffer.allocUnsafe(TWO_PART_BYTES + header.length + data.length);
  frame.writeBigUInt64BE(BigInt(header.length), 0);
  frame.writeBigUInt64BE(BigInt(data.length), 8);
  frame.writeBigUInt64BE(0n, 16);
  header.copy(frame, TWO_PART_BYTES);
  data.copy(frame, TWO_PART_BYTES + header.length);
  return frame;
}

/** Reads a message that stands alone. @throws {WireError} */
export function decodeTwoPart(bytes: Buffer): TwoPart {
  const parts = takeTwoPart(bytes, 0);
  if (typeof parts === 'number' || parts.end !== bytes.length)
    throw new WireError(`a two-part message of ${bytes.length} bytes has another length inside`);
  return parts.value;
}

/** An acknowledgement: empty, or why the request was refused. */
export function encodeAck(text: string): Buffer {
  const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.write(text, 4);
  return frame;
}

/** One frame found in a stream of bytes, and where it ends. */
interface Taken<T> {
  value: T;
  end: number;
}
/** Takes the frame that begins at a place, or says how many bytes must be there to look again. @throws {WireError} */
type Take<T> = (bytes: Buffer, from: number) => Taken<T> | number;

const takeTwoPart: Take<TwoPart> = (bytes, from) => {
  if (bytes.length - from < TWO_PART_BYTES) return from + TWO_PART_BYTES;
  const headerLength = bytes.readBigUInt64BE(from);
  const dataLength = bytes.readBigUInt64BE(from + 8);
  if (headerLength > MAX_HEADER_BYTES || dataLength > MAX_MESSAGE_BYTES)
    throw new WireError(`a message of ${headerLength} + ${dataLength} bytes is too long`);
  const split = from + TWO_PART_BYTES + Number(headerLength);
  const end = split + Number(dataLength);
  if (bytes.length < end) return end;
  const header = bytes.subarray(from + TWO_PART_BYTES, split);
  return { value: { header, data: bytes.subarray(split, end) }, end };
};

const takeRequest: Take<RequestFrame> = (bytes, from) => {
  const name = take16(bytes, from);
  if (typeof name === 'number') return name;
  const headers = take16(bytes, name.end);
  if (typeof headers === 'number') return headers;
  const start = headers.end + 4;
  if (bytes.length < start) return start;
  const length = bytes.readUInt32BE(headers.end);
  if (length > MAX_MESSAGE_BYTES) throw new WireError(`a request of ${length} bytes is too long`);
  const end = start + length;
  if (bytes.length < end) return end;
  const path = name.value.toString();
  return { value: { path, headers: headers.value, payload: bytes.subarray(start, end) }, end };
};

const take16: Take<Buffer> = (bytes, from) => {
  if (bytes.length < from + 2) return from + 2;
  const end = from + 2 + bytes.readUInt16BE(from);
  return bytes.length < end ? end : { value: bytes.subarray(from + 2, end), end };
};

const takeAck: Take<string> = (bytes, from) => {
  if (bytes.length < from + 4) return from + 4;
  const end = from + 4 + bytes.readUInt32BE(from);
  if (end - from > MAX_HEADER_BYTES) throw new WireError(`an acknowledgement of ${end - from - 4} bytes`);
  return bytes.length < end ? end : { value: bytes.toString('utf8', from + 4, end), end };
};

/** A JSON text behind its length, as workers speak on the bootstrap socket; the only frames that are little-endian. */
const takeBootstrap: Take<string> = (bytes, from) => {
  if (bytes.length < from + 4) return from + 4;
  const length = bytes.readUInt32LE(from);
  if (length < 1 || length > MAX_BOOTSTRAP_BYTES)
    throw new WireError(`a bootstrap frame of ${length} bytes, allowed are 1 to ${MAX_BOOTSTRAP_BYTES}`);
  const end = from + 4 + length;
  return bytes.length < end ? end : { value: bytes.toString('utf8', from + 4, end), end };
};

export function encodeBootstrapFrame(text: string): Buffer {
  const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  frame.writeUInt32LE(frame.length - 4, 0);
  frame.write(text, 4);
  return frame;
}

/** Cuts a stream of bytes, in whatever chunks it comes, into its frames. */
export class FrameReader<T> {
  private chunks: Buffer[] = [];
  private pending = 0;
  /** Bytes without which looking again is of no use: long frames are joined once. */
  private wanted = 1;

  private constructor(private readonly take: Take<T>) {}

  static requests(): FrameReader<RequestFrame> {
    return new FrameReader(takeRequest);
  }

  static twoParts(): FrameReader<TwoPart> {
    return new FrameReader(takeTwoPart);
  }

  static acks(): FrameReader<string> {
    return new FrameReader(takeAck);
  }

  static bootstrap(): FrameReader<string> {
    return new FrameReader(takeBootstrap);
  }

  /** Whether the stream may end here. */
  get isAtBoundary(): boolean {
    return this.pending === 0;
  }

  /** @returns the frames that are whole now @throws {WireError} */
  push(chunk: Buffer): T[] {
    this.chunks.push(chunk);
    this.pending += chunk.length;
    if (this.pending < this.wanted) return [];
    const bytes = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks);
    const frames: T[] = [];
    let at = 0;
    let taken = this.take(bytes, at);
    while (typeof taken !== 'number') {
      frames.push(taken.value);
      at = taken.end;
      taken = this.take(bytes, at);
    }
    this.pending = bytes.length - at;
    this.chunks = this.pending === 0 ? [] : [bytes.subarray(at)];
    this.wanted = taken - at;
    return frames;
  }
}

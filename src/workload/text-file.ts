import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { InputError } from '../config/input-error.js';

const WINDOW_BYTES = 1 << 20;
/** Read after a jump, which mostly needs one line. */
const JUMP_BYTES = 1 << 14;
const HEAD_BYTES = 1 << 16;
const NEWLINE = 0x0a;
/** UTF-8's mark of the byte order, with which some programs begin files. */
const MARK = [0xef, 0xbb, 0xbf];

/** Files of a folder that may be traces. */
const TRACE_NAME = /(\.jsonl?|\.parquet|-trace\.csv)(\.gz|\.zst)?$/i;

/** A file among those of a folder, by the place of its first byte in all of them. */
interface Part {
  path: string;
  offset: number;
}

function hasMark(bytes: Uint8Array): boolean {
  return MARK.every((byte, index) => bytes[index] === byte);
}

/**
 * Lines of a trace file, read through a window that moves forward or jumps to a byte offset; memory does not grow
 * with the file. gzip and zstd files (told by their first bytes) are unpacked into an anonymous temporary file, Parquet
 * files become lines of JSON there, and folders all their files, one behind the other.
 */
export class TextFile {
  /** The line last read is `bytes[start, end)`, without its newline. */
  bytes = Buffer.alloc(WINDOW_BYTES);
  start = 0;
  end = 0;
  /** Byte offset of the line last read, in the unpacked file. */
  offset = 0;
  private windowOffset = 0;
  private windowLength = 0;
  private nextOffset = 0;

  private constructor(
    readonly path: string,
    private readonly descriptor: number,
    /** The files of a folder; undefined for a file. */
    readonly parts?: readonly Part[],
  ) {}

  /**
   * @param path `-` for standard input; what can be read once only (a pipe) is copied first
   * @param takesFolders whether it may be a folder, which is one trace in several files
   * @throws {InputError} when the file cannot be opened or unpacked
   */
  static async open(path: string, takesFolders = false): Promise<TextFile> {
    let descriptor: number;
    try {
      descriptor = path === '-' ? 0 : openSync(path, 'r');
      const stat = fstatSync(descriptor);
      if (stat.isDirectory()) {
        closeSync(descriptor);
        if (!takesFolders) throw new Error('it is a directory');
        return await TextFile.openFolder(path);
      }
      if (!stat.isFile()) descriptor = spooled(descriptor);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${shortened(path)}: cannot open the trace file (${reason(error)})`);
    }
    const head = Buffer.alloc(4);
    readSync(descriptor, head, 0, 4, 0);
    if (head[0] === 0x1f && head[1] === 0x8b) return TextFile.unpack(path, descriptor, gunzip);
    if (head.readUInt32LE(0) === 0xfd2fb528) return TextFile.unpack(path, descriptor, unzstd);
    if (head.toString('latin1') === 'PAR1') return TextFile.unpack(path, descriptor, unparquet);
    return new TextFile(path, descriptor);
  }

  private static async openFolder(path: string): Promise<TextFile> {
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => TRACE_NAME.test(name))
      .sort();
    if (names.length === 0) throw new InputError(`${path}: the folder has no .json, .jsonl or .parquet file`);
    const parts: Part[] = [];
    const descriptor = openAnonymous();
    let offset = 0;
    const write = (bytes: Uint8Array) => {
      writeAll(descriptor, bytes);
      offset += bytes.length;
    };
    try {
      for (const name of names) {
        const part = await TextFile.open(join(path, name));
        parts.push({ path: part.path, offset });
        for (const bytes of part.chunks()) write(bytes);
        write(Buffer.from([NEWLINE]));
        part.close();
      }
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new TextFile(path, descriptor, parts);
  }

  /** A file of lines that are made, under the path of what they are made from. @throws what making them throws */
  static of(path: string, lines: Iterable<string>): TextFile {
    const descriptor = openAnonymous();
    try {
      let chunk = '';
      const flush = () => {
        const bytes = Buffer.from(chunk);
        writeAll(descriptor, bytes);
        chunk = '';
      };
      for (const line of lines) {
        chunk += `${line}\n`;
        if (chunk.length >= WINDOW_BYTES) flush();
      }
      flush();
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new TextFile(path, descriptor);
  }

  private static async unpack(
    path: string,
    packed: number,
    unpacker: (packed: number, sink: (chunk: Uint8Array) => void) => Promise<void>,
  ): Promise<TextFile> {
    const unpacked = openAnonymous();
    try {
      await unpacker(packed, (chunk) => writeAll(unpacked, chunk));
    } catch (error) {
      closeSync(unpacked);
      throw new InputError(`${path}: cannot unpack the trace file (${reason(error)})`);
    } finally {
      closeSync(packed);
    }
    return new TextFile(path, unpacked);
  }

  /** The first bytes, as far as a format shows in them. */
  head(): string {
    const buffer = Buffer.alloc(HEAD_BYTES);
    return buffer.toString('latin1', 0, readSync(this.descriptor, buffer, 0, buffer.length, 0));
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** All bytes from one place to another, a mark of the byte order at the beginning left out. */
  *chunks(from = 0, to = Number.POSITIVE_INFINITY): Generator<Uint8Array> {
    let isFirst = from === 0;
    for (const chunk of chunks(this.descriptor, from, to)) {
      yield isFirst && hasMark(chunk) ? chunk.subarray(MARK.length) : chunk;
      isFirst = false;
    }
  }

  /** Goes back to the beginning, so that the next line is the first. */
  rewind(): void {
    this.nextOffset = 0;
  }

  /** Goes on with the next line; false at the end. */
  next(): boolean {
    return this.readAt(this.nextOffset);
  }

  /** Reads the line that begins at a byte offset; false at the end of the file. */
  readAt(offset: number): boolean {
    if (offset < this.windowOffset || offset > this.windowOffset + this.windowLength) this.fillFrom(offset);
    let from = offset - this.windowOffset;
    let newline = this.bytes.subarray(from, this.windowLength).indexOf(NEWLINE);
    while (newline < 0) {
      const known = this.windowLength - from;
      const grew = this.extend(offset);
      from = 0;
      if (!grew) {
        if (known === 0) return false;
        newline = known;
        break;
      }
      const more = this.bytes.subarray(known, this.windowLength).indexOf(NEWLINE);
      if (more >= 0) newline = known + more;
    }
    this.offset = offset;
    if (offset === 0 && hasMark(this.bytes.subarray(from, from + newline))) {
      this.start = from + MARK.length;
      this.end = from + newline;
      this.nextOffset = newline + 1;
      return true;
    }
    this.start = from;
    this.end = from + newline;
    this.nextOffset = offset + newline + 1;
    return true;
  }

  private fillFrom(offset: number): void {
    this.windowOffset = offset;
    this.windowLength = readSync(this.descriptor, this.bytes, 0, JUMP_BYTES, offset);
  }

  /** Moves the window to begin at `offset` and reads more behind what is there; false when the file has no more. */
  private extend(offset: number): boolean {
    const kept = this.windowOffset + this.windowLength - offset;
    if (kept === this.bytes.length) {
      const larger = Buffer.alloc(this.bytes.length * 2);
      this.bytes.copy(larger, 0, 0, kept);
      this.bytes = larger;
    } else this.bytes.copyWithin(0, offset - this.windowOffset, this.windowLength);
    this.windowOffset = offset;
    const read = readSync(this.descriptor, this.bytes, kept, this.bytes.length - kept, offset + kept);
    this.windowLength = kept + read;
    return read > 0;
  }

  /** True when the line last read holds nothing but white space. */
  isBlank(): boolean {
    for (let p = this.start; p < this.end; p++) if (this.bytes[p] > 0x20) return false;
    return true;
  }
}

/** A file that has no name, and goes when it is closed. */
function openAnonymous(): number {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-'));
  const descriptor = openSync(join(folder, 'trace'), 'w+');
  rmSync(folder, { recursive: true });
  return descriptor;
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** A copy of what can be read once only. */
function spooled(descriptor: number): number {
  const copy = openAnonymous();
  const buffer = Buffer.alloc(WINDOW_BYTES);
  for (;;) {
    const read = readOnce(descriptor, buffer);
    if (read === 0) break;
    writeAll(copy, buffer.subarray(0, read));
  }
  if (descriptor !== 0) closeSync(descriptor);
  return copy;
}

/** Reads what is there next, and waits for it where a pipe would rather be asked again. */
function readOnce(descriptor: number, buffer: Buffer): number {
  for (;;)
    try {
      return readSync(descriptor, buffer);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
}

const MOST_SHOWN = 200;

/** A path as messages show it. */
function shortened(path: string): string {
  return path.length > MOST_SHOWN ? `${path.slice(0, MOST_SHOWN)}…` : path;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'ELOOP') return 'its symbolic links go in a circle';
  if (code === 'ENAMETOOLONG') return 'the name is too long';
  return message;
}

async function gunzip(packed: number, sink: (chunk: Uint8Array) => void): Promise<void> {
  const stream = createGunzip();
  const done = new Promise<void>((resolve, reject) => {
    stream.on('data', sink);
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  for (const chunk of chunks(packed))
    if (!stream.write(Buffer.from(chunk))) {
      const drained = new Promise((resume) => stream.once('drain', resume));
      if ((await Promise.race([drained, done.then(() => 'ended')])) === 'ended') break;
    }
  stream.end();
  await done;
}

/** Loaded here, since few traces are tables. */
async function unparquet(table: number, sink: (chunk: Uint8Array) => void): Promise<void> {
  const { parquetLines } = await import('./parquet-lines.js');
  for await (const line of parquetLines(table, fstatSync(table).size)) sink(Buffer.from(`${line}\n`));
}

async function unzstd(packed: number, sink: (chunk: Uint8Array) => void): Promise<void> {
  const stream = new Decompress(sink);
  for (const chunk of chunks(packed)) stream.push(Uint8Array.from(chunk));
  stream.push(new Uint8Array(0), true);
}

function* chunks(descriptor: number, from = 0, to = Number.POSITIVE_INFINITY): Generator<Buffer> {
  const buffer = Buffer.alloc(WINDOW_BYTES);
  for (let offset = from, read = 1; read > 0 && offset < to; offset += read) {
    read = readSync(descriptor, buffer, 0, Math.min(buffer.length, to - offset), offset);
    if (read > 0) yield buffer.subarray(0, read);
  }
}

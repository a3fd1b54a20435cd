import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TableSource } from './sources.js';

/** Changes when what is stored changes its form or its meaning. */
const FORM = 1;

/** The rows of one slice, sorted by their axes, outer first, each key once. */
export interface Slice {
  /** Axis values, one row after the other. */
  coordinates: Float64Array;
  latencyMs: Float64Array;
}

export type Slices = Map<string, Slice>;

interface StoredSlice {
  key: string;
  coordinates: number;
  rows: number;
}

/** Folder in which parsed tables and installed ones are kept. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dynosim');
}

/** A name that changes with the files of a table and with what of them is wanted. */
export function storeName(file: string, sources: readonly TableSource[], wanted: readonly string[]): string {
  const described = sources.map(({ path, kernels }) => {
    const { size, mtimeMs } = statSync(path);
    return [path, size, mtimeMs, kernels ? [...kernels].sort() : null];
  });
  const hash = createHash('sha1')
    .update(JSON.stringify([FORM, file, described, wanted]))
    .digest('hex');
  return `${file}-${hash.slice(0, 20)}.bin`;
}

/** Slices stored under a name; undefined when there are none that can be read. */
export function readStored(name: string): Slices | undefined {
  try {
    const bytes = readFileSync(join(cacheFolder(), 'tables', name));
    const headBytes = bytes.readUInt32LE(0);
    const head = JSON.parse(bytes.toString('utf8', 8, 8 + headBytes)) as StoredSlice[];
    const values = new Float64Array(
      bytes.buffer.slice(bytes.byteOffset + 8 + headBytes, bytes.byteOffset + bytes.length),
    );
    const slices: Slices = new Map();
    let at = 0;
    for (const { key, coordinates, rows } of head) {
      slices.set(key, {
        coordinates: values.subarray(at, at + coordinates),
        latencyMs: values.subarray(at + coordinates, at + coordinates + rows),
      });
      at += coordinates + rows;
    }
    return at === values.length ? slices : undefined;
  } catch {
    return undefined;
  }
}

/** Stores slices for the next time; where that is not possible they are read again then. */
export function writeStored(name: string, slices: Slices): void {
  const head: StoredSlice[] = [...slices].map(([key, { coordinates, latencyMs }]) => ({
    key,
    coordinates: coordinates.length,
    rows: latencyMs.length,
  }));
  const text = Buffer.from(JSON.stringify(head));
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(text.length, 0);
  const values = [...slices.values()].flatMap(({ coordinates, latencyMs }) => [coordinates, latencyMs]);
  const parts = values.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  const folder = join(cacheFolder(), 'tables');
  const path = join(folder, name);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, Buffer.concat([sizes, text, ...parts]));
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // A folder that cannot be written to only costs time.
  }
}

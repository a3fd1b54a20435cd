import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { InputError } from '../config/input-error.js';

const CHUNK_CHARACTERS = 1 << 20;
/** Signals that end a process, and would leave temporary files behind. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** A piece of a file: text, or bytes. */
export type OutputPiece = string | Uint8Array;

/** A file that a command is asked to write, and the option that asks for it. */
export interface Target {
  option: string;
  /** `-` for standard output. */
  path: string;
}

export interface OutputRules {
  /** Whether files that are there may be written over. */
  force: boolean;
  /** Files that the command reads, which no output may be. */
  inputs?: readonly string[];
}

/** An output: a file that is made beside its place and put there when it is whole, or what takes text as it comes. */
interface Sink {
  option: string;
  place: string;
  isFile: boolean;
  /** Once it is being written. */
  descriptor?: number;
}

/**
 * The files that a command writes: tried before its work begins, whole or not there at all when it ends. Each is written under a
 * temporary name beside its place and renamed when all are complete; signals meanwhile remove what is temporary, and what a
 * killed process left is removed when its file is written next. Devices and pipes are written to as they are.
 */
export class OutputFiles {
  private readonly sinks = new Map<string, Sink>();
  private readonly written = new Set<string>();
  /** Whether it hears of signals. */
  private hears = false;
  private readonly onSignal = (signal: NodeJS.Signals) => {
    this.discard();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };

  /** @throws {InputError} for a path that cannot be written, or must not be, before anything is */
  static open(targets: readonly Target[], rules: OutputRules): OutputFiles {
    const files = new OutputFiles();
    const taken = new Map<string, string>();
    for (const input of rules.inputs ?? [])
      if (existsSync(input)) taken.set(realpathSync(input), 'the input');
    const places = targets.map((target) => ({ ...target, place: placeOf(target) }));
    for (const { option, path, place } of places) {
      const owner = taken.get(place);
      if (owner !== undefined && !isDevice(place))
        throw new InputError(`${option}: ${path} is ${owner}; an output must be a file of its own`);
      taken.set(place, `written by ${option} too`);
      if (!rules.force && isFile(place))
        throw new InputError(`${option}: ${path} exists already; add --force to write over it`);
    }
    for (const { option, path, place } of places) {
      const sink = { option, place, isFile: path !== '-' && !isDevice(place) };
      if (sink.isFile) tryOut(sink, path);
      files.sinks.set(path, sink);
    }
    return files;
  }

  /** Writes all of a file. @param path as it was given when the files were opened */
  async write(path: string, pieces: Iterable<OutputPiece>): Promise<void> {
    const sink = this.sinks.get(path)!;
    // While nothing is being written, a signal ends the process as it is.
    if (!this.hears) for (const signal of SIGNALS) process.on(signal, this.onSignal);
    this.hears = true;
    try {
      const descriptor = path === '-' ? 1 : openSync(sink.isFile ? created(sink.place) : sink.place, 'w');
      sink.descriptor = descriptor;
      let chunk = '';
      for (const piece of pieces) {
        if (typeof piece !== 'string') {
          writeAll(descriptor, chunk);
          writeAll(descriptor, piece);
          chunk = '';
          continue;
        }
        chunk += piece;
        if (chunk.length < CHUNK_CHARACTERS) continue;
        writeAll(descriptor, chunk);
        chunk = '';
        await setImmediate();
      }
      writeAll(descriptor, chunk);
      this.written.add(path);
    } catch (error) {
      this.discard();
      throw new InputError(`cannot write ${path} (${(error as Error).message})`);
    }
  }

  /** Puts all files in their places that were written. */
  commit(): void {
    try {
      for (const [path, { isFile, place }] of this.sinks)
        if (isFile && this.written.has(path)) renameSync(temporaryOf(place), place);
    } catch (error) {
      throw new InputError(
        `cannot write ${[...this.sinks.keys()].join(' and ')} (${(error as Error).message})`,
      );
    } finally {
      this.discard();
    }
  }

  /** Leaves nothing behind of files that were not put in their places. */
  discard(): void {
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
    this.hears = false;
    for (const [path, { descriptor, isFile, place }] of this.sinks) {
      if (descriptor === undefined || path === '-') continue;
      closeSync(descriptor);
      if (isFile) rmSync(temporaryOf(place), { force: true });
    }
    this.sinks.clear();
  }
}

/**
 * Writes files whole or not at all.
 * @param contents pieces of text by path
 * @param option that asks for them
 * @throws {InputError} when a file cannot be written, or is there and may not be written over
 */
export async function writeOutputs(
  contents: ReadonlyMap<string, Iterable<OutputPiece>>,
  option: string,
  rules: OutputRules,
): Promise<void> {
  const files = OutputFiles.open(
    [...contents.keys()].map((path) => ({ option, path })),
    rules,
  );
  for (const [path, pieces] of contents) await files.write(path, pieces);
  files.commit();
}

/** Writes rows to a file, whole or not at all, or to standard output. */
export async function writeRows(
  rows: Iterable<string>,
  path: string | undefined,
  rules: OutputRules,
): Promise<void> {
  if (path === undefined || path === '-') {
    await pipeline(Readable.from(lines(rows)), process.stdout, { end: false }).catch((error) => {
      if (error.code !== 'EPIPE') throw error;
    });
    return;
  }
  await writeOutputs(new Map([[path, lines(rows)]]), '--output', rules);
}

function* lines(rows: Iterable<string>): Generator<string> {
  for (const row of rows) yield `${row}\n`;
}

function writeAll(descriptor: number, piece: OutputPiece): void {
  const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** The path that is written in the end: links followed, however it is spelt. */
function placeOf({ option, path }: Target): string {
  if (path === '-') return path;
  if (path === '') throw new InputError(`${option}: must not be empty`);
  try {
    if (existsSync(path)) return realpathSync(path);
    const folder = resolve(dirname(path));
    return join(existsSync(folder) ? realpathSync(folder) : folder, basename(path));
  } catch (error) {
    throw new InputError(`${option}: cannot write ${path} (${(error as Error).message})`);
  }
}

function statOf(path: string): Stats | undefined {
  return path !== '-' && existsSync(path) ? statSync(path) : undefined;
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true;
}

/** Whether what is there takes what is written as it comes. */
function isDevice(path: string): boolean {
  const stat = statOf(path);
  return stat !== undefined && !stat.isFile() && !stat.isDirectory();
}

/** Finds out whether a file can be made. @throws {InputError} */
function tryOut({ option, place }: Sink, path: string): void {
  try {
    if (statOf(place)?.isDirectory()) throw new Error('it is a folder');
    let above = dirname(place);
    while (!existsSync(above)) above = dirname(above);
    if (!statSync(above).isDirectory()) throw new Error(`${above} is no folder`);
    accessSync(above, constants.W_OK);
    if (above === dirname(place)) removeStale(above, basename(place));
  } catch (error) {
    throw new InputError(`${option}: cannot write ${path} (${(error as Error).message})`);
  }
}

/** The temporary name of a file, in a folder that is there. */
function created(place: string): string {
  mkdirSync(dirname(place), { recursive: true });
  return temporaryOf(place);
}

function temporaryOf(place: string): string {
  return join(dirname(place), `.${basename(place)}.${process.pid}.tmp`);
}

/** Removes what processes that are gone left of a file. */
function removeStale(folder: string, name: string): void {
  for (const entry of readdirSync(folder)) {
    if (!(entry.startsWith(`.${name}.`) && entry.endsWith('.tmp'))) continue;
    const pid = Number(entry.slice(name.length + 2, -'.tmp'.length));
    if (Number.isInteger(pid) && pid > 0 && !isAlive(pid)) rmSync(join(folder, entry), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { InputError } from '../config/input-error.js';

/** Text, or bytes as they are. */
export type OutputPiece = string | Uint8Array;

const CHUNK_CHARACTERS = 1 << 20;

/**
 * Writes files whole or not at all: into temporary names first, renamed when all are complete. A signal meanwhile
 * removes the temporary files.
 * @param contents pieces of text by path
 * @throws {InputError} when a file cannot be written
 */
export async function writeOutputs(contents: ReadonlyMap<string, Iterable<OutputPiece>>): Promise<void> {
  const temporary = new Map<string, string>();
  const discard = () => {
    for (const path of temporary.values()) rmSync(path, { force: true });
  };
  const onSignal = (signal: NodeJS.Signals) => {
    discard();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    for (const [path, pieces] of contents) {
      const name = `${resolve(path)}.${process.pid}.tmp`;
      mkdirSync(dirname(name), { recursive: true });
      temporary.set(path, name);
      await writeFile(name, pieces);
    }
    for (const [path, name] of temporary) renameSync(name, resolve(path));
  } catch (error) {
    discard();
    throw new InputError(`cannot write ${[...contents.keys()].join(' and ')} (${(error as Error).message})`);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

async function writeFile(path: string, pieces: Iterable<OutputPiece>): Promise<void> {
  const descriptor = openSync(path, 'w');
  try {
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
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, piece: OutputPiece): void {
  const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/**
 * Writes rows to a file, whole or not at all, or to standard output.
 * @throws {InputError} when the file exists and may not be written over
 */
export async function writeRows(
  rows: Iterable<string>,
  path: string | undefined,
  replaces: boolean,
): Promise<void> {
  if (path === undefined) {
    await pipeline(Readable.from(lines(rows)), process.stdout, { end: false }).catch((error) => {
      if (error.code !== 'EPIPE') throw error;
    });
    return;
  }
  if (existsSync(path) && !replaces)
    throw new InputError(`--output: ${path} exists already; add --force to write over it`);
  await writeOutputs(new Map([[path, lines(rows)]]));
}

function* lines(rows: Iterable<string>): Generator<string> {
  for (const row of rows) yield `${row}\n`;
}

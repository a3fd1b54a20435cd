import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { InputError } from '../config/input-error.js';

const CHUNK_CHARACTERS = 1 << 20;

/**
 * Writes files whole or not at all: into temporary names first, renamed when all are complete. A signal meanwhile
 * removes the temporary files.
 * @param contents pieces of text by path
 * @throws {InputError} when a file cannot be written
 */
export async function writeOutputs(contents: ReadonlyMap<string, Iterable<string>>): Promise<void> {
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

async function writeFile(path: string, pieces: Iterable<string>): Promise<void> {
  const descriptor = openSync(path, 'w');
  try {
    let chunk = '';
    for (const piece of pieces) {
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

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

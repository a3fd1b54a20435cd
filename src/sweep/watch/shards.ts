import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../config/input-error.js';
import { type JsonObject, readJson } from '../../config/json.js';

/** Files of a folder that are shards of a trace. */
const SHARD = /\.jsonl$/;

/** What follows from the records of a watch. */
export interface WatchState {
  /** The last shard that was considered. */
  lastShard?: string;
  /** Settings of the deployment, where it was taken from an answer. */
  deployed?: JsonObject;
}

/**
 * Shards that are complete, by their names: those that another one follows, and the last one when it has not grown since
 * it was looked at before.
 */
export class Shards {
  private lastSize = -1;
  private lastName = '';

  /** @throws {InputError} when there is no such folder */
  constructor(private readonly folder: string) {
    if (!existsSync(folder) || !statSync(folder).isDirectory())
      throw new InputError(`--trace-dir: ${folder} is no folder`);
  }

  /** @param isFinal whether nothing more is expected, so that the last one is complete too */
  complete(isFinal: boolean): string[] {
    const names = readdirSync(this.folder)
      .filter((name) => SHARD.test(name))
      .sort();
    const last = names.at(-1);
    if (last === undefined || isFinal) return names;
    const { size } = statSync(join(this.folder, last));
    const isStill = last === this.lastName && size === this.lastSize;
    this.lastName = last;
    this.lastSize = size;
    return isStill ? names : names.slice(0, -1);
  }

  /** Writes some shards one after the other as one trace. @returns requests */
  join(names: readonly string[], path: string): number {
    const texts = names.map((name) => readFileSync(join(this.folder, name), 'utf8').trimEnd());
    const text = texts.filter((one) => one !== '').join('\n');
    replace(path, `${text}\n`);
    return text === '' ? 0 : text.split('\n').length;
  }
}

/** Reads what a watch has recorded; a line that was cut off is taken away. @throws {InputError} for what is no record */
export function readState(path: string): WatchState {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, 'utf8');
  const whole = text.lastIndexOf('\n') + 1;
  if (whole < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, whole)));
  const state: WatchState = {};
  for (const [at, line] of text.slice(0, whole).split('\n').entries()) {
    if (line === '') continue;
    const record = readJson(line, `${path}:${at + 1}`);
    const shard = record instanceof Map ? record.get('shard') : undefined;
    if (!(record instanceof Map) || typeof shard !== 'string')
      throw new InputError(`${path}:${at + 1}: is no record of a watch`);
    state.lastShard = shard;
    const deployed = record.get('deployed');
    if (deployed instanceof Map) state.deployed = deployed;
  }
  return state;
}

/** Writes a file whole or not at all. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
}

import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBLAKE3 } from 'hash-wasm';
import { InputError } from '../../../config/input-error.js';
import { decodeJson } from '../codec/json.js';
import { Fields, type WireMap, type WireValue } from '../codec/value.js';

const MOST_BYTES = 1 << 30;
const FETCH_MS = 300_000;
const MEMBERS = ['model_info', 'tokenizer', 'prompt_formatter', 'chat_template_file', 'gen_config'];

/** The files of a model in a folder of their own. */
export interface ModelFiles {
  folder: string;
  eosTokens: number[];
  remove(): Promise<void>;
}

/**
 * Brings the files that a card names into one folder, checking what they are.
 * @throws {InputError} for one that cannot be had
 */
export async function fetchModelFiles(card: WireMap): Promise<ModelFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'dynosim-model-'));
  try {
    for (const member of MEMBERS) {
      const file = fileOf(card.get(member));
      if (file) await fetchFile(file, folder);
    }
    return {
      folder,
      eosTokens: await eosOf(folder),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The file of a card's member, whatever kind it is of. */
function fileOf(value: WireValue | undefined): Fields | undefined {
  if (!(value instanceof Map)) return undefined;
  for (const inner of value.values()) {
    if (!(inner instanceof Map)) continue;
    return inner.get('file') instanceof Map
      ? (fileOf(inner) ?? Fields.of(inner.get('file'), 'file'))
      : Fields.of(inner, 'file');
  }
  return undefined;
}

async function fetchFile(file: Fields, folder: string): Promise<void> {
  const path = file.text('path');
  const target = join(folder, basename(path.replace(/[?#].*$/, '')));
  try {
    if (/^https?:/.test(path)) {
      const response = await fetch(path, { signal: AbortSignal.timeout(FETCH_MS) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const length = Number(response.headers.get('content-length') ?? 0);
      if (length > MOST_BYTES) throw new Error(`${length} bytes are too many`);
      await writeFile(target, Buffer.from(await response.arrayBuffer()));
    } else await copyFile(path.startsWith('file:') ? fileURLToPath(path) : path, target);
  } catch (error) {
    throw new InputError(`model file ${path} cannot be had (${(error as Error).message})`);
  }
  const expected = file.optionalText('checksum');
  if (expected === undefined) return;
  const hash = await createBLAKE3();
  const found = `blake3:${hash
    .init()
    .update(await readFile(target))
    .digest('hex')}`;
  if (found !== expected) throw new InputError(`model file ${path} is ${found}, the card says ${expected}`);
}

/** Ids that end an answer, by the model's configuration. */
async function eosOf(folder: string): Promise<number[]> {
  for (const name of ['generation_config.json', 'config.json']) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    const config = text === undefined ? undefined : decodeJson(text);
    const eos = config instanceof Map ? config.get('eos_token_id') : undefined;
    if (typeof eos === 'number') return [eos];
    if (Array.isArray(eos)) return eos.filter((id) => typeof id === 'number');
  }
  return [];
}

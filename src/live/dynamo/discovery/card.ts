import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createBLAKE3 } from 'hash-wasm';
import { InputError } from '../../../config/input-error.js';
import { decodeJson } from '../codec/json.js';
import type { WireMap, WireValue, Writable } from '../codec/value.js';
import { slug } from './names.js';

/** The files of a model folder that a frontend needs, and where a card names them. */
const FILES = [
  { file: 'config.json', member: 'model_info', kind: 'hf_config_json' },
  { file: 'tokenizer.json', member: 'tokenizer', kind: 'hf_tokenizer_json' },
  { file: 'tokenizer_config.json', member: 'prompt_formatter', kind: 'hf_tokenizer_config_json' },
  { file: 'generation_config.json', member: 'gen_config', kind: 'hf_generation_config_json' },
] as const;

/** A file of a model, as a frontend can check it. */
export interface ModelFile {
  file: string;
  member: string;
  kind: string;
  path: string;
  bytes: number;
  checksum: string;
}

/** What a folder holds of a model. */
export interface ModelFolder {
  files: readonly ModelFile[];
  /** Largest sequence by the model's architecture, in tokens. */
  contextTokens: number | undefined;
  config: WireMap | undefined;
}

/** @throws {InputError} when there is no such folder */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new InputError(
      `--model-path: ${folder} is not a folder (a model of a hub must be downloaded before)`,
    );
  const hash = await createBLAKE3();
  const files = FILES.filter(({ file }) => existsSync(join(folder, file))).map((entry) => {
    const path = resolve(folder, entry.file);
    const content = readFileSync(path);
    const checksum = `blake3:${hash.init().update(content).digest('hex')}`;
    return { ...entry, path, bytes: content.length, checksum };
  });
  const config = readJson(join(folder, 'config.json'));
  const text = config?.get('text_config');
  const contextTokens =
    count(config?.get('max_position_embeddings')) ??
    count(text instanceof Map ? text.get('max_position_embeddings') : undefined) ??
    count(readJson(join(folder, 'tokenizer_config.json'))?.get('model_max_length'));
  return { files, contextTokens, config };
}

function count(value: WireValue | undefined): number | undefined {
  return typeof value === 'number' && value > 0 && value <= 0xffffffff ? value : undefined;
}

function readJson(path: string): WireMap | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const value = decodeJson(readFileSync(path, 'utf8'));
    return value instanceof Map ? value : undefined;
  } catch {
    return undefined;
  }
}

export type WorkerRole = 'aggregated' | 'prefill' | 'decode';

/** What a worker says of itself in its card. */
export interface CardOptions {
  modelName: string;
  folder: ModelFolder | undefined;
  /** Where a frontend finds a file of the model: a local path or a URL. */
  locate: (file: ModelFile) => string;
  role: WorkerRole;
  blockTokens: number;
  totalBlocks: number;
  maxSequences: number;
  maxBatchedTokens: number;
  maxModelTokens: number | undefined;
  ranks: number;
  /** Whether the worker tells of its KV events. */
  publishesKv: boolean;
  /** Where a prefill worker waits for decode workers. */
  bootstrap: { host: string; port: number } | undefined;
}

/** Roles that a worker of this role cannot do without. */
const NEEDS: Record<WorkerRole, string[][]> = {
  aggregated: [],
  prefill: [['decode']],
  decode: [['prefill']],
};

/**
 * The card of a model. The length limit of the engine is left out where there is none: the reference writes 0 there,
 * which hides the limit of the model itself, so that requests without `max_tokens` fail.
 */
export function modelCard(options: CardOptions): Writable {
  const { modelName, folder, role, maxModelTokens, bootstrap } = options;
  const files = new Map(
    (folder?.files ?? []).map((file) => [
      file.member,
      { [file.kind]: { path: options.locate(file), checksum: file.checksum, size: file.bytes } },
    ]),
  );
  return {
    display_name: modelName,
    slug: slug(modelName),
    model_info: files.get('model_info') ?? null,
    tokenizer: files.get('tokenizer') ?? null,
    prompt_formatter: files.get('prompt_formatter'),
    gen_config: files.get('gen_config'),
    architectural_max_context_length: folder?.contextTokens,
    context_length: maxModelTokens ?? 0,
    kv_cache_block_size: options.blockTokens,
    migration_limit: 0,
    model_type: role === 'prefill' ? '' : 'Chat | Completions',
    model_input: 'Tokens',
    worker_type: role,
    needs: NEEDS[role],
    runtime_config: {
      context_length: maxModelTokens,
      total_kv_blocks: options.totalBlocks,
      max_num_seqs: options.maxSequences,
      max_num_batched_tokens: options.maxBatchedTokens,
      tool_call_parser: null,
      reasoning_parser: null,
      structural_tag_mode: 'off',
      structural_tag_scope: 'auto',
      structural_tag_schema: 'auto',
      exclude_tools_when_tool_choice_none: true,
      data_parallel_start_rank: 0,
      data_parallel_size: options.ranks,
      enable_local_indexer: role !== 'decode',
      kv_event_publishing_enabled: options.publishesKv,
      runtime_data: { output_replay_consumer: true },
      disaggregated_endpoint: bootstrap && {
        bootstrap_host: bootstrap.host,
        bootstrap_port: bootstrap.port,
      },
      enable_eagle: false,
    },
    media_decoder: null,
    media_fetcher: null,
  };
}

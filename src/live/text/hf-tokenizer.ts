import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { InputError } from '../../config/input-error.js';
import type { ChatMessage, Tokenizer } from './tokenizer.js';

const WORDS_FROM = 1000;
const MOST_WORDS = 1000;

interface TokenizerConfig {
  chat_template?: unknown;
  bos_token?: unknown;
  eos_token?: unknown;
}

/**
 * The tokenizer of a model in Hugging Face's files: `tokenizer.json`, and `tokenizer_config.json` with the chat
 * template (or `chat_template.jinja`) where there is one.
 */
export class FolderTokenizer implements Tokenizer {
  readonly vocabulary: number;
  readonly firstWord: number;
  private readonly tokenizer: HuggingFaceTokenizer;
  private readonly template: Template | undefined;
  private readonly specials: Record<string, string>;

  /** @throws {InputError} for a folder without a readable tokenizer */
  constructor(folder: string) {
    const json = readJson(folder, 'tokenizer.json') as { model?: { vocab?: Record<string, number> } };
    const hasConfig = existsSync(join(folder, 'tokenizer_config.json'));
    const config = (hasConfig ? readJson(folder, 'tokenizer_config.json') : {}) as TokenizerConfig;
    try {
      this.tokenizer = new HuggingFaceTokenizer(json, config);
    } catch (error) {
      throw new InputError(`--model-path: ${join(folder, 'tokenizer.json')}: ${(error as Error).message}`);
    }
    const words = Object.keys(json.model?.vocab ?? {}).length;
    if (words === 0)
      throw new InputError(
        `--model-path: ${join(folder, 'tokenizer.json')} has no vocabulary in model.vocab`,
      );
    this.firstWord = words > WORDS_FROM + MOST_WORDS ? WORDS_FROM : Math.floor(words / 2);
    this.vocabulary = Math.min(words, this.firstWord + MOST_WORDS);
    this.template = readTemplate(folder, config);
    this.specials = { bos_token: tokenText(config.bos_token), eos_token: tokenText(config.eos_token) };
  }

  encode(text: string): Uint32Array {
    return Uint32Array.from(this.tokenizer.encode(text).ids);
  }

  encodeChat(messages: readonly ChatMessage[]): Uint32Array {
    const text =
      this.template?.render({ messages: [...messages], add_generation_prompt: true, ...this.specials }) ??
      `${messages.map(({ role, content }) => `${role}: ${content}\n`).join('')}assistant: `;
    return Uint32Array.from(this.tokenizer.encode(text, { add_special_tokens: false }).ids);
  }

  decode(ids: readonly number[]): string {
    return this.tokenizer.decode([...ids], { skip_special_tokens: true });
  }
}

function readJson(folder: string, name: string): unknown {
  const path = join(folder, name);
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`--model-path: cannot read ${path} (${(error as Error).message})`);
  }
}

function readTemplate(folder: string, config: TokenizerConfig): Template | undefined {
  const file = join(folder, 'chat_template.jinja');
  const source = existsSync(file) ? readFileSync(file, 'utf8') : config.chat_template;
  if (typeof source !== 'string') return undefined;
  try {
    return new Template(source);
  } catch (error) {
    throw new InputError(`--model-path: chat template of ${folder}: ${(error as Error).message}`);
  }
}

function tokenText(token: unknown): string {
  if (typeof token === 'string') return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : '';
}

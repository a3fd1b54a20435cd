import type { OutputShape } from '../text/output-ids.js';
import { type Tokenizer, TokenTexts } from '../text/tokenizer.js';
import { ApiError, badRequest } from './api-error.js';

export interface ModelSettings {
  name: string;
  tokenizer: Tokenizer;
  /** Most tokens of a prompt and its answer together, and of a prompt. */
  contextTokens: number;
  promptTokens: number;
  /** Tokens of an answer where the client sets no limit. */
  defaultOutputTokens: number;
  output: OutputShape;
}

/** The model that is served, and the adapters that are loaded on it. */
export class ServedModel {
  readonly texts: TokenTexts;
  private readonly adapters = new Map<string, { path: string; since: number }>();

  /** @param created seconds since 1970 */
  constructor(
    readonly settings: ModelSettings,
    readonly created: number,
  ) {
    this.texts = new TokenTexts(settings.tokenizer);
  }

  /** @throws {ApiError} 404 for a name that is not served */
  check(name: string): void {
    if (name !== this.settings.name && !this.adapters.has(name))
      throw new ApiError(404, `The model '${name}' does not exist`, {
        param: 'model',
        code: 'model_not_found',
      });
  }

  isAdapter(name: string): boolean {
    return this.adapters.has(name);
  }

  get adapterNames(): string[] {
    return [...this.adapters.keys()];
  }

  loadAdapter(name: string, path: string, now: number): void {
    if (name === this.settings.name || this.adapters.has(name))
      throw badRequest(`The lora adapter '${name}' has already been loaded.`, 'lora_name');
    this.adapters.set(name, { path, since: now });
  }

  unloadAdapter(name: string): void {
    if (!this.adapters.delete(name))
      throw new ApiError(404, `The lora adapter '${name}' cannot be found.`, { param: 'lora_name' });
  }

  /** As `/v1/models` lists it. */
  list(): object[] {
    const { name, contextTokens } = this.settings;
    const entry = { object: 'model', owned_by: 'dynosim', max_model_len: contextTokens };
    const adapters = [...this.adapters].map(([id, { path, since }]) => ({
      id,
      ...entry,
      created: since,
      root: path,
      parent: name,
    }));
    return [{ id: name, ...entry, created: this.created, root: name, parent: null }, ...adapters];
  }

  /** Tokens of an answer to a prompt. @throws {ApiError} 400 where prompt and answer are longer than the context */
  outputTokens(promptTokens: number, maxTokens: number | undefined): number {
    const { contextTokens, promptTokens: mostPrompt, defaultOutputTokens } = this.settings;
    const room = contextTokens - promptTokens;
    if (promptTokens > mostPrompt || room < 1 || (maxTokens ?? 0) > room) {
      const asked = maxTokens ?? 1;
      throw badRequest(
        `This model's maximum context length is ${contextTokens} tokens. However, you requested ${promptTokens + asked} tokens (${promptTokens} in the messages, ${asked} in the completion). Please reduce the length of the messages or completion.`,
        'messages',
        'context_length_exceeded',
      );
    }
    return maxTokens ?? Math.min(defaultOutputTokens, room);
  }
}

import { readFileSync } from 'node:fs';
import { loggedCache } from '../calibrate/engine-log.js';
import { InputError } from '../config/input-error.js';

/** Blocks of a vLLM engine that is not told how big they are; where logs count blocks, they count these. */
const VLLM_BLOCK_TOKENS = 16;

/**
 * KV blocks that an engine's log tells of.
 * @param blockTokens size of a block as it is simulated
 * @param ownBlockTokens what the engine was told, if it was
 * @throws {InputError}
 */
export function loggedBlocks(path: string, blockTokens: number, ownBlockTokens = VLLM_BLOCK_TOKENS): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`--engine-log: ${path}: cannot be read: ${(error as Error).message}`);
  }
  const { tokens, line } = loggedCache(text, path, ownBlockTokens);
  if (tokens < blockTokens)
    throw new InputError(`${path}: line ${line}: ${tokens} tokens are less than a block of ${blockTokens}`);
  return Math.floor(tokens / blockTokens);
}

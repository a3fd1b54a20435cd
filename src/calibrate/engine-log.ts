import { InputError } from '../config/input-error.js';

/** KV capacity as an engine logged it. */
export interface LoggedCache {
  tokens: number;
  /** The line that said so, from 1. */
  line: number;
}

/** What engines write when they have allocated their KV cache. */
const LINES: readonly { pattern: RegExp; tokens(found: RegExpExecArray, blockTokens: number): number }[] = [
  // vLLM from 0.8 on.
  { pattern: /GPU KV cache size: ([\d,]+) tokens/, tokens: ([, count]) => plain(count) },
  // vLLM before it.
  { pattern: /# (?:GPU|cuda) blocks: ([\d,]+)/, tokens: ([, count], block) => plain(count) * block },
  // SGLang.
  { pattern: /max_total_num_tokens=(\d+)/, tokens: ([, count]) => plain(count) },
  { pattern: /KV Cache is allocated\b.*#tokens: (\d+)/, tokens: ([, count]) => plain(count) },
];

function plain(count: string): number {
  return Number(count.replaceAll(',', ''));
}

/**
 * Finds the last such line of an engine's log; of several ranks the smallest counts, as it does for them.
 * @param blockTokens size of a block where the log counts blocks
 * @throws {InputError} when there is none
 */
export function loggedCache(text: string, path: string, blockTokens: number): LoggedCache {
  let least: LoggedCache | undefined;
  text.split('\n').forEach((line, index) => {
    for (const { pattern, tokens } of LINES) {
      const found = pattern.exec(line);
      if (!found) continue;
      const cache = { tokens: tokens(found, blockTokens), line: index + 1 };
      if (!least || cache.tokens <= least.tokens) least = cache;
    }
  });
  if (least) return least;
  throw new InputError(
    `${path}: no line of it tells the size of the KV cache, such as "GPU KV cache size: 41,408 tokens" or "max_total_num_tokens=41408"`,
  );
}

import type { SchedulerRequests } from '../requests.js';
import type { VllmOptions } from './options.js';

/** Why a request cannot go on, and what to change. */
export function explainStuck(
  slot: number,
  requests: SchedulerRequests,
  options: VllmOptions,
): { problem: string; remedy: string } {
  const { blockTokens, gpuBlocks } = options;
  const atEnd = Math.ceil((requests.length[slot] + requests.remaining(slot) - 1) / blockTokens);
  if (atEnd > gpuBlocks)
    return {
      problem: `grows to ${atEnd} blocks of ${blockTokens} tokens, the pool has ${gpuBlocks}`,
      remedy: `raise num_gpu_blocks to ${atEnd} or lower max_model_len`,
    };
  const promptLeft = requests.promptTokens[slot] - requests.computed[slot];
  if (!options.chunkedPrefill && promptLeft > options.maxBatchedTokens)
    return {
      problem: `needs ${promptLeft} prompt tokens in one pass, max_num_batched_tokens is ${options.maxBatchedTokens}`,
      remedy: 'turn enable_chunked_prefill on or raise max_num_batched_tokens',
    };
  return {
    problem: `finds no room among ${gpuBlocks} blocks of ${blockTokens} tokens`,
    remedy: 'raise num_gpu_blocks',
  };
}

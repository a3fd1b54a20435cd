import type { StuckRequest } from '../engine-core.js';
import type { SchedulerRequests } from '../requests.js';
import type { Leases } from './leases.js';
import type { SglangOptions } from './options.js';

/** Why a request cannot go on, and what to change. */
export function explainStuck(
  slot: number,
  requests: SchedulerRequests,
  leases: Leases,
  options: SglangOptions,
): Omit<StuckRequest, 'slot'> {
  const { maxPrefillTokens, chunkedPrefillTokens, pageTokens, pages } = options;
  const rest = requests.length[slot] - requests.computed[slot];
  const budget = Math.min(maxPrefillTokens, chunkedPrefillTokens);
  if (leases.pageUp(Math.min(rest, chunkedPrefillTokens)) > budget || budget === 0)
    return {
      problem: `needs ${rest} tokens of prefill, a pass takes ${budget}`,
      remedy: 'raise sglang.max_prefill_tokens and sglang.chunked_prefill_size',
    };
  const output = Math.min(requests.remaining(slot), options.clipMaxNewTokens);
  const needed = Math.ceil((leases.pageUp(requests.length[slot]) + output + 1) / pageTokens);
  return {
    problem: `needs ${needed} pages of ${pageTokens} tokens, the pool has ${pages}`,
    remedy: `raise num_gpu_blocks to ${Math.max(needed, pages + 1)}`,
  };
}

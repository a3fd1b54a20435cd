import type { PromptBlocks } from '../kv/prompt-blocks.js';
import type { RadixTree } from '../kv/radix-tree.js';
import type { SchedulerRequests } from '../requests.js';

/** Longer queues keep their order. */
const MAX_SORTED = 128;
/** A request that has at most this much in the cache goes behind one with the same beginning that is queued before it. */
const SHORT_MATCH_TOKENS = 32;

/** The queue by longest cached prefix (`scheduler/sglang/policy.rs` of the reference). */
export function longestPrefixFirst(
  queue: number[],
  requests: SchedulerRequests,
  blocks: PromptBlocks,
  tree: RadixTree,
  pageTokens: number,
): number[] {
  if (queue.length > MAX_SORTED) return queue;
  const beginPages = Math.ceil(SHORT_MATCH_TOKENS / pageTokens);
  const seen = new Set<number>();
  const ranked = queue.map((slot) => {
    const pages = Math.floor(requests.length[slot] / pageTokens);
    while (blocks.counts[slot] < pages) blocks.nameGenerated(slot);
    const matched = tree.matchLength(blocks.ids[slot], pages) * pageTokens;
    let waits = false;
    if (matched <= SHORT_MATCH_TOKENS && pages >= beginPages) {
      const begin = blocks.ids[slot][beginPages - 1];
      waits = seen.has(begin);
      seen.add(begin);
    }
    return { slot, matched, waits };
  });
  ranked.sort((a, b) => Number(a.waits) - Number(b.waits) || b.matched - a.matched);
  return ranked.map(({ slot }) => slot);
}

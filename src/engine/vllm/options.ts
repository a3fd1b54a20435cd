import type { PrefillTurns } from './prefill-turns.js';
import type { VllmRules } from './rules.js';

/** How one scheduler behaves. Counts in tokens unless named otherwise; Infinity where unlimited. */
export interface VllmOptions {
  policy: 'vllm' | 'trtllm';
  role: 'aggregated' | 'prefill' | 'decode';
  blockTokens: number;
  gpuBlocks: number;
  maxSequences: number;
  maxBatchedTokens: number;
  maxModelTokens: number | undefined;
  prefixCaching: boolean;
  chunkedPrefill: boolean;
  preemption: 'lifo' | 'fifo';
  acceptRates: readonly number[] | undefined;
  speculationSeed: bigint;
  /**
   * When generated blocks get an identity of their own: `lost` only when a request loses its blocks and may come back
   * for them, `computed` when their last token is computed, `emitted` when the token after it is emitted.
   */
  naming: 'lost' | 'computed' | 'emitted';
  /** When prompts may begin; undefined for always. */
  turns: PrefillTurns | undefined;
  rules: VllmRules;
  /** Whether a router hears of what the pool stores and removes. */
  isWatched: boolean;
  /** Whether decoding requests may be advanced as a group; off, every pass visits every request. */
  groupsDecodes: boolean;
}

import type { EngineArgs } from '../../config/engine-type.js';
import type { PrefillTurns } from './prefill-turns.js';
import type { VllmRules } from './rules.js';

/** The engine arguments that a scheduler goes by. */
type SchedulerArgs = Pick<
  EngineArgs,
  | 'workerType'
  | 'blockTokens'
  | 'gpuBlocks'
  | 'maxSequences'
  | 'maxBatchedTokens'
  | 'maxModelTokens'
  | 'prefixCaching'
  | 'chunkedPrefill'
  | 'acceptRates'
  | 'speculationSeed'
>;

/** How one scheduler behaves. */
export interface VllmOptions extends SchedulerArgs {
  policy: 'vllm' | 'trtllm';
  preemption: 'lifo' | 'fifo';
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

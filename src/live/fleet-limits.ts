import type { EngineArgs } from '../config/engine-type.js';
import type { Prompt } from './serving.js';

/** What a worker can serve at all: tokens. */
export interface FleetLimits {
  promptTokens: number;
  /** Prompt and output together, where an answer ends whatever was asked for; Infinity without such an end. */
  modelTokens: number;
  /** Prompt and output that fit into the KV cache. */
  heldTokens: number;
}

/**
 * What workers of every stage can hold, one block left free as engines keep some. A prompt that is not computed in chunks
 * must fit into one pass.
 */
export function limitsOf(stages: readonly EngineArgs[]): FleetLimits {
  const each = stages.map(({ gpuBlocks, blockTokens, maxModelTokens, chunkedPrefill, maxBatchedTokens }) => {
    const heldTokens = Math.max(1, gpuBlocks - 1) * blockTokens;
    const modelTokens = maxModelTokens ?? Number.POSITIVE_INFINITY;
    const passTokens = chunkedPrefill ? heldTokens : maxBatchedTokens;
    return { heldTokens, modelTokens, promptTokens: Math.min(heldTokens, passTokens, modelTokens - 1) };
  });
  return {
    promptTokens: Math.min(...each.map((limits) => limits.promptTokens)),
    modelTokens: Math.min(...each.map((limits) => limits.modelTokens)),
    heldTokens: Math.min(...each.map((limits) => limits.heldTokens)),
  };
}

/** Whether a request finds room in an empty cache; one that does not would wait without an end. */
export function isHoldable(
  { modelTokens, heldTokens }: FleetLimits,
  { tokens, outputTokens }: Prompt,
): boolean {
  return Math.min(tokens.length + outputTokens, modelTokens) <= heldTokens;
}

/** Whether a worker could ever compute the prompt of a request, and hold it with its answer. */
export function isServable(limits: FleetLimits, prompt: Prompt): boolean {
  return prompt.tokens.length <= limits.promptTokens && isHoldable(limits, prompt);
}

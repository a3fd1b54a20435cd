/** Milliseconds of one pass, before speed-up and rounding. All counts are integers. */
export interface TimingModel {
  /** Whether decode time depends on the number of requests or their mean context, and not on KV occupancy alone. */
  readonly readsContext: boolean;
  /** The least that a decode step takes; 1 unless the model says otherwise. */
  readonly decodeFloorMs?: number;
  /** @param newTokens tokens to compute per request (mean, floored) */
  prefillMs(batch: number, newTokens: number, prefixTokens: number): number;
  decodeMs(batch: number, activeTokens: number, contextTokens: number, totalTokens: number): number;
  /**
   * A pass that computes prompts and lets other requests decode at once; without it the two times are added, as in the
   * reference.
   */
  readonly mixedMs?: ((prompts: PromptPart, decodes: number, contextTokens: number) => number) | undefined;
}

/** The prompts of a pass: how many, and means of their new and known tokens. */
export interface PromptPart {
  batch: number;
  newTokens: number;
  prefixTokens: number;
}

/** The reference's default (`common/perf_model.rs`): prefill by tokens, decode by KV occupancy. */
export const polynomialTiming: TimingModel = {
  readsContext: false,
  prefillMs(batch, newTokens) {
    const t = batch * newTokens;
    return 4.209989e-7 * (t * t) + 1.518344e-2 * t + 1.650142e1;
  },
  decodeMs(_batch, activeTokens, _context, totalTokens) {
    const p = totalTokens === 0 ? 1 : activeTokens / totalTokens;
    return -25.74 * (p * p) + 54.01 * p + 5.74;
  },
};

/** Prefill and decode passes that take the same time always, in milliseconds, however short that is. */
export function fixedTiming(prefillMs: number, decodeMs: number): TimingModel {
  return { readsContext: false, decodeFloorMs: 0, prefillMs: () => prefillMs, decodeMs: () => decodeMs };
}

import type { EngineArgs } from '../../config/engine-type.js';
import { noPass } from '../../engine/pass-meter.js';
import type { BootstrapPass } from '../../planner/reference/reference-planner.js';
import { AicError } from '../../timing/aic/aic-error.js';
import type { TimingModel } from '../../timing/timing-model.js';

const SHORTEST_PROMPT = 100;
const CONTEXTS = [500, 2000, 4000, 8000];
const DEFAULT_BATCHED_TOKENS = 8192;
const DEFAULT_REQUESTS = 256;
const DEFAULT_KV_TOKENS = 262_144;

const { startMs: _start, endMs: _end, ...NO_WORK } = noPass(0, 0);

/** Whether there is something to ask about passes before any was seen, other than default timing. */
export function hasTiming({ aic, timing }: EngineArgs): boolean {
  return aic !== undefined || timing !== undefined;
}

/**
 * Passes as a timing model has them, for the planner to learn from before the run.
 * @param points how many prompt lengths and batch sizes, about
 */
export function bootstrapPasses(
  timing: TimingModel,
  prefill: EngineArgs,
  decode: EngineArgs,
  points: number,
): { prefill: BootstrapPass[]; decode: BootstrapPass[] } {
  if (points < 1) return { prefill: [], decode: [] };
  try {
    return {
      prefill: prefillPasses(timing, prefill, points),
      decode: decodePasses(timing, decode, points),
    };
  } catch (error) {
    if (error instanceof AicError) return { prefill: [], decode: [] };
    throw error;
  }
}

function prefillPasses(
  timing: TimingModel,
  { maxBatchedTokens }: EngineArgs,
  points: number,
): BootstrapPass[] {
  const most = Number.isFinite(maxBatchedTokens) ? maxBatchedTokens : DEFAULT_BATCHED_TOKENS;
  const step = Math.max(1, Math.floor((most - SHORTEST_PROMPT) / points));
  const passes: BootstrapPass[] = [];
  for (let tokens = SHORTEST_PROMPT; tokens <= most; tokens += step) {
    const ms = timing.prefillMs(1, tokens, 0);
    if (ms > 0)
      passes.push({ ...NO_WORK, wallSeconds: ms / 1000, prefillRequests: 1, prefillTokens: tokens });
  }
  return passes;
}

function decodePasses(timing: TimingModel, args: EngineArgs, points: number): BootstrapPass[] {
  const kvTokens = args.gpuBlocks * args.blockTokens || DEFAULT_KV_TOKENS;
  const most = Number.isFinite(args.maxSequences) ? args.maxSequences : DEFAULT_REQUESTS;
  const step = Math.max(1, Math.floor(most / points));
  const passes: BootstrapPass[] = [];
  for (const context of CONTEXTS) {
    for (let batch = 1; batch <= most && batch * context <= kvTokens; batch += step) {
      const decodeTokens = batch * context;
      const ms = timing.decodeMs(batch, decodeTokens, context, kvTokens);
      if (ms > 0) passes.push({ ...NO_WORK, wallSeconds: ms / 1000, decodeRequests: batch, decodeTokens });
    }
  }
  return passes;
}

import type { WorkerCapacity } from '../planner.js';
import type { PlannerConfig } from './config.js';
import { CorrectedTimes, type TableTimes } from './perf/corrected-times.js';
import { EngineModel, type EngineRole } from './perf/engine-model.js';
import { LearnedPassTimes } from './perf/pass-times.js';

const DEFAULT_BATCHED_TOKENS = 8192;
const DEFAULT_REQUESTS = 512;
const DEFAULT_KV_TOKENS = 2_000_000;

/** Finds pass times in tables, where a configuration asks for that. */
export type NativeTimes = (role: EngineRole) => TableTimes | undefined;

/**
 * What the planner believes about the engines of a stage, at first nothing.
 * @returns `undefined` where limits or settings leave nothing to believe, as in the reference
 */
export function engineModel(
  role: EngineRole,
  { samples }: PlannerConfig,
  capacity: WorkerCapacity,
  nativeTimes: NativeTimes,
): EngineModel | undefined {
  const limits = {
    maxBatchedTokens: capacity.maxBatchedTokens ?? DEFAULT_BATCHED_TOKENS,
    maxRequests: capacity.maxRequests ?? DEFAULT_REQUESTS,
    kvTokens: capacity.kvTokens ?? DEFAULT_KV_TOKENS,
  };
  if (Object.values(limits).some((limit) => limit <= 0)) return undefined;
  const { minSamples, maxSamples, buckets } = samples;
  if (minSamples <= 0 || maxSamples <= 0 || buckets <= 0 || minSamples > maxSamples) return undefined;
  const table = nativeTimes(role);
  const { maxBatchedTokens, maxRequests, kvTokens } = limits;
  const times = table
    ? new CorrectedTimes(table, samples, {
        prefill: [maxBatchedTokens],
        decode: [maxRequests, kvTokens],
        mixed: [maxBatchedTokens, kvTokens],
      })
    : new LearnedPassTimes(samples);
  return new EngineModel(role, limits, times, maxSamples);
}

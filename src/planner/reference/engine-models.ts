import type { WorkerCapacity } from '../planner.js';
import type { PlannerConfig } from './config.js';
import { EngineModel, type EngineRole } from './perf/engine-model.js';
import { LearnedPassTimes, type PassTimes } from './perf/pass-times.js';

const DEFAULT_BATCHED_TOKENS = 8192;
const DEFAULT_REQUESTS = 512;
const DEFAULT_KV_TOKENS = 2_000_000;

/** Makes what knows pass times from tables, where a configuration asks for it. */
export type NativeTimes = (role: EngineRole) => PassTimes | undefined;

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
  return new EngineModel(role, limits, nativeTimes(role) ?? new LearnedPassTimes(samples), maxSamples);
}

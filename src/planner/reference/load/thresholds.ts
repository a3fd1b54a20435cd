import type { RankPass, WorkerCapacity } from '../../planner.js';
import type { PlannerConfig } from '../config.js';
import type { Opinion, PoolState } from './opinion.js';

/** When one worker more is needed, and when one less is enough. */
interface Thresholds {
  readonly isHigh: (value: number) => boolean;
  readonly isLow: (value: number) => boolean;
}

const NO_DATA: Opinion = { workers: undefined, reason: 'insufficient_data' };

/** Queued prompt tokens of each rank against the longest context, or against tokens given. */
export function prefillByThreshold(
  config: PlannerConfig,
  { contextTokens }: WorkerCapacity,
  pool: PoolState,
): Opinion {
  const isLoad = config.target === 'load';
  if (!isLoad && !contextTokens) return NO_DATA;
  const unit = isLoad ? 1 : contextTokens!;
  return decide(
    config,
    pool,
    prefillThresholds(config),
    ({ queuedPrefillTokens }) => queuedPrefillTokens / unit,
  );
}

function prefillThresholds({ target, prefillUpTokens, prefillDownTokens }: PlannerConfig): Thresholds {
  switch (target) {
    case 'load':
      return {
        isHigh: (tokens) => tokens >= prefillUpTokens!,
        isLow: (tokens) => tokens <= prefillDownTokens!,
      };
    case 'latency':
      return { isHigh: (part) => part >= 0.1, isLow: (part) => part <= 0 };
    default:
      return { isHigh: (part) => part >= 1, isLow: (part) => part < 0.1 };
  }
}

/** Cached and waiting tokens of each rank against the KV cache; `countsPrompts` adds queued prompts to them. */
export function decodeByThreshold(
  config: PlannerConfig,
  { kvTokens }: WorkerCapacity,
  pool: PoolState,
  countsPrompts: boolean,
): Opinion {
  if (!kvTokens) return NO_DATA;
  return decide(config, pool, decodeThresholds(config), (pass) => {
    const prompts = countsPrompts ? pass.queuedPrefillTokens : 0;
    return (pass.decodeTokens + pass.queuedDecodeTokens + prompts) / kvTokens;
  });
}

function decodeThresholds({ target, decodeUpPercent, decodeDownPercent }: PlannerConfig): Thresholds {
  switch (target) {
    case 'load':
      return {
        isHigh: (part) => part >= decodeUpPercent! / 100,
        isLow: (part) => part <= decodeDownPercent! / 100,
      };
    case 'latency':
      return { isHigh: (part) => part > 0.4, isLow: (part) => part < 0.1 };
    default:
      return { isHigh: (part) => part > 1, isLow: (part) => part < 0.6 };
  }
}

function decide(
  { minWorkers }: PlannerConfig,
  { ready, passes }: PoolState,
  { isHigh, isLow }: Thresholds,
  value: (pass: RankPass) => number,
): Opinion {
  if (ready === 0) return NO_DATA;
  const values = passes.map(value);
  if (values.some(isHigh)) return { workers: ready + 1 };
  if (ready > 1 && values.every(isLow)) return { workers: Math.max(ready - 1, minWorkers) };
  return { workers: undefined, reason: 'no_change' };
}

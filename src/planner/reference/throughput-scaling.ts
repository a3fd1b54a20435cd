import type { WorkerCapacity } from '../planner.js';
import { fitOne, fitPair, type GpuBudget } from './budget.js';
import type { PlannerConfig } from './config.js';
import { capacityRps } from './perf/capacity.js';
import type { EngineModel } from './perf/engine-model.js';
import type { Forecast } from './traffic-forecast.js';

export type ThroughputReason =
  | 'scale'
  | 'set_lower_bound'
  | 'model_not_ready'
  | 'partner_not_ready'
  | 'predict_failed'
  | 'no_traffic_data';

export interface ThroughputStage {
  readonly capacity: WorkerCapacity;
  readonly model: EngineModel | undefined;
}

/** Traffic expected over the window in which it was observed. */
export interface Demand {
  readonly forecast: Forecast;
  readonly windowSeconds: number;
}

export interface ThroughputDecision {
  /** Workers that the demand needs; `undefined` when that cannot be told. */
  readonly workers: { readonly prefill?: number; readonly decode: number } | undefined;
  readonly reason: ThroughputReason;
  readonly prefillReason?: ThroughputReason;
  readonly decodeReason?: ThroughputReason;
  /** Requests a second that one worker serves. */
  readonly prefillRps?: number | undefined;
  readonly decodeRps?: number | undefined;
}

/** Workers for a demand: what it is over what one worker serves. Workers that do both phases. */
export function sizeMixed(
  config: PlannerConfig,
  budget: GpuBudget,
  { capacity, model }: ThroughputStage,
  demand: Demand,
): ThroughputDecision {
  const rps = capacity.maxBatchedTokens ? rpsOf(config, model, demand.forecast, { cached: true }) : undefined;
  if (rps === undefined) return { workers: undefined, reason: 'model_not_ready' };
  const decode = workersFor(demand, rps, config.minWorkers);
  const rates = { prefillRps: rps, decodeRps: rps };
  if (config.scalesLoad) return { workers: { decode }, reason: 'set_lower_bound', ...rates };
  const fitted = fitOne(Math.max(decode, config.minWorkers), capacity.gpus, budget);
  return { workers: { decode: fitted }, reason: 'scale', ...rates };
}

/** The same for workers that prefill and workers that decode. */
export function sizeSplit(
  config: PlannerConfig,
  budget: GpuBudget,
  prefill: ThroughputStage,
  decode: ThroughputStage,
  demand: Demand,
): ThroughputDecision {
  const prefillRps = rpsOf(config, prefill.model, demand.forecast, { cached: true });
  const decodeRps = rpsOf(config, decode.model, demand.forecast, { cached: false });
  if (prefillRps === undefined || decodeRps === undefined)
    return {
      workers: undefined,
      reason: 'model_not_ready',
      prefillReason: prefillRps === undefined ? 'model_not_ready' : 'partner_not_ready',
      decodeReason: decodeRps === undefined ? 'model_not_ready' : 'partner_not_ready',
      prefillRps,
      decodeRps,
    };
  const workers = {
    prefill: workersFor(demand, prefillRps, config.minWorkers),
    decode: workersFor(demand, decodeRps, config.minWorkers),
  };
  const reason = config.scalesLoad ? 'set_lower_bound' : 'scale';
  const gpus = { prefill: prefill.capacity.gpus, decode: decode.capacity.gpus };
  return {
    workers: config.scalesLoad ? workers : fitPair(workers, gpus, budget),
    reason,
    prefillReason: reason,
    decodeReason: reason,
    prefillRps,
    decodeRps,
  };
}

/** @returns `undefined` also for a rate of 0, with which nothing can be sized */
function rpsOf(
  { goals }: PlannerConfig,
  model: EngineModel | undefined,
  forecast: Forecast,
  { cached }: { cached: boolean },
): number | undefined {
  if (!model) return undefined;
  const { ttftMs, itlMs } = goals;
  const { inputTokens, outputTokens, acceptLength } = forecast;
  const hitRate = cached ? forecast.hitRate : undefined;
  const rps = capacityRps(model, { inputTokens, outputTokens, acceptLength, hitRate, ttftMs, itlMs });
  return rps !== undefined && rps > 0 ? rps : undefined;
}

function workersFor({ forecast, windowSeconds }: Demand, rps: number, minWorkers: number): number {
  return Math.max(Math.ceil(forecast.requests / windowSeconds / rps), minWorkers);
}

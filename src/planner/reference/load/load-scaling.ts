import type { WorkerCapacity } from '../../planner.js';
import { fitOne, fitPair, type GpuBudget, type Pair } from '../budget.js';
import type { PlannerConfig } from '../config.js';
import { coversAll } from '../observations.js';
import type { EngineModel } from '../perf/engine-model.js';
import {
  decodeByGoal,
  type LoadQuestion,
  mixedDecodeByGoal,
  mixedPrefillByGoal,
  prefillByGoal,
} from './goals.js';
import type { LoadReason, Opinion, PoolState } from './opinion.js';
import { decodeByThreshold, prefillByThreshold } from './thresholds.js';

/** A stage as load scaling sees it. */
export interface LoadStage {
  readonly pool: PoolState;
  readonly capacity: WorkerCapacity;
  /** What is believed about its engines; `undefined` where thresholds decide, or where nothing can be believed. */
  readonly model: EngineModel | undefined;
  readonly byWorker: boolean;
  /** Fewest workers that throughput scaling asks for. */
  readonly lowerBound: number;
}

export interface LoadContext {
  readonly config: PlannerConfig;
  readonly budget: GpuBudget;
  readonly hitRate: number | undefined;
  readonly acceptLength: number;
}

/** What load scaling proposes, and why. */
export interface LoadDecision {
  /** Workers by stage; `undefined` to propose nothing. */
  readonly targets: { readonly prefill?: number; readonly decode: number } | undefined;
  readonly reason: LoadReason | undefined;
  readonly prefillReason?: LoadReason;
  readonly decodeReason?: LoadReason;
  readonly ttftMs?: number | undefined;
  readonly itlMs?: number | undefined;
}

/** Decides from the load of workers that do both phases. */
export function scaleMixed(context: LoadContext, stage: LoadStage): LoadDecision {
  const { pool, model } = stage;
  const nothing = (reason: LoadReason): LoadDecision => ({ targets: undefined, reason });
  if (pool.passes.length === 0) return nothing('no_fpm_data');
  if (pool.inProgress) return nothing('scaling_in_progress');
  if (!coversAll(pool.passes, pool.ready)) return nothing('worker_count_mismatch');
  if (context.config.target !== 'sla') return mixedByThreshold(context, stage);
  return model?.isReady ? mixedByGoals(context, stage, model) : nothing('insufficient_data');
}

function mixedByThreshold({ config, budget }: LoadContext, stage: LoadStage): LoadDecision {
  const { pool, capacity } = stage;
  const { workers: wanted, reason } = decodeByThreshold(config, capacity, pool, true);
  if (wanted === undefined) return { targets: undefined, reason };
  const decode = fitOne(Math.max(wanted, config.minWorkers), capacity.gpus, budget);
  if (decode > pool.ready) return { targets: { decode }, reason: 'scale_up' };
  if (decode === pool.ready) return { targets: { decode }, reason: 'no_change' };
  return { targets: { decode }, reason: decode > wanted ? 'scale_down_capped_by_throughput' : 'scale_down' };
}

function mixedByGoals(context: LoadContext, stage: LoadStage, model: EngineModel): LoadDecision {
  const { config, budget } = context;
  const { pool, capacity } = stage;
  const question = questionOf(context, stage, model);
  const prefill: Opinion = capacity.maxBatchedTokens ? mixedPrefillByGoal(question) : { workers: undefined };
  const decode = mixedDecodeByGoal(question);
  const estimates = { ttftMs: prefill.worstMs, itlMs: decode.worstMs };
  const wanted = agreed(pool.ready, prefill.workers, decode.workers);
  const least = config.scalesThroughput ? stage.lowerBound : 0;
  const target = fitOne(Math.max(wanted, config.minWorkers, least), capacity.gpus, budget);
  const isCapped = target > wanted && wanted < pool.ready;
  if (target > pool.ready) return { targets: { decode: target }, reason: 'scale_up', ...estimates };
  const cappedOr = (reason: LoadReason) => (isCapped ? 'scale_down_capped_by_throughput' : reason);
  if (target < pool.ready)
    return { targets: { decode: target }, reason: cappedOr('scale_down'), ...estimates };
  const isRefused = [prefill, decode].some(({ reason }) => reason === 'scale_down_refused_consolidation');
  const reason = cappedOr(isRefused ? 'scale_down_refused_consolidation' : 'no_change');
  return { targets: undefined, reason, ...estimates };
}

/** Up when one side needs it; down when decoding allows it and prefilling does not object. */
function agreed(ready: number, prefill: number | undefined, decode: number | undefined): number {
  if (prefill !== undefined && prefill > ready) return prefill;
  if (decode === undefined) return ready;
  if (decode > ready) return decode;
  if (decode === ready || (prefill !== undefined && prefill >= ready)) return ready;
  return Math.max(prefill ?? decode, decode);
}

/** Decides from the load of workers that prefill and of workers that decode. */
export function scaleSplit(context: LoadContext, prefill: LoadStage, decode: LoadStage): LoadDecision {
  const { config, budget } = context;
  const problem = splitProblem(prefill.pool, decode.pool);
  if (problem) return { targets: undefined, reason: problem, prefillReason: problem, decodeReason: problem };
  const prefillOpinion = prefillOpinionOf(context, prefill);
  const decodeOpinion = decodeOpinionOf(context, decode);
  const sides = [sideOf(config, prefill, prefillOpinion), sideOf(config, decode, decodeOpinion)];
  const least = sides.map(({ floored }) => Math.max(floored, config.minWorkers));
  const gpus: Pair = { prefill: prefill.capacity.gpus, decode: decode.capacity.gpus };
  const targets = fitPair({ prefill: least[0], decode: least[1] }, gpus, budget);
  const estimates = { ttftMs: prefillOpinion.worstMs, itlMs: decodeOpinion.worstMs };
  const reasons = [
    reasonOf(targets.prefill, prefill.pool.ready, sides[0]),
    reasonOf(targets.decode, decode.pool.ready, sides[1]),
  ];
  const isChange = targets.prefill !== prefill.pool.ready || targets.decode !== decode.pool.ready;
  if (isChange) {
    const [prefillReason, decodeReason] = reasons;
    return { targets, reason: mostTelling(reasons), prefillReason, decodeReason, ...estimates };
  }
  // Nothing changes: what each side could not say tells more than that.
  const own = [prefillOpinion, decodeOpinion].map(({ reason }) =>
    reason === 'no_change' ? undefined : reason,
  );
  return {
    targets: undefined,
    reason: own[0] ?? own[1] ?? mostTelling(reasons),
    prefillReason: own[0] ?? reasons[0],
    decodeReason: own[1] ?? reasons[1],
    ...estimates,
  };
}

function splitProblem(prefill: PoolState, decode: PoolState): LoadReason | undefined {
  if (prefill.passes.length === 0 && decode.passes.length === 0) return 'no_fpm_data';
  if (prefill.inProgress || decode.inProgress) return 'scaling_in_progress';
  const isCovered = ({ passes, ready }: PoolState) => passes.length === 0 || coversAll(passes, ready);
  return isCovered(prefill) && isCovered(decode) ? undefined : 'worker_count_mismatch';
}

function prefillOpinionOf(context: LoadContext, stage: LoadStage): Opinion {
  const { config } = context;
  if (stage.pool.passes.length === 0) return { workers: undefined };
  if (config.target !== 'sla') return prefillByThreshold(config, stage.capacity, stage.pool);
  if (!stage.model || !stage.capacity.maxBatchedTokens)
    return { workers: undefined, reason: 'insufficient_data' };
  return prefillByGoal(questionOf(context, stage, stage.model));
}

function decodeOpinionOf(context: LoadContext, stage: LoadStage): Opinion {
  const { config } = context;
  if (stage.pool.passes.length === 0) return { workers: undefined };
  if (config.target !== 'sla') return decodeByThreshold(config, stage.capacity, stage.pool, false);
  if (!stage.model) return { workers: undefined, reason: 'insufficient_data' };
  return decodeByGoal(questionOf(context, stage, stage.model));
}

function questionOf(context: LoadContext, stage: LoadStage, model: EngineModel): LoadQuestion {
  const { config, hitRate, acceptLength } = context;
  const { pool, capacity, byWorker } = stage;
  return {
    goals: { ...config.goals, minWorkers: config.minWorkers, sensitivity: config.sensitivityPercent / 100 },
    model,
    pool,
    byWorker,
    hitRate,
    acceptLength,
    kvTokens: capacity.kvTokens,
  };
}

/** What a side wants, before and after the least that throughput scaling asks for. */
interface Side {
  readonly wanted: number;
  readonly floored: number;
  readonly ready: number;
}

function sideOf(config: PlannerConfig, { pool, lowerBound }: LoadStage, opinion: Opinion): Side {
  const wanted = opinion.workers ?? pool.ready;
  return {
    wanted,
    floored: config.scalesThroughput ? Math.max(wanted, lowerBound) : wanted,
    ready: pool.ready,
  };
}

function reasonOf(target: number, ready: number, { wanted, floored }: Side): LoadReason {
  if (target > ready) return 'scale_up';
  if (floored > wanted && wanted < ready) return 'scale_down_capped_by_throughput';
  return target < ready ? 'scale_down' : 'no_change';
}

const TELLING: readonly LoadReason[] = [
  'scale_up',
  'scale_down_capped_by_throughput',
  'scale_down',
  'no_change',
];

function mostTelling(reasons: readonly LoadReason[]): LoadReason {
  return TELLING.find((reason) => reasons.includes(reason))!;
}

import type { RankPass } from '../../planner.js';
import { passGroups } from '../observations.js';
import { uncachedPart } from '../perf/capacity.js';
import type { EngineModel } from '../perf/engine-model.js';
import { toSeconds } from '../perf/nanoseconds.js';
import type { Opinion, PoolState } from './opinion.js';

const MS_PER_SECOND = 1000;

interface LatencyGoals {
  readonly ttftMs: number;
  readonly itlMs: number;
  readonly minWorkers: number;
  /** Part of a goal that may be used up after one worker less, 0 to 1. */
  readonly sensitivity: number;
}

/** What is asked about, beside the passes. */
export interface LoadQuestion {
  readonly goals: LatencyGoals;
  readonly model: EngineModel;
  readonly pool: PoolState;
  /** Ranks of a worker make one pass together. */
  readonly byWorker: boolean;
  readonly hitRate: number | undefined;
  readonly acceptLength: number;
  readonly kvTokens: number | undefined;
}

/** What a test of one worker says about doing with one less. */
type Consolidation = 'possible' | 'impossible' | 'refused';

/** How the load of a worker grows when one of `n` goes: n / (n - 1). */
const growth = (workers: number) => (workers > 1 ? workers / (workers - 1) : 1);

/** Time to first token of a stage that only prefills. */
export function prefillByGoal(question: LoadQuestion): Opinion {
  const { model, pool, goals, hitRate } = question;
  if (!model.isReady || pool.ready === 0) return { workers: undefined, reason: 'insufficient_data' };
  const wait = (group: RankPass[], queue: number) => queueMs(model, group, hitRate, { queue, decode: 1 });
  return judge(
    question,
    goals.ttftMs,
    (group) => wait(group, 1),
    (group) => {
      const ownMs = wait(group, 0);
      if (ownMs === undefined) return 'impossible';
      const budgetMs = (goals.ttftMs - ownMs) * goals.sensitivity;
      if (budgetMs <= 0) return 'refused';
      const afterMs = wait(group, growth(pool.ready));
      if (afterMs === undefined) return 'impossible';
      return afterMs - ownMs >= budgetMs ? 'refused' : 'possible';
    },
  );
}

/** Inter-token latency of a stage that only decodes. */
export function decodeByGoal(question: LoadQuestion): Opinion {
  const { model, pool } = question;
  if (!model.isReady || pool.ready === 0) return { workers: undefined, reason: 'insufficient_data' };
  return judgeItl(question, false);
}

/** Time to first token of workers that do both; their decoding goes on meanwhile. */
export function mixedPrefillByGoal(question: LoadQuestion): Opinion {
  const { model, pool, goals, hitRate } = question;
  const decode = growth(pool.ready);
  const opinion = judge(
    question,
    goals.ttftMs,
    (group) => queueMs(model, group, hitRate, { queue: 1, decode: 1 }),
    (group) => {
      const load = { decode, countsQueued: true };
      const ownMs = queueMs(model, group, hitRate, { ...load, queue: 0 });
      const afterMs = queueMs(model, group, hitRate, { ...load, queue: decode });
      if (ownMs === undefined || afterMs === undefined) return 'impossible';
      const budgetMs = (goals.ttftMs - ownMs) * goals.sensitivity;
      return budgetMs <= 0 || afterMs - ownMs >= budgetMs ? 'refused' : 'possible';
    },
  );
  return stayingWhenRefused(opinion, pool);
}

/** Inter-token latency of workers that do both. */
export function mixedDecodeByGoal(question: LoadQuestion): Opinion {
  return stayingWhenRefused(judgeItl(question, true), question.pool);
}

/** On a stage that does both, a refusal is an opinion: to stay as it is. */
function stayingWhenRefused(opinion: Opinion, { ready }: PoolState): Opinion {
  return opinion.reason === 'scale_down_refused_consolidation' ? { ...opinion, workers: ready } : opinion;
}

function judgeItl(question: LoadQuestion, countsPrompts: boolean): Opinion {
  const { model, pool, goals, acceptLength, kvTokens } = question;
  const more = growth(pool.ready);
  const itlMs = (group: RankPass[], decode: number, withPrompts: boolean) => {
    const ms = decodeMs(model, group, decode, withPrompts);
    return ms === undefined ? undefined : ms / acceptLength;
  };
  return judge(
    question,
    goals.itlMs,
    (group) => itlMs(group, 1, false),
    (group) => {
      const tokens =
        most(group, (pass) => pass.decodeTokens) +
        most(group, (pass) => pass.queuedDecodeTokens) +
        (countsPrompts ? most(group, (pass) => pass.queuedPrefillTokens) : 0);
      if (kvTokens && Math.trunc(tokens * more) >= kvTokens) return 'refused';
      const afterMs = itlMs(group, more, countsPrompts);
      if (afterMs === undefined) return 'impossible';
      return afterMs >= goals.itlMs * goals.sensitivity ? 'refused' : 'possible';
    },
  );
}

function most(group: readonly RankPass[], value: (pass: RankPass) => number): number {
  return Math.max(...group.map(value));
}

/**
 * One worker more when all miss the goal; one less when each would still meet it with its part of another's load.
 * @param expectedMs latency of the next request at a worker
 * @param consolidate whether a worker could take its part of the load of another
 */
function judge(
  { pool, goals, byWorker }: LoadQuestion,
  goalMs: number,
  expectedMs: (group: RankPass[]) => number | undefined,
  consolidate: (group: RankPass[]) => Consolidation,
): Opinion {
  const { ready, passes } = pool;
  const estimates: number[] = [];
  let mayShrink = ready > 1;
  let isRefused = false;
  for (const group of passGroups(passes, byWorker)) {
    const ms = expectedMs(group);
    if (ms !== undefined) estimates.push(ms);
    if (!mayShrink) continue;
    const answer = consolidate(group);
    mayShrink = answer === 'possible';
    isRefused ||= answer === 'refused';
  }
  const refusal = isRefused ? 'scale_down_refused_consolidation' : undefined;
  if (estimates.length === 0) return { workers: undefined, reason: refusal ?? 'insufficient_data' };
  const worstMs = Math.max(...estimates);
  if (estimates.every((ms) => ms > goalMs)) return { workers: ready + 1, worstMs };
  if (mayShrink) return { workers: Math.max(ready - 1, goals.minWorkers), worstMs };
  return { workers: undefined, reason: refusal ?? 'no_change', worstMs };
}

/** How queue and decode load of a rank are scaled for a question. */
interface Scaling {
  readonly queue: number;
  readonly decode: number;
  readonly countsQueued?: boolean;
}

/** Milliseconds until one more request of the usual length has its first token. */
function queueMs(
  model: EngineModel,
  group: readonly RankPass[],
  hitRate: number | undefined,
  { queue, decode, countsQueued = false }: Scaling,
): number | undefined {
  const nextTokens = model.promptTokens.value;
  const next = nextTokens > 0 ? 1 : 0;
  const ns = model.drainNs(
    group.map((pass) => {
      const [requests, tokens] = decodeLoad(pass, countsQueued);
      return {
        requests: whole(pass.queuedPrefillRequests * queue + next),
        tokens: whole((pass.queuedPrefillTokens * queue + nextTokens) * uncachedPart(hitRate)),
        decodeRequests: whole(requests * decode),
        decodeTokens: whole(tokens * decode),
      };
    }),
  );
  return ns === undefined ? undefined : toSeconds(ns) * MS_PER_SECOND;
}

/** Milliseconds of a pass with one more request of the usual length among those that decode. */
function decodeMs(
  model: EngineModel,
  group: readonly RankPass[],
  scale: number,
  countsPrompts: boolean,
): number | undefined {
  const nextTokens = model.contextTokens.value;
  const next = nextTokens > 0 ? 1 : 0;
  const prefills = model.role !== 'aggregated';
  const ns = model.itlNs(
    group.map((pass) => {
      const [requests, tokens] = decodeLoad(pass, true);
      const queued = countsPrompts ? pass : { queuedPrefillRequests: 0, queuedPrefillTokens: 0 };
      return {
        prefillRequests: prefills ? pass.prefillRequests : 0,
        prefillTokens: prefills ? pass.prefillTokens : 0,
        prefillCachedTokens: 0,
        decodeRequests: whole((requests + queued.queuedPrefillRequests) * scale + next),
        decodeTokens: whole((tokens + queued.queuedPrefillTokens) * scale + nextTokens),
      };
    }),
  );
  return ns === undefined ? undefined : toSeconds(ns) * MS_PER_SECOND;
}

function decodeLoad(pass: RankPass, countsQueued: boolean): [requests: number, tokens: number] {
  if (!countsQueued) return [pass.decodeRequests, pass.decodeTokens];
  return [pass.decodeRequests + pass.queuedDecodeRequests, pass.decodeTokens + pass.queuedDecodeTokens];
}

const whole = (value: number) => Math.max(0, Math.ceil(value));

import { type JsonObject, jsonText } from '../../config/json.js';
import { SEMANTICS } from '../../config/rules.js';
import type { ReplayOptions } from '../../config/scenario/options.js';
import type { TraceFormat } from '../../config/trace-formats.js';
import { DISTRIBUTION_COLUMNS } from '../columns.js';
import type { Outcome } from '../job.js';
import { judge, type SweepRecord } from './ranking.js';
import type { OptimizeSpec, OptimizeWorkload } from './spec.js';
import type { AggregatedState, RouterState, SplitState, StateSpace } from './states.js';

/** The simulation of a state of an aggregated fleet. @param version of the timing tables */
export function aggregatedOptions(
  spec: OptimizeSpec,
  version: string,
  state: AggregatedState,
): ReplayOptions {
  return {
    ...workloadOptions(spec.workload),
    ...rulesOptions(spec),
    ...routerOptions(spec, state.router),
    extraEngineArgs: engineText(spec, spec.engine.baseEngineArgs!, 'aggregated', state.tp, version),
    numWorkers: state.workers,
  };
}

/** The simulation of a state of a fleet of prefill and decode workers. */
export function splitOptions(spec: OptimizeSpec, version: string, state: SplitState): ReplayOptions {
  const { basePrefillEngineArgs, baseDecodeEngineArgs } = spec.engine;
  return {
    ...workloadOptions(spec.workload),
    ...rulesOptions(spec),
    ...routerOptions(spec, state.router),
    prefillEngineArgs: engineText(spec, basePrefillEngineArgs!, 'prefill', state.prefillTp, version),
    decodeEngineArgs: engineText(spec, baseDecodeEngineArgs!, 'decode', state.decodeTp, version),
    numPrefillWorkers: state.prefillWorkers,
    numDecodeWorkers: state.decodeWorkers,
  };
}

function engineText(
  { engine, hardware }: OptimizeSpec,
  base: JsonObject,
  workerType: string,
  tp: number,
  version: string,
): string {
  const own = {
    worker_type: workerType,
    aic_backend: engine.backend,
    aic_system: hardware.gpuSku,
    aic_backend_version: version,
    aic_tp_size: tp,
    aic_model_path: engine.model,
  };
  const kept = [...base].filter(([name]) => !Object.hasOwn(own, name));
  return mergedText(kept, own);
}

function mergedText(
  kept: Iterable<[string, JsonObject extends Map<string, infer V> ? V : never]>,
  own: object,
) {
  const inner = jsonText(new Map(kept)).slice(1, -1);
  const added = JSON.stringify(own).slice(1, -1);
  return `{${inner}${inner === '' ? '' : ','}${added}}`;
}

function routerOptions({ router }: OptimizeSpec, state: RouterState): ReplayOptions {
  if (state.mode === 'round_robin') return { routerMode: 'round_robin' };
  const own = {
    overlap_score_credit: state.overlapCredit,
    prefill_load_scale: Math.min(state.prefillLoadScale, Number.MAX_VALUE),
  };
  const kept = [...(router.baseRouterConfig ?? [])].filter(([name]) => !Object.hasOwn(own, name));
  return { routerMode: 'kv_router', routerConfig: mergedText(kept, own) };
}

/** What runs differ in from those of the default release; nothing for that. */
function rulesOptions({ semantics }: OptimizeSpec): ReplayOptions {
  return semantics === SEMANTICS[0] ? {} : { semantics };
}

function workloadOptions(workload: OptimizeWorkload): ReplayOptions {
  if (workload.traceFile !== null)
    return {
      traceFiles: [workload.traceFile],
      traceFormat: workload.traceFormat as TraceFormat,
      arrivalSpeedupRatio: workload.arrivalSpeedupRatio,
      replayConcurrency: workload.traceReplayConcurrency ?? undefined,
      traceSharedPrefixRatio: workload.traceSharedPrefixRatio,
      traceNumPrefixGroups: workload.traceNumPrefixGroups,
    };
  return {
    inputTokens: workload.isl!,
    outputTokens: workload.osl!,
    requestCount: workload.requestCount!,
    replayConcurrency: workload.concurrency === null ? undefined : Math.trunc(workload.concurrency),
    requestRate: workload.requestRate ?? undefined,
    arrivalIntervalMs: workload.arrivalIntervalMs ?? undefined,
    arrivalSeed: workload.arrivalSeed,
    turnsPerSession: workload.turnsPerSession,
    sharedPrefixRatio: workload.sharedPrefixRatio,
    numPrefixGroups: workload.numPrefixGroups,
    interTurnDelayMs: workload.interTurnDelayMs,
  };
}

/** Columns of a run, in the reference's order. */
const RUN_COLUMNS = [
  'num_requests',
  'completed_requests',
  'total_input_tokens',
  'total_output_tokens',
  'duration_ms',
  'wall_time_ms',
  'request_throughput_rps',
  'input_throughput_tok_s',
  'output_throughput_tok_s',
  'total_throughput_tok_s',
  'prefill_worker_seconds',
  'decode_worker_seconds',
  'prefill_gpus_per_worker',
  'decode_gpus_per_worker',
  'gpu_hours',
  'processed_tokens',
  'processed_tokens_per_s',
  'processed_output_tokens_per_s',
  'prefix_cache_reused_ratio',
  'first_admission_prefix_cache_reused_ratio',
  ...DISTRIBUTION_COLUMNS,
];

/** The record of a state: the numbers of its run, the state, and how it does by the goals. A failed run has no numbers. */
export function recordOf<State extends { router: RouterState }>(
  spec: OptimizeSpec,
  space: StateSpace<State>,
  state: State,
  outcome: Outcome,
): SweepRecord {
  const metrics = 'metrics' in outcome ? outcome.metrics : {};
  const numbers = Object.fromEntries(RUN_COLUMNS.map((column) => [column, metrics[column] ?? null]));
  const { totalGpus } = spec.hardware;
  const gpus = space.gpus(state);
  const judgement = judge(numbers, spec.sla, spec.objective, gpus, totalGpus);
  const isFailed = 'failure' in outcome;
  return {
    ...numbers,
    ...space.columns(state),
    total_gpus_used: gpus,
    score: Number.isNaN(judgement.score) ? null : judgement.score,
    objective: spec.objective,
    feasible: judgement.feasible && !isFailed,
    violation_penalty: isFailed ? Number.POSITIVE_INFINITY : judgement.violation_penalty,
    ...(isFailed && { error: outcome.failure }),
  };
}

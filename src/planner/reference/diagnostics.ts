import type { LoadReason } from './load/opinion.js';
import type { ThroughputReason } from './throughput-scaling.js';

/** What the planner saw, believed and decided at one tick. */
export interface TickDiagnostics {
  /** Whether load or throughput scaling was due, or a scaling was asked for. */
  readonly isRecorded: boolean;
  readonly estimatedTtftMs?: number | undefined;
  readonly estimatedItlMs?: number | undefined;
  readonly predictedRequests?: number | undefined;
  readonly predictedInputTokens?: number | undefined;
  readonly predictedOutputTokens?: number | undefined;
  readonly predictedHitRate?: number | undefined;
  readonly prefillRps?: number | undefined;
  readonly decodeRps?: number | undefined;
  readonly prefillLowerBound: number;
  readonly decodeLowerBound: number;
  readonly loadReason?: LoadReason | undefined;
  readonly loadReasonPrefill?: LoadReason | undefined;
  readonly loadReasonDecode?: LoadReason | undefined;
  readonly throughputReason?: ThroughputReason | undefined;
  readonly throughputReasonPrefill?: ThroughputReason | undefined;
  readonly throughputReasonDecode?: ThroughputReason | undefined;
  /** What was proposed after the budget; `undefined` when nothing was. */
  readonly scaleTo: { readonly prefill?: number | undefined; readonly decode: number } | undefined;
}

/** Diagnostics under the names of the reference's files; what is not known is left out. */
export function diagnosticsJson(tick: TickDiagnostics): Record<string, number | string> {
  const values: Record<string, number | string | undefined> = {
    estimated_ttft_ms: tick.estimatedTtftMs,
    estimated_itl_ms: tick.estimatedItlMs,
    predicted_num_req: tick.predictedRequests,
    predicted_isl: tick.predictedInputTokens,
    predicted_osl: tick.predictedOutputTokens,
    predicted_kv_hit_rate: tick.predictedHitRate,
    engine_rps_prefill: tick.prefillRps,
    engine_rps_decode: tick.decodeRps,
    throughput_lower_bound_prefill: tick.prefillLowerBound,
    throughput_lower_bound_decode: tick.decodeLowerBound,
    load_decision_reason: tick.loadReason,
    load_decision_reason_prefill: tick.loadReasonPrefill,
    load_decision_reason_decode: tick.loadReasonDecode,
    throughput_decision_reason: tick.throughputReason,
    throughput_decision_reason_prefill: tick.throughputReasonPrefill,
    throughput_decision_reason_decode: tick.throughputReasonDecode,
  };
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number | string] => entry[1] !== undefined),
  );
}

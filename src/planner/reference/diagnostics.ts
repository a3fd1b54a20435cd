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

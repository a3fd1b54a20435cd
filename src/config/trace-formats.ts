/** Formats of traces that a replay reads. */
export const TRACE_FORMATS = [
  'mooncake',
  'mooncake-delta',
  'agentic_mooncake',
  'applied_compute_agentic',
  'dynamo',
] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

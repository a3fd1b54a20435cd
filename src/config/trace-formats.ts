/** Formats of traces that a replay reads as they are. */
const NATIVE_FORMATS = [
  'mooncake',
  'mooncake-delta',
  'agentic_mooncake',
  'applied_compute_agentic',
  'dynamo',
] as const;

/** Formats of others, by the name that a user gives, and what they are. */
export const FORMATS = {
  agentic_mooncake: 'graphs of agents, version 1 or 2 (JSONL), as replay reads them',
  aiperf: 'AIPerf profile_export.jsonl',
  'aiperf-inputs': 'AIPerf inputs.json, lengths by a heuristic',
  applied_compute_agentic: 'sessions of Applied Compute (JSONL), as replay reads them; need --rate',
  azure: 'Azure LLM inference 2023, 2024, 2025 (CSV)',
  bailian: 'Qwen Bailian usage traces (JSONL)',
  bench: 'detail files of vLLM benchmark_serving and SGLang bench_serving (JSON); need --rate',
  blis: 'data of BLIS traces, TraceV2 (CSV)',
  burstgpt: 'BurstGPT (CSV)',
  chat: 'LMSYS-Chat-1M and WildChat conversations (Parquet, JSONL), lengths by a heuristic',
  'claude-code': 'session logs of Claude Code (JSONL)',
  codex: 'rollouts of Codex (JSONL)',
  'dynamo-requests': 'Dynamo request traces, dynamo.request.trace.v1 (JSONL)',
  llmservingsim: 'LLMServingSim (JSONL)',
  lengths: 'a table of lengths (CSV); needs --rate',
  'llmservingsim-sessions': 'LLMServingSim with sub_requests (JSONL)',
  mooncake: 'Mooncake (JSONL), as replay reads it',
  'mooncake-delta': 'Mooncake whose turns list new input only (JSONL), as replay reads it',
  otel: 'OpenTelemetry spans with gen_ai attributes (OTLP JSON)',
  requests: 'request log: arrival_ms, input_length, output_length (JSONL)',
  servegen: 'workloads that ServeGen made (CSV)',
  'servegen-chunks': 'clients of ServeGen, a folder of chunk-*-trace.csv and chunk-*-dataset.json; --span',
  sharegpt: 'ShareGPT conversations (JSON), lengths by a heuristic',
  splitwise: 'SplitwiseSim (CSV)',
  tracelab: 'TraceLab coding agents (JSONL)',
  vidur: 'Vidur (CSV)',
  weka: 'Weka and AgentX coding agents (JSONL)',
} as const;

export type FormatName = keyof typeof FORMATS;

/** Formats that are brought into Mooncake rows first. */
export type ForeignFormat = Exclude<FormatName, NativeFormat>;

const FOREIGN_FORMATS = Object.keys(FORMATS).filter((name): name is ForeignFormat => isForeign(name));

export type NativeFormat = (typeof NATIVE_FORMATS)[number];
export type TraceFormat = NativeFormat | ForeignFormat;

/** Formats of traces that a replay takes. */
export const TRACE_FORMATS: readonly TraceFormat[] = [...NATIVE_FORMATS, ...FOREIGN_FORMATS];

export function isForeign(format: string): format is ForeignFormat {
  return format in FORMATS && !NATIVE_FORMATS.some((name) => name === format);
}

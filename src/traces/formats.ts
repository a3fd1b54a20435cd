/** Formats that can be read, by the name that a user gives, and what they are. */
export const FORMATS = {
  aiperf: 'AIPerf profile_export.jsonl',
  'aiperf-inputs': 'AIPerf inputs.json, lengths by a heuristic',
  azure: 'Azure LLM inference 2023, 2024, 2025 (CSV)',
  bailian: 'Qwen Bailian usage traces (JSONL)',
  bench: 'detail files of vLLM benchmark_serving and SGLang bench_serving (JSON); need --rate',
  burstgpt: 'BurstGPT (CSV)',
  'claude-code': 'session logs of Claude Code (JSONL)',
  codex: 'rollouts of Codex (JSONL)',
  'dynamo-requests': 'Dynamo request traces, dynamo.request.trace.v1 (JSONL)',
  llmservingsim: 'LLMServingSim (JSONL)',
  lengths: 'a table of lengths (CSV); needs --rate',
  'llmservingsim-sessions': 'LLMServingSim with sub_requests (JSONL)',
  mooncake: 'Mooncake (JSONL), as replay reads it',
  otel: 'OpenTelemetry spans with gen_ai attributes (OTLP JSON)',
  requests: 'request log: arrival_ms, input_length, output_length (JSONL)',
  sharegpt: 'ShareGPT conversations (JSON), lengths by a heuristic',
  splitwise: 'SplitwiseSim (CSV)',
  tracelab: 'TraceLab coding agents (JSONL)',
  vidur: 'Vidur (CSV)',
  weka: 'Weka and AgentX coding agents (JSONL)',
} as const;

export type FormatName = keyof typeof FORMATS;

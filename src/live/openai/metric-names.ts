/** Upper bounds of histograms, in seconds. */
const TTFT = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
];
const ITL = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const E2E = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const SGLANG_TTFT = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400];
const SGLANG_ITL = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6,
  0.8, 1, 2, 4, 6, 8,
];
const SGLANG_E2E = [
  0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 600, 1200, 1800, 2400,
];
/** Upper bounds of token counts. */
export const TOKEN_BUCKETS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
];
export const COUNT_BUCKETS = [1, 2, 5, 10, 20];

/** Names under which an engine tells its dashboards the same things. Undefined where it tells nothing of the kind. */
export interface EngineNames {
  running: string;
  waiting: string;
  /** Part of the KV cache in use. */
  kvUse: readonly string[];
  ttft: string;
  /** Time between tokens; then that of a request as a whole. */
  itl: string;
  tpot: readonly string[];
  e2e: string;
  queue: string;
  prefill: string;
  decode: string;
  inference: string;
  promptTokens: string;
  outputTokens: string;
  promptLength: string;
  outputLength: string;
  requests: string;
  preemptions: string;
  prefixQueries: string;
  prefixHits: string;
  buckets: { ttft: number[]; itl: number[]; e2e: number[] };
}

function vllmNames(engine: string): EngineNames {
  const name = (rest: string) => `${engine}:${rest}`;
  return {
    running: name('num_requests_running'),
    waiting: name('num_requests_waiting'),
    kvUse: [name('kv_cache_usage_perc'), name('gpu_cache_usage_perc')],
    ttft: name('time_to_first_token_seconds'),
    itl: name('inter_token_latency_seconds'),
    tpot: [name('time_per_output_token_seconds'), name('request_time_per_output_token_seconds')],
    e2e: name('e2e_request_latency_seconds'),
    queue: name('request_queue_time_seconds'),
    prefill: name('request_prefill_time_seconds'),
    decode: name('request_decode_time_seconds'),
    inference: name('request_inference_time_seconds'),
    promptTokens: name('prompt_tokens_total'),
    outputTokens: name('generation_tokens_total'),
    promptLength: name('request_prompt_tokens'),
    outputLength: name('request_generation_tokens'),
    requests: name('request_success_total'),
    preemptions: name('num_preemptions_total'),
    prefixQueries: name('prefix_cache_queries_total'),
    prefixHits: name('prefix_cache_hits_total'),
    buckets: { ttft: TTFT, itl: ITL, e2e: E2E },
  };
}

const SGLANG: EngineNames = {
  running: 'sglang:num_running_reqs',
  waiting: 'sglang:num_queue_reqs',
  kvUse: ['sglang:token_usage'],
  ttft: 'sglang:time_to_first_token_seconds',
  itl: 'sglang:inter_token_latency_seconds',
  tpot: ['sglang:time_per_output_token_seconds'],
  e2e: 'sglang:e2e_request_latency_seconds',
  queue: 'sglang:queue_time_seconds',
  prefill: 'sglang:prefill_time_seconds',
  decode: 'sglang:decode_time_seconds',
  inference: 'sglang:inference_time_seconds',
  promptTokens: 'sglang:prompt_tokens_total',
  outputTokens: 'sglang:generation_tokens_total',
  promptLength: 'sglang:prompt_tokens_histogram',
  outputLength: 'sglang:generation_tokens_histogram',
  requests: 'sglang:num_requests_total',
  preemptions: 'sglang:num_retractions_total',
  prefixQueries: 'sglang:prompt_tokens_seen_total',
  prefixHits: 'sglang:cached_tokens_total',
  buckets: { ttft: SGLANG_TTFT, itl: SGLANG_ITL, e2e: SGLANG_E2E },
};

export function namesOf(engine: string): EngineNames {
  return engine === 'sglang' ? SGLANG : vllmNames(engine);
}

export const FRONTEND_BUCKETS = { ttft: TTFT, itl: ITL, e2e: E2E };

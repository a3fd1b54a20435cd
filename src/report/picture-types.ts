/**
 * What a page draws of a run, beside its report. Times in milliseconds, all numbers rounded to three decimals; columns
 * are arrays of equal length, one value a request, a bin or a point.
 */
export interface Pictures {
  /** What was asked for: flags and files by name. */
  settings: Record<string, string>;
  bounds: { ttft_ms: number | null; itl_ms: number | null; e2e_ms: number | null };
  pools: PoolPicture[];
  arrivals: ArrivalPicture;
  /** Values at evenly spaced parts of all requests, the least first. */
  quantiles: Record<'ttft_ms' | 'itl_ms' | 'e2e_ms', number[]>;
  requests: RequestColumns;
}

/** The workers of a fleet, or of one of its stages, over time. */
export interface PoolPicture {
  /** Empty for workers that serve requests from prompt to last token. */
  stage: '' | 'prefill' | 'decode';
  kv_blocks: number;
  /** Ranks of each worker, by which requests name where they were. */
  ranks: number;
  bin_ms: number;
  workers: WorkerPicture[];
}

/** By bin: means over its time, but `busy` as a part of it, and counts. */
export interface WorkerPicture {
  busy: number[];
  running: number[];
  waiting: number[];
  kv_blocks: number[];
  prefill_tokens: number[];
  decode_steps: number[];
  preemptions: number[];
  evicted_blocks: number[];
  placed_requests: number[];
}

/** The traffic over time, by bin of arrival but for what ended in it. */
export interface ArrivalPicture {
  bin_ms: number;
  arrived: number[];
  ended: number[];
  input_tokens: number[];
  reused_tokens: number[];
}

/** Requests by arrival: all of them, or an even sample with the slowest. Null for what did not happen. */
export interface RequestColumns {
  /** How many there were. */
  of: number;
  row: number[];
  arrival_ms: number[];
  ttft_ms: (number | null)[];
  itl_ms: (number | null)[];
  e2e_ms: (number | null)[];
  input_tokens: number[];
  output_tokens: number[];
  reused_tokens: number[];
  preemptions: number[];
  worker: (number | null)[];
  prefill_worker: (number | null)[];
  status: string[];
  /** What the latency went to, for parts that occur. */
  parts_ms: Record<string, number[]>;
}

/** What a planner saw, believed and decided, tick by tick; null for what it did not know. Times in milliseconds. */
export interface PlannerPicture {
  policy: string;
  at_ms: number[];
  stages: StagePicture[];
  requests_per_s: (number | null)[];
  predicted_requests_per_s: (number | null)[];
  ttft_ms: (number | null)[];
  estimated_ttft_ms: (number | null)[];
  itl_ms: (number | null)[];
  estimated_itl_ms: (number | null)[];
  input_tokens: (number | null)[];
  predicted_input_tokens: (number | null)[];
  output_tokens: (number | null)[];
  predicted_output_tokens: (number | null)[];
  /** Requests a second that a worker was thought to take. */
  capacity_prefill_rps: (number | null)[];
  capacity_decode_rps: (number | null)[];
  /** GPU hours of all that was there, up to the tick. */
  gpu_hours: number[];
  /** Why it decided so, by name. */
  reasons: Record<string, (number | null)[]>;
  decisions: { at_ms: number; stage: string; from: number; to: number; why: string }[];
}

/** A stage at each tick, before the planner acted. */
export interface StagePicture {
  name: string;
  kv_tokens: number | null;
  active: number[];
  /** Those that start up and those that finish what they have, too. */
  provisioned: number[];
  target: (number | null)[];
  /** Tokens in the KV cache of requests that decode, or wait to go on, by engine. */
  decode_tokens: Record<string, (number | null)[]>;
  queued_prefill_tokens: Record<string, (number | null)[]>;
}

/** A run on a page: its report, with what is drawn of it where that was kept. */
export interface PageRun {
  label: string;
  report: Record<string, unknown> & { pictures?: Pictures; planner_picture?: PlannerPicture };
}

/** What a fleet that serves does now, for the page of a server. Rates and latencies are of the time since the sample before. */
export interface FleetSample {
  at_ms: number;
  stages: FleetStage[];
  /** What workers did so far, by the names of the report's sections. */
  work: Record<string, { requests: number; input_tokens: number; reused_tokens: number }[] | undefined>;
  tokens_per_second: number;
  ended_per_second: number;
  ttft_p50_ms: number | null;
  ttft_max_ms: number | null;
  itl_ms: number | null;
}

/** A stage of a fleet as `/control/capacity` tells it. */
export interface FleetStage {
  stage: string;
  starting: number;
  active: number;
  draining: number;
  held_requests: number;
  workers: {
    id: number;
    state: string;
    ranks: { waiting: number; running: number; kv_blocks: number; kv_active_blocks: number }[];
  }[];
}

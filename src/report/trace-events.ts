import type { LatencyParts } from './latency-parts.js';
import { latencyParts } from './latency-parts.js';
import type { RequestOutcome } from './outcome.js';
import type { PoolPicture, WorkerPicture } from './picture-types.js';

/** An event of the trace-event format (Chrome, Perfetto); times in microseconds. */
type TraceEvent = Record<string, unknown>;

/** Requests that were with no worker, or only in a queue before it. */
const QUEUE_PROCESS = 1;
/** Processes of stages begin at their numbers. */
const FIRST_PROCESS = { '': 1000, prefill: 1000, decode: 2_000_000 } as const;

/** What is counted, by name of the counter. */
const COUNTERS: Record<string, readonly (keyof WorkerPicture)[]> = {
  requests: ['running', 'waiting'],
  'KV blocks': ['kv_blocks'],
  'prompt tokens': ['prefill_tokens'],
  'decode steps': ['decode_steps'],
  preemptions: ['preemptions'],
};

/**
 * Workers and requests over time in the trace-event format: a process for each worker with counters and, on as many
 * threads as it takes, its requests as slices made of the parts of their latency.
 */
export function* traceEvents(
  records: readonly RequestOutcome[],
  pools: readonly PoolPicture[],
): Generator<string> {
  let separator = '{"displayTimeUnit":"ms","traceEvents":[\n';
  for (const event of allEvents(records, pools)) {
    yield separator + JSON.stringify(event);
    separator = ',\n';
  }
  yield `${separator === ',\n' ? '' : separator}\n]}\n`;
}

function* allEvents(
  records: readonly RequestOutcome[],
  pools: readonly PoolPicture[],
): Generator<TraceEvent> {
  yield processName(QUEUE_PROCESS, 'requests without a worker', 0);
  for (const { stage, workers, bin_ms } of pools)
    for (const [index, worker] of workers.entries()) {
      const pid = FIRST_PROCESS[stage] + index;
      yield processName(pid, `${stage === '' ? '' : `${stage} `}worker ${index}`, pid);
      yield* counters(pid, worker, bin_ms);
    }
  yield* requestEvents(records, pools);
}

function processName(pid: number, name: string, order: number): TraceEvent {
  return { ph: 'M', name: 'process_name', pid, tid: 0, ts: 0, args: { name, sort_index: order } };
}

/** A counter's values where they change. */
function* counters(pid: number, worker: WorkerPicture, binMs: number): Generator<TraceEvent> {
  for (const [name, columns] of Object.entries(COUNTERS)) {
    let before = '';
    for (let bin = 0; bin < worker.busy.length; bin++) {
      const args = Object.fromEntries(columns.map((column) => [column, worker[column][bin]]));
      const now = JSON.stringify(args);
      if (now !== before) yield { ph: 'C', name, pid, tid: 0, ts: micros(bin * binMs), args };
      before = now;
    }
  }
}

function* requestEvents(
  records: readonly RequestOutcome[],
  pools: readonly PoolPicture[],
): Generator<TraceEvent> {
  const lanes = new Map<number, Lanes>();
  const isSplit = pools.length > 1;
  const ranks = pools[0]?.ranks ?? 1;
  for (const record of records) {
    const parts = latencyParts(record);
    if (!parts) continue;
    const pid = processOf(record, isSplit, ranks);
    const lane = lanes.get(pid) ?? new Lanes();
    lanes.set(pid, lane);
    const tid = lane.take(record.arrivalMs, record.lastTokenMs);
    yield slice(`request ${record.row}`, pid, tid, record.arrivalMs, record.lastTokenMs, {
      input_tokens: record.inputTokens,
      output_tokens: record.outputTokens,
      reused_tokens: record.reusedTokens,
      preemptions: record.preemptions,
      ttft_ms: record.firstTokenMs - record.arrivalMs,
      status: record.status,
      ...(record.stages && { prefill_worker: record.stages.prefillWorker }),
    });
    yield* partSlices(record, parts, pid, tid);
  }
}

function* partSlices(
  record: RequestOutcome,
  parts: LatencyParts,
  pid: number,
  tid: number,
): Generator<TraceEvent> {
  let fromMs = record.arrivalMs;
  for (const [name, ms] of Object.entries(parts)) {
    const toMs = Math.min(fromMs + ms, record.lastTokenMs);
    if (micros(toMs) === micros(fromMs)) continue;
    yield slice(name.replaceAll('_', ' '), pid, tid, fromMs, toMs, {});
    fromMs = toMs;
  }
}

function slice(
  name: string,
  pid: number,
  tid: number,
  fromMs: number,
  toMs: number,
  args: TraceEvent,
): TraceEvent {
  const ts = micros(fromMs);
  return { ph: 'X', cat: 'request', name, pid, tid, ts, dur: micros(toMs) - ts, args };
}

/** Whole microseconds, so that slices which end together do so to the last bit. */
function micros(ms: number): number {
  return Math.round(ms * 1000);
}

function processOf({ worker: rank, stages }: RequestOutcome, isSplit: boolean, ranks: number): number {
  if (stages === null && rank === null) return FIRST_PROCESS[''];
  if (rank === null) return QUEUE_PROCESS;
  return FIRST_PROCESS[isSplit ? 'decode' : ''] + Math.floor(rank / ranks);
}

/** Threads on which requests do not overlap: the first free one for each, in order of their beginnings. */
class Lanes {
  private readonly endsMs: number[] = [];

  take(startMs: number, endMs: number): number {
    let lane = this.endsMs.findIndex((busyUntilMs) => busyUntilMs <= startMs);
    if (lane < 0) lane = this.endsMs.length;
    this.endsMs[lane] = endMs;
    return lane + 1;
  }
}

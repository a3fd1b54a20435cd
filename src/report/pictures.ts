import type { Collector } from './collector.js';
import { type LatencyParts, latencyParts } from './latency-parts.js';
import type { RequestOutcome } from './outcome.js';
import type { ArrivalPicture, Pictures, PoolPicture, RequestColumns } from './picture-types.js';
import type { WorkerSeries } from './worker-series.js';

export interface PictureSource {
  collector: Collector;
  /** By arrival. */
  records: readonly RequestOutcome[];
  pools: readonly { stage: PoolPicture['stage']; kvBlocks: number; ranks: number; series: WorkerSeries }[];
}

const MOST_REQUESTS = 100_000;
const SLOWEST = 100;
const QUANTILES = 500;
const ARRIVAL_BINS = 400;

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** What a page draws of a run whose records were kept. */
export function buildPictures({ collector, records, pools }: PictureSource): Pictures {
  let endMs = collector.durationMs;
  for (const { terminalMs, arrivalMs } of records) {
    if (terminalMs > endMs) endMs = terminalMs;
    if (arrivalMs > endMs) endMs = arrivalMs;
  }
  const { level } = collector;
  return {
    settings: {},
    bounds: {
      ttft_ms: level?.ttftMs ?? null,
      itl_ms: level?.itlMs ?? null,
      e2e_ms: level?.e2eMs ?? null,
    },
    pools: pools.map((pool) => poolPicture(pool, records, endMs)),
    arrivals: arrivalPicture(records, endMs),
    quantiles: {
      ttft_ms: quantiles(collector.ttftMs.sorted()),
      itl_ms: quantiles(collector.tpotMs.sorted()),
      e2e_ms: quantiles(collector.e2eMs.sorted()),
    },
    requests: requestColumns(sampled(records), records.length),
  };
}

/** @param samples sorted in place */
function quantiles(samples: Float64Array): number[] {
  const last = samples.length - 1;
  if (last < 0) return [];
  const points = Math.min(QUANTILES, last);
  if (points === 0) return [rounded(samples[0])];
  return Array.from({ length: points + 1 }, (_, i) => rounded(samples[Math.round((i / points) * last)]));
}

// ---- Over time -----------------------------------------------------------------------------------------------

function poolPicture(
  { stage, kvBlocks, ranks, series }: PictureSource['pools'][number],
  records: readonly RequestOutcome[],
  endMs: number,
): PoolPicture {
  const { binMs } = series;
  const workers = Array.from({ length: series.workerCount }, (_, worker) => {
    const sums = series.sumsOf(worker, endMs);
    const means = (bins: Float64Array) => Array.from(bins, (sum) => rounded(sum / binMs));
    const counts = (bins: Float64Array) => Array.from(bins, rounded);
    return {
      busy: means(sums.busyMs),
      running: means(sums.sequenceMs),
      waiting: means(sums.waitingMs),
      kv_blocks: means(sums.blockMs),
      prefill_tokens: counts(sums.prefillTokens),
      decode_steps: counts(sums.decodeSteps),
      preemptions: counts(sums.preemptions),
      evicted_blocks: counts(sums.evictedBlocks),
      placed_requests: Array.from(sums.busyMs, () => 0),
    };
  });
  const isOnly = workers.length === 1;
  const workerOf = (rank: number | null | undefined) => Math.floor((rank ?? -1) / ranks);
  for (const { stages, worker, dispatchMs, arrivalMs } of records) {
    const target = stage === 'prefill' ? stages?.prefillWorker : isOnly ? 0 : worker;
    const placed = workers[workerOf(target)]?.placed_requests;
    const placedMs = stage === 'decode' ? stages?.decodeAdmitMs : dispatchMs;
    const bin = Math.floor((Number.isNaN(placedMs ?? Number.NaN) ? arrivalMs : placedMs!) / binMs);
    if (placed && bin < placed.length) placed[bin]++;
  }
  return { stage, kv_blocks: kvBlocks, ranks, bin_ms: binMs, workers };
}

function arrivalPicture(records: readonly RequestOutcome[], endMs: number): ArrivalPicture {
  const binMs = Math.max(1, Math.ceil((endMs + 1) / ARRIVAL_BINS));
  const bins = Math.floor(endMs / binMs) + 1;
  const zeros = () => new Array<number>(bins).fill(0);
  const picture = {
    bin_ms: binMs,
    arrived: zeros(),
    ended: zeros(),
    input_tokens: zeros(),
    reused_tokens: zeros(),
  };
  for (const { arrivalMs, terminalMs, inputTokens, reusedTokens, stages } of records) {
    const bin = Math.floor(arrivalMs / binMs);
    picture.arrived[bin]++;
    picture.input_tokens[bin] += inputTokens;
    picture.reused_tokens[bin] += stages?.prefillReusedTokens ?? reusedTokens;
    if (terminalMs >= 0) picture.ended[Math.floor(terminalMs / binMs)]++;
  }
  return picture;
}

// ---- Requests ------------------------------------------------------------------------------------------------

/** All records, or every so many of them and the slowest to their first and to their last token. */
function sampled(records: readonly RequestOutcome[]): readonly RequestOutcome[] {
  if (records.length <= MOST_REQUESTS) return records;
  const kept = new Set<number>();
  const step = records.length / (MOST_REQUESTS - 2 * SLOWEST);
  for (let at = 0; at < records.length; at += step) kept.add(Math.floor(at));
  for (const time of ['firstTokenMs', 'lastTokenMs'] as const) {
    const delays = records.map((record) => (record.outputTokens > 0 ? record[time] - record.arrivalMs : -1));
    const limit = Float64Array.from(delays).sort()[records.length - SLOWEST];
    delays.forEach((delay, at) => {
      if (delay >= limit && kept.size < MOST_REQUESTS) kept.add(at);
    });
  }
  return [...kept].sort((a, b) => a - b).map((at) => records[at]);
}

function requestColumns(records: readonly RequestOutcome[], of: number): RequestColumns {
  const column = <T>(read: (record: RequestOutcome) => T): T[] => records.map(read);
  const parts = records.map((record) => latencyParts(record));
  const names = Object.keys(parts.find((part) => part !== undefined) ?? {}) as (keyof LatencyParts)[];
  const occurring = names.filter((name) => parts.some((part) => part !== undefined && part[name] > 0));
  const since = (ms: number, fromMs: number) => rounded(Math.max(0, ms - fromMs));
  return {
    of,
    row: column(({ row }) => row),
    arrival_ms: column(({ arrivalMs }) => rounded(arrivalMs)),
    ttft_ms: column((r) => (r.outputTokens > 0 ? since(r.firstTokenMs, r.arrivalMs) : null)),
    itl_ms: column((r) =>
      r.outputTokens > 1 ? rounded(Math.max(0, r.lastTokenMs - r.firstTokenMs) / (r.outputTokens - 1)) : null,
    ),
    e2e_ms: column((r) => (r.outputTokens > 0 ? since(r.lastTokenMs, r.arrivalMs) : null)),
    input_tokens: column(({ inputTokens }) => inputTokens),
    output_tokens: column(({ outputTokens }) => outputTokens),
    reused_tokens: column(({ stages, reusedTokens }) => stages?.prefillReusedTokens ?? reusedTokens),
    preemptions: column(({ preemptions }) => preemptions),
    worker: column(({ worker }) => worker),
    prefill_worker: column(({ stages }) => stages?.prefillWorker ?? null),
    status: column(({ status }) => status),
    parts_ms: Object.fromEntries(
      occurring.map((name) => [name, parts.map((part) => (part ? rounded(part[name]) : 0))]),
    ),
  };
}

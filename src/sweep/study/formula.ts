import type { EngineArgs } from '../../config/engine-type.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import { resolveEngines } from '../../setup/engines.js';
import type { TimingModel } from '../../timing/timing-model.js';
import type { Shelf } from '../../workload/shelf.js';
import type { Metrics } from '../job.js';
import type { Shape } from './shape.js';

const MS_PER_HOUR = 3_600_000;
const HALVINGS = 48;
const STATISTICS = ['mean', 'p75', 'p90', 'p95', 'p99', 'max'];
/** How full a queueing stage counts at most, so that its queue stays finite. */
const FULL = 0.999;

/** One rank of a stage, and how many of them there are. */
interface Server {
  args: EngineArgs;
  timing: TimingModel;
  count: number;
}

/**
 * What a fleet would do in its steady state, by formula alone: stations that queue, and decode batches as large as the
 * load keeps them. It knows neither bursts nor caches that overflow, so it is good for an order of candidates and not for
 * a decision.
 * @returns numbers under the keys of a report
 */
export function estimate(scenario: Scenario, shape: Shape, shelf: Shelf): Metrics {
  const { stages } = resolveEngines(scenario, [], shelf);
  const servers = scenario.stages.map(
    ({ workers }, at): Server => ({ ...stages[at], count: workers * stages[at].args.ranks }),
  );
  const load = loadOf(scenario, shape);
  const flow =
    servers.length === 2
      ? splitFlow(servers[0], servers[1], shape, load)
      : wholeFlow(servers[0], shape, load);
  const gpus = scenario.stages.reduce(
    (sum, { workers, engine }) => sum + workers * engine.tensorParallel * engine.ranks,
    0,
  );
  return asMetrics(flow, shape, gpus);
}

/** Requests a millisecond in an open loop, or requests in flight in a closed one. */
type Load = { perMs: number } | { inFlight: number };

function loadOf({ workload }: Scenario, shape: Shape): Load {
  const { replayConcurrency, requestRate, arrivalSpeedupRatio } = workload;
  if (replayConcurrency !== undefined) return { inFlight: replayConcurrency };
  if (requestRate !== undefined) return { perMs: requestRate / 1000 };
  return { perMs: shape.perMs * (workload.isSynthetic ? 1 : arrivalSpeedupRatio) };
}

interface Flow {
  /** Requests served a millisecond. */
  perMs: number;
  ttftMs: number;
  tpotMs: number;
}

function asMetrics(
  { perMs, ttftMs, tpotMs }: Flow,
  { requests, outputTokens }: Shape,
  gpus: number,
): Metrics {
  const durationMs = requests / perMs;
  return {
    duration_ms: durationMs,
    gpu_hours: (gpus * durationMs) / MS_PER_HOUR,
    total_output_tokens: requests * outputTokens,
    output_throughput_tok_s: perMs * outputTokens * 1000,
    mean_output_token_throughput_per_user: 1000 / tpotMs,
    ...everywhere('ttft_ms', ttftMs),
    ...everywhere('tpot_ms', tpotMs),
    ...everywhere('e2e_latency_ms', ttftMs + tpotMs * Math.max(0, outputTokens - 1)),
  };
}

/** A mean, which is also the least that tails can be held to. */
function everywhere(quantity: string, mean: number): Metrics {
  return Object.fromEntries(STATISTICS.map((statistic) => [`${statistic}_${quantity}`, mean]));
}

/** Time on one rank for the prompt of a request, in chunks where passes have no room for all of it. */
function promptMs({ args, timing }: Server, { inputTokens, reusedTokens }: Shape): number {
  const reused = args.prefixCaching ? Math.floor(reusedTokens) : 0;
  const budget = Math.min(args.maxBatchedTokens, inputTokens);
  let ms = 0;
  for (let done = reused; done < inputTokens; ) {
    const chunk = Math.max(1, Math.min(budget, Math.round(inputTokens) - done));
    ms += timing.prefillMs(1, chunk, done);
    done += chunk;
  }
  return ms / args.speedup;
}

function stepMs({ args, timing }: Server, { inputTokens, outputTokens }: Shape, batch: number): number {
  const context = Math.round(inputTokens + outputTokens / 2);
  const whole = Math.max(1, Math.round(batch));
  const ms = timing.decodeMs(whole, whole * context, context, args.gpuBlocks * args.blockTokens);
  return Math.max(timing.decodeFloorMs ?? 1, ms) / (args.speedup * args.decodeSpeedup);
}

/** Requests that decode at once on a rank, at most. */
function mostBatch({ args }: Server, { inputTokens, outputTokens }: Shape): number {
  const held = Math.ceil((inputTokens + outputTokens / 2) / args.blockTokens);
  return Math.max(1, Math.min(args.maxSequences, Math.floor(args.gpuBlocks / held)));
}

/** The largest value up to `most` at which something that grows is not above a bound. */
function largest(most: number, bound: number, grows: (value: number) => number): number {
  if (grows(most) <= bound) return most;
  let low = 0;
  let high = most;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (grows(middle) <= bound) low = middle;
    else high = middle;
  }
  return low;
}

/** Requests that are at some servers or wait for them, as arrivals by chance make them queue. */
function present(perMs: number, serviceMs: number, servers: number): number {
  const busy = Math.min(FULL, (perMs * serviceMs) / servers);
  const waiting = busy ** Math.sqrt(2 * (servers + 1)) / (2 * (1 - busy));
  return busy * servers + waiting;
}

/** What is added to every wait where more comes than can be served: half of what has piled up at the end. */
function pileUpMs(asked: number, served: number, requests: number): number {
  return asked > served ? (requests / served - requests / asked) / 2 : 0;
}

function splitFlow(prefill: Server, decode: Server, shape: Shape, load: Load): Flow {
  const serviceMs = promptMs(prefill, shape);
  const output = Math.max(1, shape.outputTokens);
  const most = mostBatch(decode, shape);
  const servedBy = (batch: number) => (decode.count * batch) / (output * stepMs(decode, shape, batch));
  const prefillLimit = (FULL * prefill.count) / serviceMs;
  if ('perMs' in load) {
    const perMs = Math.min(load.perMs, prefillLimit, servedBy(most));
    const batch = largest(most, perMs, servedBy);
    const ttftMs = present(perMs, serviceMs, prefill.count) / perMs;
    return {
      perMs,
      ttftMs: ttftMs + pileUpMs(load.perMs, perMs, shape.requests),
      tpotMs: stepMs(decode, shape, batch),
    };
  }
  const { inFlight } = load;
  const batch = largest(most, inFlight, (size) => {
    const perMs = servedBy(size);
    if (perMs >= prefillLimit) return Number.POSITIVE_INFINITY;
    return decode.count * size + present(perMs, serviceMs, prefill.count);
  });
  const perMs = Math.max(Number.MIN_VALUE, servedBy(batch));
  const ttftMs = Math.max(serviceMs, (inFlight - decode.count * batch) / perMs);
  return { perMs, ttftMs, tpotMs: stepMs(decode, shape, batch) };
}

function wholeFlow(server: Server, shape: Shape, load: Load): Flow {
  const serviceMs = promptMs(server, shape);
  const output = Math.max(1, shape.outputTokens);
  const most = mostBatch(server, shape);
  const servedBy = (batch: number) =>
    batch <= 0 ? 0 : 1 / (serviceMs + (output * stepMs(server, shape, batch)) / batch);
  const asked = 'perMs' in load ? load.perMs / server.count : Number.POSITIVE_INFINITY;
  const inFlight = 'perMs' in load ? Number.POSITIVE_INFINITY : load.inFlight / server.count;
  const batch = 'perMs' in load ? largest(most, asked, servedBy) : Math.min(most, inFlight);
  const perMs = Math.min(asked, servedBy(Math.max(batch, 1 / output)));
  const busy = Math.min(FULL, perMs * serviceMs);
  const step = stepMs(server, shape, batch);
  const waitingMs =
    'perMs' in load
      ? pileUpMs(load.perMs, perMs * server.count, shape.requests)
      : Math.max(0, inFlight - batch) / perMs;
  return {
    perMs: perMs * server.count,
    ttftMs: present(perMs, serviceMs, 1) / perMs + step / 2 + waitingMs,
    tpotMs: step / (1 - busy),
  };
}

import { ExactSum } from './exact-sum.js';
import type { RequestOutcome, StageOutcome } from './outcome.js';
import { percentileRank } from './statistics.js';

/** What the time of a request from its arrival to its last token goes to, in milliseconds. */
export interface LatencyParts {
  /** In the frontend: receiving and tokenising it. */
  frontend: number;
  /** Held back by the router, or while no worker was there. */
  router_queue: number;
  /** With its (prefill) worker, until that begins with it. */
  worker_queue: number;
  /** In passes that compute of its prompt, up to its first token or until a prefill worker holds it for the decode worker. */
  prefill: number;
  /** In passes that compute nothing of its prompt, between those that do. */
  chunk_wait: number;
  /** Waiting for room on its decode worker. */
  decode_room: number;
  /** Until its decode worker has taken over the KV, the end of a pass under way there included. */
  transfer: number;
  /** With its decode worker, until that begins with it. */
  decode_queue: number;
  /** Out of service after a preemption. */
  preemption: number;
  /** Generating, from its first token (or the pass that makes it) to its last. */
  decode: number;
  /** On the way from the engine to the client, as far as nothing else was going on. */
  delivery: number;
}

type Part = keyof LatencyParts;

const noParts = (): LatencyParts => ({
  frontend: 0,
  router_queue: 0,
  worker_queue: 0,
  prefill: 0,
  chunk_wait: 0,
  decode_room: 0,
  transfer: 0,
  decode_queue: 0,
  preemption: 0,
  decode: 0,
  delivery: 0,
});

const PARTS = Object.keys(noParts()) as Part[];

/** Splits the latency of a request that has a token, without remainder: the parts add up to it, in their order. */
export function latencyParts(outcome: RequestOutcome): LatencyParts | undefined {
  if (outcome.outputTokens === 0) return undefined;
  const parts = noParts();
  split(outcome, parts);
  balance(parts, Math.max(0, outcome.lastTokenMs - outcome.arrivalMs));
  return parts;
}

/** Sets the parts of a latency; they add up to it but for rounding. */
function split(outcome: RequestOutcome, parts: LatencyParts): void {
  const { arrivalMs, stages, stallMs, firstStallMs } = outcome;
  const readyMs = later(arrivalMs, outcome.readyMs);
  parts.frontend = readyMs - arrivalMs;
  const startMs =
    stages === null || stages.prefillWorker === null
      ? splitPrefill(outcome, readyMs, parts)
      : splitHandoff(outcome, stages, readyMs, parts);
  const engineLastMs = later(startMs, outcome.engineLastMs);
  parts.decode = engineLastMs - startMs;
  parts.delivery = later(engineLastMs, outcome.lastTokenMs) - engineLastMs;
  parts.preemption = stallMs;
  parts.prefill -= Math.min(parts.prefill, firstStallMs);
  parts.chunk_wait = Math.min(parts.prefill, outcome.chunkWaitMs);
  parts.prefill -= parts.chunk_wait;
  parts.decode -= Math.min(parts.decode, stallMs - firstStallMs);
}

/** @returns when the first token is there */
function splitPrefill(outcome: RequestOutcome, readyMs: number, parts: LatencyParts): number {
  const dispatchMs = later(readyMs, outcome.dispatchMs);
  const admitMs = later(dispatchMs, outcome.firstAdmitMs);
  const firstMs = later(admitMs, outcome.firstTokenMs - outcome.deliveryMs);
  parts.router_queue = dispatchMs - readyMs;
  parts.worker_queue = admitMs - dispatchMs;
  parts.prefill = firstMs - admitMs;
  parts.decode_room = 0;
  parts.transfer = 0;
  parts.decode_queue = 0;
  return firstMs;
}

/** @returns when the decode worker begins with the request */
function splitHandoff(
  outcome: RequestOutcome,
  stages: StageOutcome,
  readyMs: number,
  parts: LatencyParts,
): number {
  // With SGLang room comes first.
  const isRoomFirst = stages.destinationReservedMs <= stages.prefillAdmitMs;
  const roomMs = isRoomFirst ? later(readyMs, stages.destinationReservedMs) : readyMs;
  const dispatchMs = later(roomMs, outcome.dispatchMs);
  const admitMs = later(dispatchMs, stages.prefillAdmitMs);
  const heldMs = later(admitMs, stages.sourceHeldMs);
  const reservedMs = later(heldMs, stages.destinationReservedMs);
  const activatedMs = later(reservedMs, stages.destinationActivatedMs);
  const decodeMs = later(activatedMs, stages.decodeAdmitMs);
  parts.router_queue = dispatchMs - roomMs;
  parts.worker_queue = admitMs - dispatchMs;
  parts.prefill = heldMs - admitMs;
  parts.decode_room = roomMs - readyMs + (reservedMs - heldMs);
  parts.transfer = activatedMs - reservedMs;
  parts.decode_queue = decodeMs - activatedMs;
  return decodeMs;
}

/** The later of two times; the second may be NaN, for what did not happen. */
function later(ms: number, otherMs: number): number {
  return otherMs > ms ? otherMs : ms;
}

/**
 * Makes decoding what is left, so that the sum of all parts, first to last, is the latency to the last bit. Where no
 * such number exists for decoding, the last bits of another part give way.
 */
function balance(parts: LatencyParts, totalMs: number): void {
  parts.decode = 0;
  parts.decode = Math.max(0, totalMs - sumOf(parts));
  if (sumOf(parts) === totalMs) return;
  const step = 2 ** (Math.floor(Math.log2(totalMs)) - 54);
  for (const part of PARTS.toReversed()) {
    const ms = parts[part];
    for (let steps = 1; steps <= 8 && ms > 0; steps++)
      for (const by of [steps * step, -steps * step]) {
        parts[part] = ms + by;
        if (sumOf(parts) === totalMs) return;
      }
    parts[part] = ms;
  }
}

/** The parts added up, first to last. */
export function sumOf(parts: LatencyParts): number {
  let sum = 0;
  for (const part of PARTS) sum += parts[part];
  return sum;
}

/** Time in queues, whoever's. */
function queuedMs(parts: LatencyParts): number {
  return parts.router_queue + parts.worker_queue + parts.decode_room + parts.decode_queue;
}

/** Mean time to the first token between the boundaries that people measure at, in milliseconds. */
export interface FirstTokenParts {
  client_to_server: number;
  /** Until a worker first begins with it. */
  queue: number;
  schedule_to_first_token: number;
  /** From the engine to the client. */
  response: number;
  /** In the client. */
  client: number;
}

const partSums = () =>
  Object.fromEntries(PARTS.map((part) => [part, new ExactSum()])) as Record<Part, ExactSum>;

/** Most parts do not occur in most requests. */
function addTo(sum: ExactSum, ms: number): void {
  if (ms !== 0) sum.add(ms);
}

/** Means of the parts over requests. */
export class PartMeans {
  private count = 0;
  private readonly sums = partSums();
  /** Times to the first token: before the router, until scheduled, to the engine's first token, on the way back. */
  private readonly untilFirst = Array.from({ length: 4 }, () => new ExactSum());
  private readonly parts = noParts();

  /** @returns the time in queues and out of service, in milliseconds */
  add(outcome: RequestOutcome): number {
    const { parts } = this;
    split(outcome, parts);
    this.count++;
    this.addParts();
    this.addFirstToken(outcome);
    return queuedMs(parts) + parts.preemption;
  }

  /** One by one: looking all of them up by name takes far longer than adding them. */
  private addParts(): void {
    const { sums, parts } = this;
    addTo(sums.frontend, parts.frontend);
    addTo(sums.router_queue, parts.router_queue);
    addTo(sums.worker_queue, parts.worker_queue);
    addTo(sums.prefill, parts.prefill);
    addTo(sums.chunk_wait, parts.chunk_wait);
    addTo(sums.decode_room, parts.decode_room);
    addTo(sums.transfer, parts.transfer);
    addTo(sums.decode_queue, parts.decode_queue);
    addTo(sums.preemption, parts.preemption);
    addTo(sums.decode, parts.decode);
    addTo(sums.delivery, parts.delivery);
  }

  private addFirstToken({
    arrivalMs,
    readyMs,
    stages,
    firstAdmitMs,
    firstTokenMs,
    deliveryMs,
  }: RequestOutcome): void {
    const { untilFirst } = this;
    const ready = later(arrivalMs, readyMs);
    const admitted = stages?.prefillWorker == null ? firstAdmitMs : stages.prefillAdmitMs;
    const begun = later(ready, admitted);
    const first = later(begun, firstTokenMs - deliveryMs);
    addTo(untilFirst[0], ready - arrivalMs);
    addTo(untilFirst[1], begun - ready);
    addTo(untilFirst[2], first - begun);
    addTo(untilFirst[3], firstTokenMs - first);
  }

  /** @param clientMs part of the way back that is the client's own */
  firstTokenParts(clientMs: number): FirstTokenParts {
    const [ready, queue, engine, delivery] = this.untilFirst.map(({ value }) =>
      this.count > 0 ? value / this.count : 0,
    );
    const client = Math.min(clientMs, delivery);
    return {
      client_to_server: ready,
      queue,
      schedule_to_first_token: engine,
      response: delivery - client,
      client,
    };
  }

  copy(): PartMeans {
    const copy = new PartMeans();
    copy.count = this.count;
    for (const part of PARTS) copy.sums[part].set(this.sums[part]);
    this.untilFirst.forEach((sum, index) => {
      copy.untilFirst[index].set(sum);
    });
    return copy;
  }

  get means(): LatencyParts {
    const means = noParts();
    if (this.count > 0) for (const part of PARTS) means[part] = this.sums[part].value / this.count;
    return means;
  }
}

/** Parts that occur. */
export function occurring(parts: LatencyParts): Partial<LatencyParts> {
  return Object.fromEntries(Object.entries(parts).filter(([, ms]) => ms > 0));
}

/** The tail of each part that occurs, over requests that completed. */
export function partPercentiles(records: readonly RequestOutcome[]): Record<string, Record<string, number>> {
  const all = records
    .filter(({ status }) => status === 'completed')
    .map(latencyParts)
    .filter((parts) => parts !== undefined);
  const tails: Record<string, Record<string, number>> = {};
  for (const part of PARTS) {
    const sorted = Float64Array.from(all, (parts) => parts[part]).sort();
    if (!(sorted[sorted.length - 1] > 0)) continue;
    const at = (percentile: number) => sorted[percentileRank(sorted.length, percentile)];
    tails[part] = { median: at(50), p90: at(90), p99: at(99), max: at(100) };
  }
  return tails;
}

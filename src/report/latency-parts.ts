import type { RequestOutcome } from './outcome.js';

/** What the time of a request from its arrival to its last token goes to, in milliseconds. */
export interface LatencyParts {
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
}

type Part = keyof LatencyParts;

/** Splits the latency of a request that has a token, without remainder: the parts add up to it, in their order. */
export function latencyParts(outcome: RequestOutcome): LatencyParts | undefined {
  if (outcome.outputTokens === 0) return undefined;
  const parts: LatencyParts = {
    router_queue: 0,
    worker_queue: 0,
    prefill: 0,
    chunk_wait: 0,
    decode_room: 0,
    transfer: 0,
    decode_queue: 0,
    preemption: 0,
    decode: 0,
  };
  let before = outcome.arrivalMs;
  for (const [part, ms] of boundaries(outcome)) {
    if (Number.isNaN(ms)) continue;
    parts[part] += Math.max(0, ms - before);
    before = Math.max(before, ms);
  }
  const { stallMs, firstStallMs, chunkWaitMs } = outcome;
  parts.preemption = stallMs;
  parts.prefill -= Math.min(parts.prefill, firstStallMs);
  parts.chunk_wait = Math.min(parts.prefill, chunkWaitMs);
  parts.prefill -= parts.chunk_wait;
  balance(parts, Math.max(0, outcome.lastTokenMs - outcome.arrivalMs));
  return parts;
}

/** When each part ends, in order. */
function boundaries(outcome: RequestOutcome): [Part, number][] {
  const { dispatchMs, firstAdmitMs, firstTokenMs, lastTokenMs, stages } = outcome;
  if (!stages || stages.prefillWorker === null)
    return [
      ['router_queue', dispatchMs],
      ['worker_queue', firstAdmitMs],
      ['prefill', firstTokenMs],
      ['decode', lastTokenMs],
    ];
  const room: [Part, number] = ['decode_room', stages.destinationReservedMs];
  const prefill: [Part, number][] = [
    ['router_queue', dispatchMs],
    ['worker_queue', stages.prefillAdmitMs],
    ['prefill', stages.sourceHeldMs],
  ];
  // With SGLang room comes first.
  const isRoomFirst = stages.destinationReservedMs <= stages.prefillAdmitMs;
  return [
    ...(isRoomFirst ? [room, ...prefill] : [...prefill, room]),
    ['transfer', stages.destinationActivatedMs],
    ['decode_queue', stages.decodeAdmitMs],
    ['decode', lastTokenMs],
  ];
}

/**
 * Makes decoding what is left, so that the sum of all parts, first to last, is the latency to the last bit. Where no
 * such number exists for decoding, the last bits of another part give way.
 */
function balance(parts: LatencyParts, totalMs: number): void {
  parts.decode = 0;
  parts.decode = Math.max(0, totalMs - sumOf(parts));
  if (sumOf(parts) === totalMs) return;
  const names = Object.keys(parts) as Part[];
  const step = 2 ** (Math.floor(Math.log2(totalMs)) - 54);
  for (const part of names.reverse()) {
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
  for (const part of Object.keys(parts) as Part[]) sum += parts[part];
  return sum;
}

/** Means of the parts of requests. */
export class PartMeans {
  private count = 0;
  private readonly sums = new Map<string, number>();

  add(parts: LatencyParts): void {
    this.count++;
    for (const [part, ms] of Object.entries(parts)) this.sums.set(part, (this.sums.get(part) ?? 0) + ms);
  }

  /** Parts that occur. */
  means(): Record<string, number> {
    return Object.fromEntries(
      [...this.sums].filter(([, sum]) => sum > 0).map(([part, sum]) => [part, sum / this.count]),
    );
  }
}

import type { RequestOutcome } from '../report/outcome.js';

/** How many values there were, and their sum. */
interface Sum {
  count: number;
  sum: number;
}

/** What came to a fleet and left it in a span of time. A mean is sum / count, where there is a count. */
export interface TrafficCounts {
  startMs: number;
  endMs: number;
  /** Requests that arrived, those included that were refused later. */
  arrivedRequests: number;
  /** Requests that completed, and their tokens. */
  endedRequests: number;
  inputTokens: number;
  outputTokens: number;
  /** Of requests that completed: times to the first token, where there was one and it took time. */
  ttftMs: Sum;
  /** Of requests that completed with more than one token: their mean time between tokens. */
  itlMs: Sum;
  /** Of requests that the KV router placed: the part of their prompt that it saw cached there, from 0 to 1. */
  hitRate: Sum;
}

/** Counts the traffic of a fleet since it was looked at last. */
export class Traffic {
  private counts = noTraffic(0);

  arrived(): void {
    this.counts.arrivedRequests++;
  }

  /** A request has completed. */
  ended({ arrivalMs, firstTokenMs, lastTokenMs, inputTokens, outputTokens }: RequestOutcome): void {
    const { counts } = this;
    counts.endedRequests++;
    counts.inputTokens += inputTokens;
    counts.outputTokens += outputTokens;
    const ttftMs = firstTokenMs - arrivalMs;
    if (ttftMs > 0) add(counts.ttftMs, ttftMs);
    if (outputTokens > 1) add(counts.itlMs, Math.max(0, lastTokenMs - firstTokenMs) / (outputTokens - 1));
  }

  /** A request was placed where this much of its prompt, both in blocks, is cached. */
  placed(cachedBlocks: number, promptBlocks: number): void {
    if (promptBlocks > 0) add(this.counts.hitRate, cachedBlocks / promptBlocks);
  }

  /** Hands over what was counted, and begins anew. */
  takeWindow(nowMs: number): TrafficCounts {
    const { counts } = this;
    this.counts = noTraffic(nowMs);
    counts.endMs = nowMs;
    return counts;
  }
}

function noTraffic(startMs: number): TrafficCounts {
  return {
    startMs,
    endMs: startMs,
    arrivedRequests: 0,
    endedRequests: 0,
    inputTokens: 0,
    outputTokens: 0,
    ttftMs: { count: 0, sum: 0 },
    itlMs: { count: 0, sum: 0 },
    hitRate: { count: 0, sum: 0 },
  };
}

function add(sum: Sum, value: number): void {
  sum.count++;
  sum.sum += value;
}

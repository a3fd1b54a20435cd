import type { Scenario } from '../../config/scenario/scenario.js';
import { openWorkload } from '../../setup/workload.js';
import type { Shelf } from '../../workload/shelf.js';
import { RequestDraft } from '../../workload/source.js';

/** Means of a workload, as far as a formula asks for them. */
export interface Shape {
  requests: number;
  inputTokens: number;
  outputTokens: number;
  /** Tokens of a prompt that an endless cache has seen before. */
  reusedTokens: number;
  /** Requests a millisecond, from the first arrival to the last; Infinity where all come at once. */
  perMs: number;
}

/** Requests that are looked at: means of so many are good enough for a formula. */
const MOST_REQUESTS = 20_000;
/** Later than anything arrives. */
const END_MS = 1e15;

/** Reads a workload through, without serving it. @throws {InputError} for a bad row */
export async function shapeOf(scenario: Scenario, shelf: Shelf): Promise<Shape> {
  const workload = await openWorkload(scenario, { shelf });
  const { source } = workload;
  const draft = new RequestDraft();
  const seen = new Set<number>();
  const sums = { requests: 0, inputTokens: 0, outputTokens: 0, reusedTokens: 0 };
  let lastMs = 0;
  try {
    while (sums.requests < MOST_REQUESTS && source.take(END_MS, draft)) {
      const { row, session, turn, inputTokens, outputTokens, arrivalMs } = draft;
      sums.requests++;
      sums.inputTokens += inputTokens;
      sums.outputTokens += outputTokens;
      sums.reusedTokens += Math.min(inputTokens, knownBlocks(draft, seen) * source.hashBlockTokens);
      if (arrivalMs < END_MS) lastMs = Math.max(lastMs, arrivalMs);
      source.ended({
        row,
        session,
        turn,
        nowMs: arrivalMs,
        rejected: false,
        endsSession: false,
        emittedTokens: outputTokens,
      });
    }
  } finally {
    workload.close();
  }
  const { requests } = sums;
  return {
    requests: source.total || requests,
    inputTokens: sums.inputTokens / requests,
    outputTokens: sums.outputTokens / requests,
    reusedTokens: sums.reusedTokens / requests,
    perMs: lastMs > 0 ? requests / lastMs : Number.POSITIVE_INFINITY,
  };
}

/** Blocks at the beginning of a prompt that were seen before; all of its blocks are known then. */
function knownBlocks({ hashLow, hashHigh, hashCount }: RequestDraft, seen: Set<number>): number {
  let known = 0;
  let isPrefix = true;
  for (let at = 0; at < hashCount; at++) {
    // Identities that differ in their lowest bits alone may be taken for one, which a mean does not feel.
    const identity = hashHigh[at] * 4294967296 + hashLow[at];
    if (isPrefix && seen.has(identity)) known++;
    else isPrefix = false;
    seen.add(identity);
  }
  return known;
}

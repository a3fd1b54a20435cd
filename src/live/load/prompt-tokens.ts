import type { RequestDraft } from '../../workload/source.js';

/** Ids that every vocabulary has, and how many of them. */
const FIRST_ID = 100;
const IDS = 1000;

/**
 * Token ids of a prompt: its own where the workload has them, else made up so that equal blocks in equal places have
 * equal ids, and what lies behind them occurs nowhere else.
 */
export function promptTokens(draft: RequestDraft, hashBlockTokens: number): Uint32Array {
  const { tokens, inputTokens, hashCount, hashLow, hashHigh, row } = draft;
  if (tokens) return tokens.slice();
  const ids = new Uint32Array(inputTokens);
  for (let block = 0, at = 0; at < inputTokens; block++) {
    const isNamed = block < hashCount;
    const low = isNamed ? hashLow[block] : row + 1;
    const high = isNamed ? hashHigh[block] : block ^ 0x5bd1e995;
    const end = isNamed ? Math.min(inputTokens, at + hashBlockTokens) : inputTokens;
    for (; at < end; at++) ids[at] = FIRST_ID + (mix(low, high, at) % IDS);
  }
  return ids;
}

function mix(low: number, high: number, place: number): number {
  let hash = Math.imul(low ^ (place + 0x9e3779b9), 0x85ebca6b) ^ high;
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) + low;
  return (hash ^ (hash >>> 13)) >>> 0;
}

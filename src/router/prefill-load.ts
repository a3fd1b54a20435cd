/** Predicts how long the prefill of one prompt alone takes, in milliseconds; undefined where it cannot. */
export type PrefillEstimator = (newTokens: number, cachedTokens: number) => number | undefined;

const NS_PER_MS = 1e6;

interface Entry {
  tokens: number;
  /** undefined when no estimate is known. */
  durationNs: number | undefined;
}

/**
 * Prompt tokens in prefill on one target. With estimates the load decays as the request in front is worked off
 * (`sequences/prefill_load.rs` of the reference); without, it stays until a prefill is complete.
 */
export class PrefillLoad {
  private sum = 0;
  private readonly entries = new Map<number, Entry>();
  private frontSinceNs = 0;

  constructor(private readonly isModelled: boolean) {}

  add(request: number, tokens: number, durationMs: number | undefined, nowMs: number): void {
    if (tokens === 0) return;
    this.sum += tokens;
    const isFront = this.entries.size === 0;
    const durationNs = durationMs === undefined ? undefined : Math.round(durationMs * NS_PER_MS);
    this.entries.set(request, { tokens, durationNs });
    if (isFront) this.frontSinceNs = toNs(nowMs);
  }

  remove(request: number, nowMs: number): void {
    const entry = this.entries.get(request);
    if (!entry) return;
    const [front] = this.entries.keys();
    const now = toNs(nowMs);
    this.sum -= entry.tokens;
    this.entries.delete(request);
    if (front === request) this.frontSinceNs = now;
    else if (entry.durationNs !== undefined)
      this.frontSinceNs = Math.min(this.frontSinceNs + entry.durationNs, now);
  }

  /** Tokens still to be computed at a time. */
  tokensAt(nowMs: number): number {
    if (!this.isModelled || this.entries.size === 0) return this.sum;
    const [front] = this.entries.values();
    const elapsedNs = Math.max(0, toNs(nowMs) - this.frontSinceNs);
    for (const { durationNs } of this.entries.values())
      if (durationNs === undefined) return this.sum - front.tokens + restOf(front, elapsedNs);
    return Math.max(0, this.sum - completedOf(front, elapsedNs));
  }
}

function toNs(ms: number): number {
  return Math.round((Math.max(ms, 0) / 1000) * 1e9);
}

/** Tokens worked off at the speed of the entry; beyond its own end those of the entries behind it. */
function completedOf({ tokens, durationNs }: Entry, elapsedNs: number): number {
  if (durationNs === 0) return tokens;
  return Number((BigInt(tokens) * BigInt(elapsedNs)) / BigInt(durationNs!));
}

function restOf({ tokens, durationNs }: Entry, elapsedNs: number): number {
  if (durationNs === undefined) return tokens;
  if (durationNs === 0) return 0;
  const part = 1 - elapsedNs / 1e9 / (durationNs / 1e9);
  return Math.ceil(tokens * Math.min(1, Math.max(0, part)));
}

/**
 * One request as a workload hands it out. The object is reused: whoever takes it copies what it keeps.
 *
 * A prompt is `inputTokens` long. Its first `hashCount` blocks of the source's `hashBlockTokens` tokens have the given
 * 64-bit identities, equal identities in equal positions after equal prefixes being equal content; what lies behind
 * them is content that occurs nowhere else. When `tokens` is set it is the content itself and the hashes are unused.
 */
export class RequestDraft {
  /** Ordinal of the request in its source. */
  row = 0;
  session = 0;
  turn = 0;
  arrivalMs = 0;
  inputTokens = 0;
  outputTokens = 0;
  hashLow: Uint32Array = new Uint32Array(64);
  hashHigh: Uint32Array = new Uint32Array(64);
  hashCount = 0;
  /** How many of them other prompts may begin with too; infinity where nobody has looked. */
  sharedHashes = Number.POSITIVE_INFINITY;
  tokens: Uint32Array | undefined;
  /** The output that will be generated, where it can become prompt again. */
  plannedOutput: Uint32Array | undefined;
  priority = 0;
  strictPriority = 0;
  policyClass: string | undefined;

  reserveHashes(count: number): void {
    if (count <= this.hashLow.length) return;
    this.hashLow = new Uint32Array(count * 2);
    this.hashHigh = new Uint32Array(count * 2);
  }
}

/** A request that ended, named as its draft was. */
export interface EndedDraft {
  row: number;
  session: number;
  turn: number;
  nowMs: number;
  rejected: boolean;
  /** Whether the rest of its session will not come. */
  endsSession: boolean;
  emittedTokens: number;
}

/** Where requests come from: releases them in time order and hears when they end. Times in milliseconds. */
export interface RequestSource {
  /** Requests to expect in all, where known. */
  readonly total: number;
  /** Tokens per hash of a draft. */
  readonly hashBlockTokens: number;
  /** Whether drafts carry token content, because outputs may become prompts again. */
  readonly hasTokens: boolean;
  /** Whether the end of a request can make another one ready. */
  readonly hasFeedback: boolean;
  /** Whether requests depend on each other as a graph. */
  readonly isGraph: boolean;
  /** Infinity when nothing is waiting for a time to come. */
  nextReadyMs(): number;
  /** Fills `draft` with the next request that is ready at `nowMs`; false when there is none. */
  take(nowMs: number, draft: RequestDraft): boolean;
  ended(request: EndedDraft): void;
  /** A request was lost on its way: it comes again as it was, where a source keeps what it has handed out. */
  sendAgain?(row: number, nowMs: number): void;
  /** True when no request will come any more. */
  isDrained(): boolean;
  /** Name of a session for records; null where the format has none. */
  sessionName(session: number): string | null;
}

/**
 * Forward-pass metrics: what one pass of a rank scheduled, and what it left waiting. Times in milliseconds, sums in
 * tokens.
 */
export interface PassMetrics {
  startMs: number;
  endMs: number;
  /** Requests of which the pass computed prompt tokens, those tokens, and those before them that needed no computing. */
  prefillRequests: number;
  prefillTokens: number;
  prefillCachedTokens: number;
  /** Requests that decoded, and the tokens that they had before. */
  decodeRequests: number;
  decodeTokens: number;
  /** Requests that waited for their prompt to be computed, and their prompts. */
  queuedPrefillRequests: number;
  queuedPrefillTokens: number;
  /** Requests that waited to decode: preempted, or with their prompt computed elsewhere. */
  queuedDecodeRequests: number;
  queuedDecodeTokens: number;
}

/** Metrics of a pass that did nothing. */
export function noPass(startMs: number, endMs: number): PassMetrics {
  return {
    startMs,
    endMs,
    prefillRequests: 0,
    prefillTokens: 0,
    prefillCachedTokens: 0,
    decodeRequests: 0,
    decodeTokens: 0,
    queuedPrefillRequests: 0,
    queuedPrefillTokens: 0,
    queuedDecodeRequests: 0,
    queuedDecodeTokens: 0,
  };
}

/** Measures the passes of a rank where somebody asks for it: the one under way and the last that has ended. */
export class PassMeter {
  /** Nothing is measured before this is set. */
  isOn = false;
  /** Of the pass that was decided last; its end may be to come. */
  current: PassMetrics = noPass(0, 0);
  /** Of the last pass that has ended. */
  last: PassMetrics = noPass(0, 0);
  /** How many have ended, where a run of them counts once. */
  endedCount = 0;
  /** Requests that emitted, once for each ended pass, and their tokens. */
  forwards = 0;
  forwardTokens = 0;
  private isUnderWay = false;
  private emitting = 0;
  private emittedTokens = 0;

  /** A pass was decided; `current` describes it but for its end. */
  begin(): void {
    this.isUnderWay = true;
  }

  /** A pass of its worker in which the rank has nothing to do. */
  beginIdle(startMs: number, endMs: number): void {
    this.begin();
    this.current = noPass(startMs, endMs);
    this.decided(endMs, 0, 0);
  }

  /** How many requests emit how many tokens in the pass under way, and when it ends. */
  decided(endMs: number, emitting: number, tokens: number): void {
    this.current.endMs = endMs;
    this.emitting = emitting;
    this.emittedTokens = tokens;
  }

  /** What was decided last was no pass after all. */
  drop(): void {
    this.isUnderWay = false;
  }

  /** The pass under way has ended. */
  end(): void {
    if (!this.isUnderWay) return;
    this.isUnderWay = false;
    const { current } = this;
    this.current = this.last;
    this.last = current;
    this.endedCount++;
    this.forwards += this.emitting;
    this.forwardTokens += this.emittedTokens;
  }

  /** A run of passes has ended in which `batch` requests decoded; `last` is set to the last of them by the caller. */
  addRun(passes: number, batch: number): void {
    this.endedCount++;
    this.forwards += passes * batch;
    this.forwardTokens += passes * batch;
  }
}

import { RequestDraft, type RequestSource } from './source.js';
import { WrappedSource } from './wrapped-source.js';

/** How long a frontend takes for a request before anybody else sees it. */
type FrontendTime = (inputTokens: number) => number;

interface Waiting {
  readyMs: number;
  draft: RequestDraft;
}

/** A source whose requests pass through a frontend first: they are ready when that is done with them. */
export class FrontendSource extends WrappedSource implements RequestSource {
  /** Requests in the frontend, by when it is done with them, then by arrival. */
  private readonly waiting: Waiting[] = [];
  private readonly spare: RequestDraft[] = [];

  constructor(
    inner: RequestSource,
    private readonly timeOf: FrontendTime,
  ) {
    super(inner);
  }

  nextReadyMs(): number {
    const waitingMs = this.waiting[0]?.readyMs ?? Number.POSITIVE_INFINITY;
    return Math.min(waitingMs, this.inner.nextReadyMs());
  }

  take(nowMs: number, draft: RequestDraft): boolean {
    for (;;) {
      const arriving = this.spare.pop() ?? new RequestDraft();
      if (!this.inner.take(nowMs, arriving)) {
        this.spare.push(arriving);
        break;
      }
      this.enter(arriving);
    }
    const [first] = this.waiting;
    if (!first || first.readyMs > nowMs) return false;
    this.waiting.shift();
    handOver(first.draft, draft);
    this.spare.push(first.draft);
    return true;
  }

  private enter(draft: RequestDraft): void {
    const readyMs = draft.arrivalMs + this.timeOf(draft.inputTokens);
    let at = this.waiting.length;
    while (at > 0 && this.waiting[at - 1].readyMs > readyMs) at--;
    this.waiting.splice(at, 0, { readyMs, draft });
  }

  isDrained(): boolean {
    return this.waiting.length === 0 && this.inner.isDrained();
  }
}

/** Moves what a draft holds to another, which gives its arrays in return. */
export function handOver(from: RequestDraft, to: RequestDraft): void {
  const { hashLow, hashHigh } = to;
  Object.assign(to, from);
  from.hashLow = hashLow;
  from.hashHigh = hashHigh;
}

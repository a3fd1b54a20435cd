import { handOver } from './frontend.js';
import { type EndedDraft, RequestDraft, type RequestSource } from './source.js';
import { WrappedSource } from './wrapped-source.js';

/** A source that keeps what it has handed out until it ends, and hands it out again when it was lost on the way. */
export class ResendingSource extends WrappedSource implements RequestSource {
  private readonly inFlight = new Map<number, RequestDraft>();
  private readonly lost: { readyMs: number; draft: RequestDraft }[] = [];
  private readonly spare: RequestDraft[] = [];

  nextReadyMs(): number {
    return Math.min(this.lost[0]?.readyMs ?? Number.POSITIVE_INFINITY, this.inner.nextReadyMs());
  }

  take(nowMs: number, draft: RequestDraft): boolean {
    const [again] = this.lost;
    if (again && again.readyMs <= nowMs) {
      this.lost.shift();
      this.keep(again.draft, draft);
      this.spare.push(again.draft);
      return true;
    }
    if (!this.inner.take(nowMs, draft)) return false;
    this.keep(draft, undefined);
    return true;
  }

  /** Keeps a copy of what is handed out. @param to where it goes, if it is not there yet */
  private keep(from: RequestDraft, to: RequestDraft | undefined): void {
    // What is sent again may find its own blocks, though no other prompt has them.
    from.sharedHashes = Number.POSITIVE_INFINITY;
    const kept = copied(from, this.spare.pop() ?? new RequestDraft());
    this.inFlight.set(kept.row, kept);
    if (to) handOver(from, to);
  }

  sendAgain(row: number, nowMs: number): void {
    const draft = this.inFlight.get(row);
    if (!draft) throw new Error(`request ${row} is not in flight`);
    this.inFlight.delete(row);
    this.lost.push({ readyMs: nowMs, draft });
  }

  override ended(request: EndedDraft): void {
    const draft = this.inFlight.get(request.row);
    if (draft) this.spare.push(draft);
    this.inFlight.delete(request.row);
    super.ended(request);
  }

  isDrained(): boolean {
    return this.lost.length === 0 && this.inner.isDrained();
  }
}

function copied(from: RequestDraft, to: RequestDraft): RequestDraft {
  const { hashLow, hashHigh } = to;
  Object.assign(to, from, { hashLow, hashHigh });
  to.reserveHashes(from.hashCount);
  to.hashLow.set(from.hashLow.subarray(0, from.hashCount));
  to.hashHigh.set(from.hashHigh.subarray(0, from.hashCount));
  return to;
}

import type { RequestOutcome } from '../report/outcome.js';
import type { EndKind, Ticket, TokenSink } from './serving.js';

/** Can keep from a sink what it should hear, for a time, as if the worker hung; then it hears all of it at once. */
export class HangingSink implements TokenSink {
  private kept: (() => void)[] | undefined;

  constructor(private readonly sink: TokenSink) {}

  /** @returns itself */
  hang(ms: number): this {
    if (this.kept) return this;
    this.kept = [];
    setTimeout(() => {
      const kept = this.kept ?? [];
      this.kept = undefined;
      for (const tell of kept) tell();
    }, ms);
    return this;
  }

  private tell(what: () => void): void {
    if (this.kept) this.kept.push(what);
    else what();
  }

  token(ticket: Ticket, atMs: number, id?: number): void {
    this.tell(() => this.sink.token(ticket, atMs, id));
  }

  cached(ticket: Ticket, tokens: number): void {
    this.tell(() => this.sink.cached?.(ticket, tokens));
  }

  ended(ticket: Ticket, why: EndKind, atMs: number, outcome?: RequestOutcome): void {
    this.tell(() => this.sink.ended(ticket, why, atMs, outcome));
  }
}

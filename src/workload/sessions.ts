import { ReadyHeap } from './ready-heap.js';
import type { EndedDraft, RequestDraft, RequestSource } from './source.js';

/** What a session workload knows about its turns; rows are turns, numbered over the whole workload. */
export interface SessionTable {
  readonly sessionCount: number;
  readonly rowCount: number;
  readonly hashBlockTokens: number;
  readonly hasTokens: boolean;
  /** Whether any session has a second turn. */
  readonly hasTurns: boolean;
  /** Whether runs leave it as it is and it needs no file any more, so that many may read it. */
  readonly isStill?: boolean;
  firstRow(session: number): number;
  /** -1 after the last turn. */
  nextRow(row: number): number;
  startMs(session: number): number;
  /** Delay of a later turn after the end of the turn before. */
  delayMs(row: number): number;
  /** Fills lengths and content; the driver fills times and ordinals. */
  fill(row: number, draft: RequestDraft): void;
  /** A turn ended; tables whose prompts contain earlier output listen. */
  ended?(row: number, rejected: boolean, emittedTokens: number): void;
  sessionName(session: number): string | null;
}

/** Session indices by start time, file order among equals; undefined when they are in order already. */
function startOrder(table: SessionTable): Int32Array | undefined {
  let sorted = true;
  for (let s = 1; s < table.sessionCount && sorted; s++) sorted = table.startMs(s - 1) <= table.startMs(s);
  if (sorted) return undefined;
  const order = Int32Array.from({ length: table.sessionCount }, (_, index) => index);
  return order.sort((a, b) => table.startMs(a) - table.startMs(b) || a - b);
}

/**
 * Drives sessions: open loop (each session starts at its time) or closed loop (at most `concurrency` sessions are
 * active, a session keeping its place while it thinks). Follows `loadgen/driver.rs` of the reference.
 */
export class SessionDriver implements RequestSource {
  readonly total: number;
  readonly hashBlockTokens: number;
  readonly hasTokens: boolean;
  readonly hasFeedback: boolean;
  readonly isGraph = false;
  private readonly order: Int32Array | undefined;
  private readonly ready = new ReadyHeap();
  private nextSession = 0;
  private inFlight = 0;
  private openSessions = 0;

  constructor(
    private readonly table: SessionTable,
    private readonly concurrency: number | undefined,
  ) {
    this.total = table.rowCount;
    this.hashBlockTokens = table.hashBlockTokens;
    this.hasTokens = table.hasTokens;
    this.hasFeedback = concurrency !== undefined || table.hasTurns;
    if (concurrency === undefined) this.order = startOrder(table);
    else while (this.nextSession < Math.min(concurrency, table.sessionCount)) this.openSession(0);
  }

  private openSession(nowMs: number): void {
    const session = this.nextSession++;
    this.openSessions++;
    this.ready.push(nowMs, session, this.table.firstRow(session), 0);
  }

  private peekStart(): number {
    if (this.concurrency !== undefined || this.nextSession >= this.table.sessionCount)
      return Number.POSITIVE_INFINITY;
    return this.table.startMs(this.startingSession());
  }

  private startingSession(): number {
    return this.order ? this.order[this.nextSession] : this.nextSession;
  }

  nextReadyMs(): number {
    if (this.concurrency !== undefined && this.inFlight >= this.concurrency) return Number.POSITIVE_INFINITY;
    return Math.min(this.peekStart(), this.ready.timeMs);
  }

  take(nowMs: number, draft: RequestDraft): boolean {
    const readyMs = this.nextReadyMs();
    if (readyMs > nowMs || readyMs === Number.POSITIVE_INFINITY) return false;
    const startMs = this.peekStart();
    const starts =
      startMs < this.ready.timeMs ||
      (startMs === this.ready.timeMs && this.startingSession() < this.ready.session);
    if (starts) {
      draft.session = this.startingSession();
      draft.row = this.table.firstRow(draft.session);
      draft.turn = 0;
      this.nextSession++;
      this.openSessions++;
    } else {
      draft.session = this.ready.session;
      draft.row = this.ready.row;
      draft.turn = this.ready.turn;
      this.ready.pop();
    }
    draft.arrivalMs = this.concurrency === undefined ? readyMs : nowMs;
    this.inFlight++;
    this.table.fill(draft.row, draft);
    return true;
  }

  ended({ row, session, turn, nowMs, rejected, endsSession, emittedTokens }: EndedDraft): void {
    this.inFlight--;
    this.table.ended?.(row, rejected, emittedTokens);
    if (!this.hasFeedback) {
      this.openSessions--;
      return;
    }
    const next = endsSession ? -1 : this.table.nextRow(row);
    if (next >= 0) {
      this.ready.push(nowMs + this.table.delayMs(next), session, next, turn + 1);
    } else {
      this.openSessions--;
      if (this.concurrency !== undefined && this.nextSession < this.table.sessionCount)
        this.openSession(nowMs);
    }
  }

  isDrained(): boolean {
    return this.openSessions === 0 && this.nextSession >= this.table.sessionCount;
  }

  sessionName(session: number): string | null {
    return this.table.sessionName(session);
  }
}

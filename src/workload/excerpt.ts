import type { SessionTable } from './sessions.js';
import type { RequestDraft } from './source.js';

/** Sessions of a workload that are to be run by themselves, as many at once as said. */
export interface Excerpt {
  /** Starts of the sessions, from .. to, in milliseconds. */
  fromMs: number;
  toMs: number;
  /** Sessions at most; evenly spread ones where there are more. */
  most: number;
  inFlight: number;
}

/** The sessions of a table that an excerpt asks for. */
export class ExcerptTable implements SessionTable {
  readonly sessionCount: number;
  readonly rowCount: number;
  readonly hashBlockTokens: number;
  readonly hasTokens: boolean;
  readonly hasTurns: boolean;
  private readonly sessions: number[];

  constructor(
    private readonly table: SessionTable,
    { fromMs, toMs, most }: Excerpt,
  ) {
    const inside: number[] = [];
    for (let session = 0; session < table.sessionCount; session++) {
      const startMs = table.startMs(session);
      if (startMs >= fromMs && startMs <= toMs) inside.push(session);
    }
    const step = Math.max(1, inside.length / most);
    const count = Math.min(inside.length, most);
    this.sessions = Array.from({ length: count }, (_, index) => inside[Math.floor(index * step)]);
    this.sessionCount = count;
    this.hashBlockTokens = table.hashBlockTokens;
    this.hasTokens = table.hasTokens;
    this.hasTurns = table.hasTurns;
    let rows = 0;
    for (const session of this.sessions)
      for (let row = table.firstRow(session); row >= 0; row = table.nextRow(row)) rows++;
    this.rowCount = rows;
  }

  firstRow(session: number): number {
    return this.table.firstRow(this.sessions[session]);
  }

  nextRow(row: number): number {
    return this.table.nextRow(row);
  }

  startMs(session: number): number {
    return this.table.startMs(this.sessions[session]);
  }

  delayMs(row: number): number {
    return this.table.delayMs(row);
  }

  fill(row: number, draft: RequestDraft): void {
    this.table.fill(row, draft);
  }

  ended(row: number, rejected: boolean, emittedTokens: number): void {
    this.table.ended?.(row, rejected, emittedTokens);
  }

  sessionName(session: number): string | null {
    return this.table.sessionName(this.sessions[session]);
  }
}

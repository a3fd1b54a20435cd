import type { SessionTable } from './sessions.js';
import type { RequestDraft } from './source.js';

/** Sessions of a workload that are to be run by themselves. */
export type Excerpt = Stretch | Share;

/** Sessions that start in a stretch of time, as many at once as said. */
interface Stretch {
  /** Starts of the sessions, from .. to, in milliseconds. */
  fromMs: number;
  toMs: number;
  /** Sessions at most; evenly spread ones where there are more. */
  most: number;
  inFlight: number;
}

/** A part of the sessions in order of their starts, driven as the whole is: 0 to 0.5 are the first half. */
export interface Share {
  from: number;
  to: number;
}

/** The sessions of an excerpt, by their numbers in the table. */
function chosen(table: SessionTable, excerpt: Excerpt): number[] {
  if ('fromMs' in excerpt) return inStretch(table, excerpt);
  const { sessionCount } = table;
  const order = Array.from({ length: sessionCount }, (_, session) => session);
  order.sort((a, b) => table.startMs(a) - table.startMs(b) || a - b);
  return order.slice(Math.round(excerpt.from * sessionCount), Math.round(excerpt.to * sessionCount));
}

function inStretch(table: SessionTable, { fromMs, toMs, most }: Stretch): number[] {
  const inside: number[] = [];
  for (let session = 0; session < table.sessionCount; session++) {
    const startMs = table.startMs(session);
    if (startMs >= fromMs && startMs <= toMs) inside.push(session);
  }
  const step = Math.max(1, inside.length / most);
  const count = Math.min(inside.length, most);
  return Array.from({ length: count }, (_, index) => inside[Math.floor(index * step)]);
}

/** The sessions of a table that an excerpt asks for. */
export class ExcerptTable implements SessionTable {
  readonly sessionCount: number;
  readonly rowCount: number;
  readonly hashBlockTokens: number;
  readonly hasTokens: boolean;
  readonly hasTurns: boolean;
  private readonly sessions: number[];
  private readonly beginMs: number;

  constructor(
    private readonly table: SessionTable,
    excerpt: Excerpt,
  ) {
    this.sessions = chosen(table, excerpt);
    this.sessionCount = this.sessions.length;
    this.beginMs = this.sessionCount > 0 ? table.startMs(this.sessions[0]) : 0;
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
    return this.table.startMs(this.sessions[session]) - this.beginMs;
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

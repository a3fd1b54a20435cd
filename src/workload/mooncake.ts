import { InputError } from '../config/input-error.js';
import { floatColumn, intColumn, wordColumn } from '../structures/column.js';
import { BlockFit } from './block-fit.js';
import { MooncakeRow } from './mooncake-row.js';
import { PromptTokens } from './prompt-tokens.js';
import { SessionIds } from './session-ids.js';
import type { SessionTable } from './sessions.js';
import { sharedHashes } from './shared-hashes.js';
import type { RequestDraft } from './source.js';
import type { TextFile } from './text-file.js';

/** Hash ids kept in memory; a longer trace is read again from its file row by row. */
const MAX_RESIDENT_HASHES = 8_000_000;
const MAX_TOKENS = 2147483647;

export interface MooncakeOptions {
  hashBlockTokens: number;
  /** Whether hash ids and lengths of a later turn describe only what is new (`mooncake-delta`). */
  isDelta: boolean;
  /** Whether prompts longer than their hash ids are refused, rather than cut to them. */
  needsAllHashes?: boolean;
  /** undefined in closed loop, where start times do not count. */
  arrivalSpeedup: number | undefined;
}

/**
 * A Mooncake trace as columns of a few numbers a row. The text is read once to check every row and find sessions, and
 * again, row by row, when the trace is too long to keep its hash ids.
 */
export class MooncakeTable implements SessionTable {
  readonly hashBlockTokens: number;
  sessionCount = 0;
  hasTurns = false;
  hasTokens = false;
  private readonly inputTokens = intColumn();
  private readonly outputTokens = intColumn();
  private readonly next = intColumn();
  /** Start of a session's first row, delay of a later one. */
  private readonly whenMs = floatColumn();
  private readonly fileOffset = floatColumn();
  private readonly sessionRow = intColumn();
  private readonly hashStart = floatColumn();
  private hashLow = wordColumn();
  private hashHigh = wordColumn();
  private isResident = true;
  /** Leading hash ids of a row that other prompts may have; undefined where nobody has looked. */
  private readonly shared: Int32Array | undefined;
  private readonly fit: BlockFit;
  private readonly priorities = new Map<
    number,
    { priority: number; strict: number; policy: string | undefined }
  >();
  private readonly authored = new Map<number, Uint32Array>();
  private readonly blankLines: number[] = [];
  private readonly row = new MooncakeRow('plain');
  private prompts: PromptTokens | undefined;

  /** What a reader should know before trusting a replay. */
  get warnings(): string[] {
    const { warning } = this.fit;
    return warning === undefined ? [] : [warning];
  }

  get isStill(): boolean {
    return this.isResident && !this.hasTokens;
  }

  get rowCount(): number {
    return this.inputTokens.length;
  }

  /** @throws {InputError} for the first bad row, with file, line and field */
  constructor(
    private readonly file: TextFile,
    readonly options: MooncakeOptions,
  ) {
    this.hashBlockTokens = options.hashBlockTokens;
    this.fit = new BlockFit(options.hashBlockTokens);
    new MooncakeScan(file, this.row, this).run();
    if (this.rowCount === 0) throw new InputError(`${file.path}: the trace holds no request`);
    this.settleTimes();
    this.validate();
    const isDelta = options.isDelta && this.hasTurns;
    this.hasTokens = isDelta || this.authored.size > 0;
    if (this.hasTokens) this.prompts = this.buildPrompts(isDelta);
    else if (this.isResident)
      this.shared = sharedHashes(
        this.hashStart.data,
        this.rowCount,
        this.hashLow.data,
        this.hashHigh.data,
        this.hashLow.length,
      );
  }

  /** Appends the row just read; `when` is the start of a new session or the delay of a turn. */
  append(offset: number, inputTokens: number, when: number, previous: number): void {
    const { row } = this;
    const index = this.rowCount;
    // Rows of deltas count their hash ids in another way.
    if (row.inputTokens !== undefined && row.hashCount > 0 && !this.options.isDelta)
      this.fit.add(row.inputTokens, row.hashCount);
    this.inputTokens.push(inputTokens);
    this.outputTokens.push(row.outputTokens!);
    this.next.push(-1);
    this.whenMs.push(when);
    this.fileOffset.push(offset);
    if (previous >= 0) {
      this.next.data[previous] = index;
      this.hasTurns = true;
    } else {
      this.sessionRow.push(index);
      this.sessionCount++;
    }
    if (row.priority !== 0 || row.strictPriority !== 0 || row.policyClass !== undefined)
      this.priorities.set(index, {
        priority: row.priority,
        strict: row.strictPriority,
        policy: row.policyClass,
      });
    if (row.plannedOutput) this.authored.set(index, Uint32Array.from(row.plannedOutput));
    if (this.isResident) this.keepHashes();
  }

  private keepHashes(): void {
    const { row, hashLow, hashHigh } = this;
    this.hashStart.push(hashLow.length);
    hashLow.growTo(hashLow.length + row.hashCount);
    hashHigh.growTo(hashHigh.length + row.hashCount);
    hashLow.data.set(row.hashLow.subarray(0, row.hashCount), hashLow.length);
    hashHigh.data.set(row.hashHigh.subarray(0, row.hashCount), hashHigh.length);
    hashLow.length += row.hashCount;
    hashHigh.length += row.hashCount;
    if (hashLow.length <= MAX_RESIDENT_HASHES) return;
    this.isResident = false;
    this.hashLow = wordColumn();
    this.hashHigh = wordColumn();
  }

  noteBlankLine(): void {
    this.blankLines.push(this.rowCount);
  }

  /** 1-based line of a row. */
  lineOf(row: number): number {
    return row + 1 + this.blankLines.filter((before) => before <= row).length;
  }

  private fail(row: number, problem: string): never {
    throw new InputError(`${this.file.path}:${this.lineOf(row)}: ${problem}`);
  }

  private settleTimes(): void {
    const speedup = this.options.arrivalSpeedup;
    if (speedup === undefined) return;
    const { data } = this.whenMs;
    let first = Number.POSITIVE_INFINITY;
    for (let s = 0; s < this.sessionCount; s++) {
      const row = this.sessionRow.data[s];
      if (Number.isNaN(data[row]))
        this.fail(row, 'timestamp: missing on the first row of a session (open loop needs it)');
      first = Math.min(first, data[row]);
    }
    for (let s = 0; s < this.sessionCount; s++) data[this.sessionRow.data[s]] -= first;
    for (let row = 0; row < this.rowCount; row++) data[row] /= speedup;
  }

  private validate(): void {
    for (let s = 0; s < this.sessionCount; s++) {
      const first = this.sessionRow.data[s];
      const start = this.whenMs.data[first];
      if (start < 0 || start === Number.POSITIVE_INFINITY)
        this.fail(first, `timestamp: must be finite and not negative, found ${start}`);
      for (let row = first; row >= 0; row = this.next.data[row]) {
        if (this.inputTokens.data[row] === 0)
          this.fail(row, 'input_length: must be positive (0, or an empty hash_ids list)');
        if (row !== first && !Number.isFinite(this.whenMs.data[row]))
          this.fail(row, `delay: must be finite and not negative, found ${this.whenMs.data[row]}`);
      }
    }
  }

  private buildPrompts(isDelta: boolean): PromptTokens {
    const prompts = new PromptTokens(this.hashBlockTokens, isDelta);
    for (let row = 0; row < this.rowCount; row++) {
      const { low, high, start, count } = this.hashesOf(row);
      prompts.intern(low, high, start, count);
    }
    let word = 0;
    for (let s = 0; s < this.sessionCount; s++)
      for (let row = this.sessionRow.data[s]; row >= 0; row = this.next.data[row]) {
        const authored = this.authored.get(row);
        prompts.plan(row, authored, word);
        if (!authored) word += this.outputTokens.data[row];
      }
    return prompts;
  }

  private hashesOf(row: number): { low: Uint32Array; high: Uint32Array; start: number; count: number } {
    if (this.isResident) {
      const start = this.hashStart.data[row];
      const end = row + 1 < this.rowCount ? this.hashStart.data[row + 1] : this.hashLow.length;
      return { low: this.hashLow.data, high: this.hashHigh.data, start, count: end - start };
    }
    this.file.readAt(this.fileOffset.data[row]);
    this.row.read(this.file, this.lineOf(row));
    return { low: this.row.hashLow, high: this.row.hashHigh, start: 0, count: this.row.hashCount };
  }

  firstRow(session: number): number {
    return this.sessionRow.data[session];
  }

  nextRow(row: number): number {
    return this.next.data[row];
  }

  startMs(session: number): number {
    return this.whenMs.data[this.sessionRow.data[session]];
  }

  delayMs(row: number): number {
    return this.whenMs.data[row];
  }

  fill(row: number, draft: RequestDraft): void {
    draft.inputTokens = this.inputTokens.data[row];
    draft.outputTokens = this.outputTokens.data[row];
    const { low, high, start, count } = this.hashesOf(row);
    const needed = Math.min(count, Math.ceil(draft.inputTokens / this.hashBlockTokens));
    if (this.prompts) this.prompts.fill(draft, low, high, start, needed);
    else {
      draft.reserveHashes(needed);
      draft.hashCount = needed;
      draft.sharedHashes = this.shared?.[row] ?? needed;
      for (let i = 0; i < needed; i++) {
        draft.hashLow[i] = low[start + i];
        draft.hashHigh[i] = high[start + i];
      }
    }
    const priority = this.priorities.get(row);
    draft.priority = priority?.priority ?? 0;
    draft.strictPriority = priority?.strict ?? 0;
    draft.policyClass = priority?.policy;
  }

  ended(row: number, _rejected: boolean, emittedTokens: number): void {
    this.prompts?.ended(row, this.next.data[row], emittedTokens);
  }

  sessionName(session: number): string | null {
    const row = this.sessionRow.data[session];
    this.file.readAt(this.fileOffset.data[row]);
    this.row.read(this.file, this.lineOf(row));
    return this.row.sessionId ?? `request_${this.lineOf(row)}`;
  }
}

/** The first reading of the file: checks each row in the reference's order and links the turns of a session. */
class MooncakeScan {
  private readonly ids = new SessionIds();
  private readonly lastRow = intColumn();
  private readonly lastTimestampMs = floatColumn();
  private hasNames = false;
  private line = 0;

  constructor(
    private readonly file: TextFile,
    private readonly row: MooncakeRow,
    private readonly table: MooncakeTable,
  ) {}

  run(): void {
    while (this.file.next()) {
      this.line++;
      if (this.file.isBlank()) this.table.noteBlankLine();
      else {
        const { offset } = this.file;
        this.row.read(this.file, this.line);
        this.take(offset);
      }
    }
  }

  private fail(problem: string): never {
    throw new InputError(`${this.file.path}:${this.line}: ${problem}`);
  }

  private take(offset: number): void {
    const { row, table } = this;
    if (row.hashCount < 0) this.fail('hash_ids: missing');
    const capacity = row.hashCount * table.hashBlockTokens;
    if (table.options.needsAllHashes && row.inputTokens !== undefined && row.inputTokens > capacity)
      this.fail(`input_length: ${row.inputTokens} is more than the ${capacity} tokens of its hash_ids`);
    const inputTokens = Math.min(row.inputTokens ?? capacity, capacity);
    if (inputTokens > MAX_TOKENS)
      this.fail(`input_length: at most ${MAX_TOKENS} tokens, found ${inputTokens}`);
    if (row.outputTokens === undefined) this.fail('output_length: missing');
    if (row.plannedOutput && row.plannedOutput.length !== row.outputTokens)
      this.fail(
        `output_length: ${row.outputTokens} does not match ${row.plannedOutput.length} output_token_ids`,
      );
    const session = this.sessionIndex();
    if (session === table.sessionCount) this.startSession(offset, inputTokens);
    else this.continueSession(session, offset, inputTokens);
  }

  private startSession(offset: number, inputTokens: number): void {
    const { row, table } = this;
    if (row.delayMs !== undefined && row.delayMs !== 0)
      this.fail(`delay: must be 0 or left out on the first row of a session, found ${row.delayMs}`);
    this.lastRow.push(table.rowCount);
    this.lastTimestampMs.push(row.timestampMs ?? Number.NaN);
    table.append(offset, inputTokens, row.timestampMs ?? Number.NaN, -1);
  }

  private continueSession(session: number, offset: number, inputTokens: number): void {
    const { row, table } = this;
    const last = this.lastTimestampMs.data[session];
    let delay = row.delayMs;
    if (delay === undefined && row.timestampMs !== undefined) {
      if (Number.isNaN(last))
        this.fail('timestamp: the delay cannot be inferred, as no earlier turn has a timestamp');
      delay = row.timestampMs - last;
    }
    delay ??= 0;
    if (!(delay >= 0 && Number.isFinite(delay)))
      this.fail(
        `${row.delayMs === undefined ? 'timestamp: the inferred delay' : 'delay:'} must be finite and not negative, found ${delay}`,
      );
    const previous = this.lastRow.data[session];
    this.lastRow.data[session] = table.rowCount;
    if (row.timestampMs !== undefined) this.lastTimestampMs.data[session] = row.timestampMs;
    table.append(offset, inputTokens, delay, previous);
  }

  /** The session of the current row; equal to the session count when the row begins a new one. */
  private sessionIndex(): number {
    const { row, table } = this;
    if (row.sessionId === undefined) {
      if (!this.hasNames) return table.sessionCount;
      return this.ids.intern(`request_${this.line}`, table.sessionCount);
    }
    if (!this.hasNames) {
      this.hasNames = true;
      for (let r = 0; r < table.rowCount; r++) this.ids.intern(`request_${table.lineOf(r)}`, r);
    }
    return this.ids.intern(row.sessionId, table.sessionCount);
  }
}

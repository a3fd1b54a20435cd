import { isUtf8 } from 'node:buffer';
import { InputError } from '../config/input-error.js';
import { JsonCursor, JsonSyntaxError } from '../config/json.js';
import type { TextFile } from './text-file.js';

const MAX_TOKENS = 2147483647;
const MAX_U32 = 4294967295;

/** Names of one row that set the same field; the second is the other accepted spelling. */
const ALIASES: Record<string, string> = {
  input_tokens: 'input_length',
  output_tokens: 'output_length',
  created_time: 'timestamp',
  delay_ms: 'delay',
};

/** Which fields beside those of Mooncake a row has: those of agents, in one of two versions. */
type RowKind = 'plain' | 'agentic' | 'agentic-2';

const TRIGGERS = ['completion', 'dispatch'];
const RELATIONS = ['sequence', 'spawn', 'join', 'replay_barrier'];

/** What a request of an agent waits for. */
export interface RowDependency {
  requestId: string;
  /** Whether it waits for that request to start, rather than to end. */
  onDispatch: boolean;
  /** Wait after that. */
  delayMs: number;
}

/** The fields of one Mooncake row (and of its agentic forms); undefined where missing or null. */
export class MooncakeRow {
  requestId: string | undefined;
  sessionId: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  plannedOutput: number[] | undefined;
  timestampMs: number | undefined;
  delayMs: number | undefined;
  toolWaitMs = 0;
  waitFor: string[] = [];
  dependencies: RowDependency[] = [];
  playId: string | undefined;
  notBeforeMs: number | undefined;
  priority = 0;
  strictPriority = 0;
  policyClass: string | undefined;
  /** -1 when the row has no hash ids. */
  hashCount = -1;
  hashLow: Uint32Array = new Uint32Array(64);
  hashHigh: Uint32Array = new Uint32Array(64);

  private readonly cursor = new JsonCursor();
  private readonly seen = new Set<string>();
  private field = '';

  constructor(private readonly kind: RowKind) {}

  /** Reads the row at the file's current line. @throws {InputError} naming file, line and field */
  read(file: TextFile, line: number): void {
    try {
      this.field = '';
      if (!isUtf8(file.bytes.subarray(file.start, file.end))) throw new InputError('the text is not UTF-8');
      this.cursor.reset(file.bytes, file.start, file.end);
      this.readObject();
      this.cursor.expectEnd();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const column = error instanceof JsonSyntaxError ? ` (column ${error.offset - file.start + 1})` : '';
      throw new InputError(
        `${file.path}:${line}: ${this.field && `${this.field}: `}${error.message}${column}`,
      );
    }
  }

  private clear(): void {
    this.requestId = undefined;
    this.sessionId = undefined;
    this.inputTokens = undefined;
    this.outputTokens = undefined;
    this.plannedOutput = undefined;
    this.timestampMs = undefined;
    this.delayMs = undefined;
    this.toolWaitMs = 0;
    this.waitFor = [];
    this.dependencies = [];
    this.playId = undefined;
    this.notBeforeMs = undefined;
    this.priority = 0;
    this.strictPriority = 0;
    this.policyClass = undefined;
    this.hashCount = -1;
  }

  private readObject(): void {
    this.clear();
    const { cursor, seen } = this;
    seen.clear();
    if (!cursor.enterObject()) return;
    do {
      this.field = '';
      const key = cursor.readKey();
      this.field = key;
      const name = ALIASES[key] ?? key;
      if (seen.has(name))
        throw new InputError(name === key ? 'given twice' : `given twice (also as ${name})`);
      seen.add(name);
      if (!cursor.readNull()) this.readField(name);
    } while (cursor.nextKey());
    this.field = '';
  }

  private readField(name: string): void {
    const { cursor } = this;
    switch (name) {
      case 'timestamp':
        this.timestampMs = cursor.readFloat();
        return;
      case 'input_length':
        this.inputTokens = cursor.readInteger(0, Number.MAX_SAFE_INTEGER);
        return;
      case 'output_length':
        this.outputTokens = cursor.readInteger(0, MAX_TOKENS);
        return;
      case 'hash_ids':
        this.readHashes();
        return;
      case 'session_id':
        this.sessionId = cursor.readString();
        return;
      case 'delay':
        this.delayMs = cursor.readFloat();
        return;
      case 'request_id':
        this.requestId = cursor.readString();
        return;
      case 'output_token_ids':
        this.plannedOutput = this.readList(() => cursor.readInteger(0, MAX_U32));
        return;
      case 'priority':
        this.priority = cursor.readInteger(-2147483648, 2147483647);
        return;
      case 'strict_priority':
        this.strictPriority = cursor.readInteger(0, MAX_U32);
        return;
      case 'policy_class':
        this.policyClass = cursor.readString();
        return;
      default:
        if (this.kind === 'agentic' && this.readAgenticField(name)) return;
        if (this.kind === 'agentic-2' && this.readLinkedField(name)) return;
        cursor.readValue();
    }
  }

  private readAgenticField(name: string): boolean {
    const { cursor } = this;
    switch (name) {
      case 'wait_for':
        this.waitFor = this.readList(() => cursor.readString());
        return true;
      case 'tool_wait_ms':
        this.toolWaitMs = cursor.readFloat();
        return true;
      default:
        return false;
    }
  }

  private readLinkedField(name: string): boolean {
    const { cursor } = this;
    switch (name) {
      case 'play_id':
        this.playId = cursor.readString();
        return true;
      case 'not_before_ms':
        this.notBeforeMs = cursor.readFloat();
        return true;
      case 'dependencies':
        this.dependencies = this.readList(() => this.readDependency());
        return true;
      default:
        return false;
    }
  }

  private readDependency(): RowDependency {
    const { cursor } = this;
    let requestId: string | undefined;
    const dependency = { onDispatch: false, delayMs: 0 };
    if (cursor.enterObject())
      do {
        const key = cursor.readKey();
        if (cursor.readNull()) continue;
        if (key === 'request_id') requestId = cursor.readString();
        else if (key === 'trigger') dependency.onDispatch = this.readChoice(key, TRIGGERS) === 'dispatch';
        else if (key === 'relation') this.readChoice(key, RELATIONS);
        else if (key === 'delay_ms') dependency.delayMs = cursor.readFloat();
        else cursor.readValue();
      } while (cursor.nextKey());
    if (requestId === undefined) throw new InputError('request_id: missing');
    const { delayMs } = dependency;
    if (!(delayMs >= 0 && Number.isFinite(delayMs)))
      throw new InputError(`delay_ms: must be finite and not negative, found ${delayMs}`);
    return { requestId, ...dependency };
  }

  private readChoice(key: string, choices: readonly string[]): string {
    const found = this.cursor.readString();
    if (!choices.includes(found))
      throw new InputError(`${key}: found ${JSON.stringify(found)}, allowed are ${choices.join(', ')}`);
    return found;
  }

  private readList<T>(read: () => T): T[] {
    const list: T[] = [];
    if (this.cursor.enterArray())
      do list.push(read());
      while (this.cursor.nextElement());
    return list;
  }

  private readHashes(): void {
    const { cursor } = this;
    let count = 0;
    if (cursor.enterArray())
      do {
        cursor.readU64();
        if (count === this.hashLow.length) this.growHashes();
        this.hashLow[count] = cursor.low;
        this.hashHigh[count] = cursor.high;
        count++;
      } while (cursor.nextElement());
    this.hashCount = count;
  }

  private growHashes(): void {
    const low = new Uint32Array(this.hashLow.length * 2);
    const high = new Uint32Array(this.hashHigh.length * 2);
    low.set(this.hashLow);
    high.set(this.hashHigh);
    this.hashLow = low;
    this.hashHigh = high;
  }
}

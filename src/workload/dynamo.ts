import { InputError } from '../config/input-error.js';
import { describeJson, JsonCursor, JsonNumber, type JsonObject, type JsonValue } from '../config/json.js';
import type { AgenticRequest } from './agentic.js';
import { type DynamoRequest, type DynamoTool, linkDynamoRequests } from './dynamo-graph.js';
import type { SessionTable } from './sessions.js';
import type { RequestDraft } from './source.js';
import type { TextFile } from './text-file.js';

const SCHEMA = 'dynamo.request.trace.v1';
const EVENT_TYPES = ['request_end', 'tool_start', 'tool_end', 'tool_error', 'request_payload'];

export type DynamoTrace =
  | { kind: 'standard'; table: DynamoTable }
  | { kind: 'agentic'; requests: AgenticRequest[]; blockTokens: number };

export interface DynamoOptions {
  /** Must equal the block size in the trace, when given. */
  hashBlockTokens: number | undefined;
  /** undefined in closed loop. */
  arrivalSpeedup: number | undefined;
  /** Whether objects that are no records are passed over, and tools may end before they begin. */
  isLenient: boolean;
}

/** Reads `dynamo` request traces, several files as one. @throws {InputError} for the first problem */
export function readDynamoTrace(files: TextFile[], options: DynamoOptions): DynamoTrace {
  const { requests, tools } = new DynamoReader(options.isLenient).read(files);
  const name = files[0].path;
  if (requests.length === 0)
    throw new InputError(`${name}: no request_end record with replay fields in the trace`);
  const [{ blockTokens }] = requests;
  for (const request of requests)
    if (request.blockTokens !== blockTokens)
      throw new InputError(
        `${name}: request ${request.id}: trace_block_size ${request.blockTokens} differs from ${blockTokens} of earlier requests`,
      );
  requests.sort(
    (a, b) => a.startMs - b.startMs || a.endMs - b.endMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
  const inSession = requests.filter((request) => request.sessionId !== undefined).length;
  if (inSession > 0 && inSession < requests.length)
    throw new InputError(`${name}: requests with and without agent_context cannot be mixed`);
  const agentic = inSession > 0 ? linkDynamoRequests(requests, tools, name) : undefined;
  const wanted = options.hashBlockTokens;
  if (wanted !== undefined && wanted !== blockTokens)
    throw new InputError(
      `${name}: --trace-block-size ${wanted} does not match trace_block_size ${blockTokens} of the trace`,
    );
  if (agentic) return { kind: 'agentic', requests: agentic, blockTokens };
  return { kind: 'standard', table: new DynamoTable(requests, blockTokens, options.arrivalSpeedup, name) };
}

class DynamoReader {
  private readonly requests: DynamoRequest[] = [];
  private readonly tools: DynamoTool[] = [];
  private readonly ids = new Set<string>();
  private readonly cursor = new JsonCursor();
  private where = '';

  constructor(private readonly isLenient: boolean) {}

  read(files: TextFile[]): { requests: DynamoRequest[]; tools: DynamoTool[] } {
    for (const file of files)
      for (let line = 1; file.next(); line++) {
        if (file.isBlank()) continue;
        this.where = `${file.path}:${line}`;
        this.readLine(file);
      }
    return { requests: this.requests, tools: this.tools };
  }

  private fail(problem: string): never {
    throw new InputError(`${this.where}: ${problem}`);
  }

  private readLine(file: TextFile): void {
    let value: JsonValue;
    try {
      this.cursor.reset(file.bytes, file.start, file.end);
      value = this.cursor.readValue();
      this.cursor.expectEnd();
    } catch (error) {
      throw error instanceof InputError ? new InputError(`${this.where}: ${error.message}`) : error;
    }
    if (!(value instanceof Map)) return;
    const record = value.has('event') ? value.get('event') : value;
    if (!(record instanceof Map)) {
      if (this.isLenient) return;
      this.fail(`event: expected a record, found ${describeJson(record ?? null)}`);
    }
    if (record.get('event_type') === 'request_payload') return;
    this.readRecord(record);
  }

  private readRecord(record: JsonObject): void {
    if (record.get('schema') !== SCHEMA)
      this.fail(`schema: expected "${SCHEMA}", found ${describeJson(record.get('schema') ?? null)}`);
    const type = record.get('event_type');
    if (typeof type !== 'string' || !EVENT_TYPES.includes(type))
      this.fail(`event_type: found ${describeJson(type ?? null)}, allowed are ${EVENT_TYPES.join(', ')}`);
    const eventMs = this.integer(record, 'event_time_unix_ms');
    if (eventMs === undefined) this.fail('event_time_unix_ms: missing');
    const context = this.object(record, 'agent_context');
    if (type === 'request_end') this.readRequest(record, context, eventMs!);
    else if ((type === 'tool_end' || type === 'tool_error') && context)
      this.readTool(record, context, eventMs!);
  }

  private readRequest(record: JsonObject, context: JsonObject | undefined, eventMs: number): void {
    const request = this.object(record, 'request') ?? this.fail('request: missing on a request_end record');
    const replay = this.object(request, 'replay') ?? this.fail('request.replay: missing');
    const id = this.text(request, 'request_id') ?? this.fail('request.request_id: missing');
    if (this.ids.has(id))
      this.fail(`request.request_id: ${JSON.stringify(id)} is given to an earlier record already`);
    const blockTokens =
      this.integer(replay, 'trace_block_size') ?? this.fail('request.replay.trace_block_size: missing');
    const inputTokens =
      this.integer(replay, 'input_length') ?? this.fail('request.replay.input_length: missing');
    if (blockTokens === 0) this.fail('request.replay.trace_block_size: must be positive');
    const hashes = this.list(replay, 'input_sequence_hashes');
    if (hashes.length !== Math.ceil(inputTokens / blockTokens))
      this.fail(
        `request.replay.input_sequence_hashes: ${hashes.length} hashes for ${inputTokens} tokens in blocks of ${blockTokens}, expected ${Math.ceil(inputTokens / blockTokens)}`,
      );
    const outputTokens =
      this.integer(request, 'output_tokens') ?? this.fail('request.output_tokens: missing');
    const startMs =
      this.integer(request, 'request_received_ms') ?? this.fail('request.request_received_ms: missing');
    const totalMs = this.float(request, 'total_time_ms');
    const lastsMs = totalMs === undefined ? Math.max(0, eventMs - startMs) : Math.round(Math.max(0, totalMs));
    this.ids.add(id);
    const [hashLow, hashHigh] = this.splitHashes(hashes);
    this.requests.push({
      id,
      sessionId:
        context && (this.text(context, 'session_id') ?? this.fail('agent_context.session_id: missing')),
      parentSessionId: context && this.text(context, 'parent_session_id'),
      startMs,
      endMs: startMs + lastsMs,
      inputTokens,
      outputTokens,
      blockTokens,
      hashLow,
      hashHigh,
    });
  }

  private splitHashes(hashes: JsonValue[]): [Uint32Array, Uint32Array] {
    const low = new Uint32Array(hashes.length);
    const high = new Uint32Array(hashes.length);
    hashes.forEach((hash, index) => {
      if (!(hash instanceof JsonNumber) || !/^\d+$/.test(hash.text) || BigInt(hash.text) >> 64n)
        this.fail(
          `request.replay.input_sequence_hashes: expected unsigned 64-bit integers, found ${describeJson(hash)}`,
        );
      const exact = BigInt((hash as JsonNumber).text);
      low[index] = Number(exact & 0xffffffffn);
      high[index] = Number(exact >> 32n);
    });
    return [low, high];
  }

  private readTool(record: JsonObject, context: JsonObject, eventMs: number): void {
    const tool = this.object(record, 'tool');
    const sessionId = this.text(context, 'session_id');
    if (!tool || sessionId === undefined) return;
    const endMs = this.integer(tool, 'ended_at_unix_ms') ?? eventMs;
    const lastsMs = this.float(tool, 'duration_ms');
    const startMs =
      this.integer(tool, 'started_at_unix_ms') ??
      (lastsMs === undefined ? endMs : endMs - Math.round(Math.max(0, lastsMs)));
    if (endMs < startMs && !this.isLenient)
      this.fail(`tool.ended_at_unix_ms: ${endMs} lies before its start at ${startMs}`);
    const claude = this.object(tool, 'claude');
    this.tools.push({
      id: this.text(tool, 'tool_call_id') ?? this.fail('tool.tool_call_id: missing'),
      sessionId,
      startMs,
      endMs,
      sourceRequestId: claude && this.text(claude, 'source_request_id'),
      consumerRequestId: claude && this.text(claude, 'consumer_request_id'),
      childSessionId: claude && this.text(claude, 'child_session_id'),
      executionMode: claude && (this.text(claude, 'execution_mode') ?? ''),
    });
  }

  private object(parent: JsonObject, name: string): JsonObject | undefined {
    const value = parent.get(name) ?? null;
    if (value === null) return undefined;
    return value instanceof Map
      ? value
      : this.fail(`${name}: expected an object, found ${describeJson(value)}`);
  }

  private list(parent: JsonObject, name: string): JsonValue[] {
    const value = parent.get(name) ?? null;
    return Array.isArray(value) ? value : this.fail(`${name}: expected a list, found ${describeJson(value)}`);
  }

  private text(parent: JsonObject, name: string): string | undefined {
    const value = parent.get(name) ?? null;
    if (value === null) return undefined;
    return typeof value === 'string'
      ? value
      : this.fail(`${name}: expected a string, found ${describeJson(value)}`);
  }

  private float(parent: JsonObject, name: string): number | undefined {
    const value = parent.get(name) ?? null;
    if (value === null) return undefined;
    return value instanceof JsonNumber
      ? value.value
      : this.fail(`${name}: expected a number, found ${describeJson(value)}`);
  }

  private integer(parent: JsonObject, name: string): number | undefined {
    const value = parent.get(name) ?? null;
    if (value === null) return undefined;
    if (value instanceof JsonNumber && /^\d+$/.test(value.text)) return value.value;
    return this.fail(`${name}: expected an unsigned integer, found ${describeJson(value)}`);
  }
}

/** A Dynamo trace without agent contexts: every request is a session of one turn, in start order. */
class DynamoTable implements SessionTable {
  readonly sessionCount: number;
  readonly rowCount: number;
  readonly hasTokens = false;
  readonly hasTurns = false;

  constructor(
    private readonly requests: DynamoRequest[],
    readonly hashBlockTokens: number,
    private readonly arrivalSpeedup: number | undefined,
    name: string,
  ) {
    this.sessionCount = requests.length;
    this.rowCount = requests.length;
    for (const request of requests)
      if (request.inputTokens === 0)
        throw new InputError(`${name}: request ${request.id}: input_length must be positive`);
  }

  firstRow(session: number): number {
    return session;
  }

  nextRow(): number {
    return -1;
  }

  startMs(session: number): number {
    return (this.requests[session].startMs - this.requests[0].startMs) / (this.arrivalSpeedup ?? 1);
  }

  delayMs(): number {
    return 0;
  }

  fill(row: number, draft: RequestDraft): void {
    const request = this.requests[row];
    draft.inputTokens = request.inputTokens;
    draft.outputTokens = request.outputTokens;
    draft.hashCount = request.hashLow.length;
    draft.reserveHashes(draft.hashCount);
    draft.hashLow.set(request.hashLow);
    draft.hashHigh.set(request.hashHigh);
  }

  sessionName(session: number): string {
    return `request_${session + 1}`;
  }
}

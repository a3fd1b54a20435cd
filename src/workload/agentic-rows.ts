import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue, parseJson } from '../config/json.js';
import type { AgenticRequest } from './agentic.js';
import { MooncakeRow } from './mooncake-row.js';
import type { TextFile } from './text-file.js';

/** What the header of a trace of agents says, of those that have one. */
const SCHEMA = 'dynamo.agentic_mooncake';
const VERSION = 2;

interface AgenticTrace {
  requests: AgenticRequest[];
  hashBlockTokens: number;
}

interface Reading {
  file: TextFile;
  hashBlockTokens: number;
  ids: Set<string>;
  fail(line: number, problem: string): never;
}

/**
 * Reads `agentic_mooncake` rows of either version; the second begins with a header.
 * @param hashBlockTokens tokens of a hash id; undefined for what the header says, or 512
 * @throws {InputError} for the first bad row
 */
export function readAgenticRows(file: TextFile, hashBlockTokens: number | undefined): AgenticTrace {
  const fail = (line: number, problem: string): never => {
    throw new InputError(`${file.path}:${line}: ${problem}`);
  };
  const header = readHeader(file, fail);
  if (header && hashBlockTokens !== undefined && hashBlockTokens !== header.blockTokens)
    fail(
      header.line,
      `block_size: ${header.blockTokens} is not the block size that was given, ${hashBlockTokens}`,
    );
  const reading = {
    file,
    hashBlockTokens: header?.blockTokens ?? hashBlockTokens ?? 512,
    ids: new Set<string>(),
    fail,
  };
  const requests = header ? readLinked(reading, header) : readFlat(reading);
  if (requests.length === 0) throw new InputError(`${file.path}: the trace holds no request`);
  return { requests, hashBlockTokens: reading.hashBlockTokens };
}

interface Header {
  line: number;
  blockTokens: number;
  /** Whether hash ids mean the same in all plays. */
  isGlobal: boolean;
}

/** The header, with the file at the row behind it; undefined where there is none, with the file at its beginning. */
function readHeader(file: TextFile, fail: Reading['fail']): Header | undefined {
  let line = 1;
  let more = file.readAt(0);
  while (more && file.isBlank()) {
    more = file.next();
    line++;
  }
  const text = more ? file.bytes.toString('utf8', file.start, file.end) : '';
  const header = text.includes(SCHEMA) ? objectOf(text) : undefined;
  if (header?.get('schema') !== SCHEMA) {
    file.rewind();
    return undefined;
  }
  const number = (name: string) => {
    const value = header.get(name);
    return value instanceof JsonNumber ? value.value : Number.NaN;
  };
  if (number('version') !== VERSION)
    fail(line, `version: expected ${VERSION}, found ${shown(header.get('version'))}`);
  const blockTokens = number('block_size');
  if (!(Number.isInteger(blockTokens) && blockTokens > 0))
    fail(line, `block_size: expected a number of tokens, found ${shown(header.get('block_size'))}`);
  const scope = header.get('hash_id_scope') ?? 'local';
  if (scope !== 'local' && scope !== 'global')
    fail(line, `hash_id_scope: expected local or global, found ${shown(scope)}`);
  return { line, blockTokens, isGlobal: scope === 'global' };
}

function objectOf(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return value instanceof Map ? value : undefined;
  } catch {
    return undefined;
  }
}

function shown(value: JsonValue | undefined): string {
  if (value instanceof JsonNumber) return value.text;
  return typeof value === 'string'
    ? JSON.stringify(value)
    : value === undefined
      ? 'nothing'
      : 'another value';
}

// ---- Version 1 -------------------------------------------------------------------------------------------------

function readFlat({ file, hashBlockTokens, ids, fail }: Reading): AgenticRequest[] {
  const row = new MooncakeRow('agentic');
  const requests: AgenticRequest[] = [];
  for (let line = 1; file.next(); line++) {
    if (file.isBlank()) continue;
    row.read(file, line);
    const delayMs = (row.delayMs ?? 0) + row.toolWaitMs;
    const request = {
      ...toRequest(row, hashBlockTokens, ids, (problem) => fail(line, problem)),
      dependencies: row.waitFor.map((requestId) => ({ requestId, onDispatch: false, delayMs })),
      waitsForTime: false,
    };
    if (!(delayMs >= 0 && Number.isFinite(delayMs)))
      fail(line, `delay: with tool_wait_ms must be finite and not negative, found ${delayMs}`);
    const timestampMs = row.timestampMs ?? 0;
    if (timestampMs < 0) fail(line, `timestamp: must be finite and not negative, found ${timestampMs}`);
    requests.push({ ...request, timestampMs: row.timestampMs ?? Number.NaN });
  }
  return requests;
}

type Shared = Omit<AgenticRequest, 'dependencies' | 'timestampMs' | 'waitsForTime'>;

/** What both versions say of a request. */
function toRequest(
  row: MooncakeRow,
  hashBlockTokens: number,
  ids: Set<string>,
  fail: (problem: string) => never,
): Shared {
  const { requestId } = row;
  if (requestId === undefined) return fail('request_id: missing');
  if (requestId.trim() === '') fail('request_id: must not be blank');
  if (ids.has(requestId)) fail(`request_id: ${JSON.stringify(requestId)} is given to an earlier row already`);
  ids.add(requestId);
  if (row.hashCount < 0) fail('hash_ids: missing');
  const capacity = row.hashCount * hashBlockTokens;
  const inputTokens = row.inputTokens ?? capacity;
  if (inputTokens > capacity)
    fail(
      `input_length: ${inputTokens} is more than the ${capacity} tokens of ${row.hashCount} hash_ids (block size ${hashBlockTokens})`,
    );
  if (row.outputTokens === undefined) return fail('output_length: missing');
  if (row.plannedOutput && row.plannedOutput.length !== row.outputTokens)
    fail(`output_length: ${row.outputTokens} does not match ${row.plannedOutput.length} output_token_ids`);
  return {
    id: requestId,
    sessionName: row.sessionId ?? null,
    inputTokens,
    outputTokens: row.outputTokens,
    hashLow: row.hashLow.slice(0, row.hashCount),
    hashHigh: row.hashHigh.slice(0, row.hashCount),
    plannedOutput: row.plannedOutput && Uint32Array.from(row.plannedOutput),
    priority: row.priority,
    strictPriority: row.strictPriority,
    policyClass: row.policyClass,
  };
}

// ---- Version 2 -------------------------------------------------------------------------------------------------

function readLinked({ file, hashBlockTokens, ids, fail }: Reading, header: Header): AgenticRequest[] {
  const row = new MooncakeRow('agentic-2');
  const requests: AgenticRequest[] = [];
  const plays = new Plays();
  for (let line = header.line + 1; file.next(); line++) {
    if (file.isBlank()) continue;
    row.read(file, line);
    if (row.playId === undefined) fail(line, 'play_id: missing');
    const notBeforeMs = row.notBeforeMs ?? 0;
    if (!(notBeforeMs >= 0 && Number.isFinite(notBeforeMs)))
      fail(line, `not_before_ms: must be finite and not negative, found ${notBeforeMs}`);
    const request = toRequest(row, hashBlockTokens, ids, (problem) => fail(line, problem));
    if (!header.isGlobal) plays.rename(row.playId!, request);
    requests.push({
      ...request,
      dependencies: row.dependencies,
      timestampMs: row.notBeforeMs ?? Number.NaN,
      waitsForTime: row.notBeforeMs !== undefined,
    });
  }
  return requests;
}

/** Numbers for hash ids that hold within a play. */
class Plays {
  private next = 0;
  private readonly numbers = new Map<string, Map<bigint, number>>();

  rename(play: string, { hashLow, hashHigh }: Shared): void {
    let known = this.numbers.get(play);
    if (!known) {
      known = new Map();
      this.numbers.set(play, known);
    }
    for (let i = 0; i < hashLow.length; i++) {
      const id = (BigInt(hashHigh[i]) << 32n) | BigInt(hashLow[i]);
      let number = known.get(id);
      if (number === undefined) {
        number = this.next++;
        known.set(id, number);
      }
      hashLow[i] = number;
      hashHigh[i] = 0;
    }
  }
}

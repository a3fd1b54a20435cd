import { InputError } from '../config/input-error.js';
import { JsonCursor, JsonSyntaxError } from '../config/json.js';
import { floatColumn, intColumn } from '../structures/column.js';
import type { SessionTable } from './sessions.js';
import type { RequestDraft } from './source.js';
import type { TextFile } from './text-file.js';

/** High half of the identity of a prefix block that a group of sessions shares. */
const GROUP_IDENTITY = 0xa63e0000;
const MAX_TOKENS = 2147483647;

export interface AppliedComputeOptions {
  hashBlockTokens: number;
  sharedPrefixRatio: number;
  prefixGroups: number;
}

interface Row {
  num_turns: number;
  input_prompt_length: number;
  assistant_response_length: number[];
  tool_call_output_length: number[];
  tool_call_latency: number[];
  final_assistant_response_length: number;
}

const UINTS = ['num_turns', 'input_prompt_length', 'final_assistant_response_length'] as const;
const UINT_LISTS = ['assistant_response_length', 'tool_call_output_length'] as const;
const LISTS = [...UINT_LISTS, 'tool_call_latency'] as const;

/**
 * `applied_compute_agentic` traces: each row is a session whose context grows by response and tool output, turn by
 * turn, after a tool latency.
 */
export class AppliedComputeTable implements SessionTable {
  readonly hashBlockTokens: number;
  readonly hasTokens = false;
  readonly hasTurns = true;
  private readonly inputTokens = intColumn();
  private readonly outputTokens = intColumn();
  private readonly latencyMs = floatColumn();
  private readonly rowSession = intColumn();
  private readonly sessionRow = intColumn();
  private readonly sharedBlocks = intColumn();
  private readonly line = intColumn();

  /** @throws {InputError} for the first bad row, with file, line and field */
  constructor(
    file: TextFile,
    private readonly options: AppliedComputeOptions,
  ) {
    this.hashBlockTokens = options.hashBlockTokens;
    for (let line = 1; file.next(); line++) if (!file.isBlank()) this.append(readRow(file, line), line);
    if (this.sessionCount === 0) throw new InputError(`${file.path}: the trace holds no session`);
  }

  get sessionCount(): number {
    return this.sessionRow.length;
  }

  get rowCount(): number {
    return this.inputTokens.length;
  }

  private append(row: Row, line: number): void {
    const session = this.sessionCount;
    const { sharedPrefixRatio, prefixGroups } = this.options;
    const promptBlocks = Math.ceil(row.input_prompt_length / this.hashBlockTokens);
    const isShared = sharedPrefixRatio > 0 && prefixGroups > 0;
    this.sessionRow.push(this.rowCount);
    this.sharedBlocks.push(isShared ? Math.round(promptBlocks * sharedPrefixRatio) : 0);
    this.line.push(line);
    let context = row.input_prompt_length;
    for (let turn = 0; turn <= row.num_turns; turn++) {
      const isLast = turn === row.num_turns;
      this.rowSession.push(session);
      this.inputTokens.push(context);
      this.outputTokens.push(
        isLast ? row.final_assistant_response_length : row.assistant_response_length[turn],
      );
      this.latencyMs.push(turn === 0 ? 0 : row.tool_call_latency[turn - 1] * 1000);
      if (!isLast) context += row.assistant_response_length[turn] + row.tool_call_output_length[turn];
    }
  }

  firstRow(session: number): number {
    return this.sessionRow.data[session];
  }

  nextRow(row: number): number {
    return row + 1 < this.rowCount && this.rowSession.data[row + 1] === this.rowSession.data[row]
      ? row + 1
      : -1;
  }

  startMs(): number {
    return 0;
  }

  delayMs(row: number): number {
    return this.latencyMs.data[row];
  }

  fill(row: number, draft: RequestDraft): void {
    const session = this.rowSession.data[row];
    draft.inputTokens = this.inputTokens.data[row];
    draft.outputTokens = this.outputTokens.data[row];
    const blocks = Math.ceil(draft.inputTokens / this.hashBlockTokens);
    draft.reserveHashes(blocks);
    draft.hashCount = blocks;
    const shared = this.sharedBlocks.data[session];
    const group = (this.line.data[session] - 1) % Math.max(1, this.options.prefixGroups);
    for (let i = 0; i < blocks; i++) {
      draft.hashHigh[i] = i < shared ? (GROUP_IDENTITY | group) >>> 0 : session;
      draft.hashLow[i] = i;
    }
  }

  sessionName(session: number): string {
    return `applied_compute_agentic_session_${this.line.data[session]}`;
  }
}

function readRow(file: TextFile, line: number): Row {
  const fail = (problem: string): never => {
    throw new InputError(`${file.path}:${line}: ${problem}`);
  };
  const row = readFields(file, fail);
  for (const name of LISTS)
    if (row[name].length !== row.num_turns)
      fail(`${name}: has ${row[name].length} entries, num_turns is ${row.num_turns}`);
  if (row.input_prompt_length === 0) fail('input_prompt_length: must be positive');
  row.tool_call_latency.forEach((seconds, index) => {
    if (!(seconds >= 0))
      fail(`tool_call_latency: entry ${index} must be a finite non-negative number, found ${seconds}`);
  });
  return row;
}

function readFields(file: TextFile, fail: (problem: string) => never): Row {
  const cursor = new JsonCursor();
  const row: Partial<Row> = {};
  let field = '';
  const list = (read: () => number): number[] => {
    const values: number[] = [];
    if (cursor.enterArray())
      do values.push(read());
      while (cursor.nextElement());
    return values;
  };
  const uint = () => cursor.readInteger(0, MAX_TOKENS);
  try {
    cursor.reset(file.bytes, file.start, file.end);
    if (cursor.enterObject())
      do {
        field = cursor.readKey();
        if (field in row) fail(`${field}: given twice`);
        const name = field as keyof Row;
        if ((UINTS as readonly string[]).includes(name)) row[name as (typeof UINTS)[number]] = uint();
        else if ((UINT_LISTS as readonly string[]).includes(name))
          row[name as (typeof UINT_LISTS)[number]] = list(uint);
        else if (name === 'tool_call_latency') row.tool_call_latency = list(() => cursor.readFloat());
        else cursor.readValue();
      } while (cursor.nextKey());
    field = '';
    cursor.expectEnd();
  } catch (error) {
    if (error instanceof JsonSyntaxError) fail(`${field && `${field}: `}${error.message}`);
    throw error;
  }
  for (const name of [...UINTS, ...LISTS]) if (row[name] === undefined) fail(`${name}: missing`);
  return row as Row;
}

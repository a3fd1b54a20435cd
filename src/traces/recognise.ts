import { JsonSyntaxError, type JsonValue, parseJson } from '../config/json.js';
import { FORMATS, type FormatName } from '../config/trace-formats.js';

/** What a file is by its first bytes, where that is no trace that can be read. */
const FOREIGN: readonly [title: string, starts: RegExp][] = [
  ['a pointer of Git LFS, not the file itself; fetch it with git lfs pull', /^version https:\/\/git-lfs/],
  ['a zip archive; unpack it first', /^PK.{2}/s],
  ['an xz archive; unpack it first', /^\xfd7zXZ/],
  ['a page of HTML', /^\s*<(!doctype|html)/i],
];

type Test = (value: ReadonlyMap<string, JsonValue | undefined>) => boolean;
const has =
  (...names: string[]): Test =>
  (value) =>
    names.every((name) => value.has(name));

/** What tells rows apart, the most telling first. */
const OBJECTS: readonly [FormatName, Test][] = [
  [
    'dynamo-requests',
    (value) => {
      const event = value.get('event');
      const row = event instanceof Map ? event : value;
      return row.get('schema') === 'dynamo.request.trace.v1';
    },
  ],
  ['claude-code', has('sessionId', 'uuid')],
  ['codex', (value) => value.has('payload') && value.has('timestamp')],
  ['llmservingsim-sessions', has('sub_requests')],
  ['llmservingsim', has('input_toks', 'output_toks')],
  ['weka', has('requests', 'models')],
  ['tracelab', has('session_id', 'input_tokens_total')],
  ['bailian', has('chat_id', 'hash_ids')],
  ['aiperf', has('metadata', 'metrics')],
  ['aiperf-inputs', has('data')],
  ['sharegpt', has('conversations')],
  ['chat', has('conversation')],
  ['bench', has('input_lens', 'output_lens')],
  ['otel', (value) => value.has('resourceSpans') || value.has('startTimeUnixNano')],
  [
    'agentic_mooncake',
    (value) =>
      value.get('schema') === 'dynamo.agentic_mooncake' || (value.has('wait_for') && value.has('hash_ids')),
  ],
  ['applied_compute_agentic', has('num_turns', 'input_prompt_length')],
  ['mooncake', has('hash_ids')],
  ['requests', has('arrival_ms', 'input_length')],
];

const HEADERS: readonly [FormatName, readonly string[]][] = [
  ['azure', ['TIMESTAMP', 'ContextTokens']],
  ['burstgpt', ['Timestamp', 'Request tokens']],
  ['vidur', ['arrived_at', 'num_prefill_tokens']],
  ['splitwise', ['arrival_timestamp', 'prompt_size']],
  ['blis', ['arrival_time_us', 'round_index']],
  ['servegen', ['request_id', 'timestamp', 'input_tokens']],
  ['lengths', ['input_length']],
  ['lengths', ['input_tokens']],
  ['lengths', ['prompt_tokens']],
  ['lengths', ['prompt_len']],
];

/** Formats that are read however their objects are laid out, in a list too. */
const LAID_OUT: readonly FormatName[] = ['aiperf-inputs', 'bench', 'chat', 'otel', 'sharegpt', 'weka'];

/**
 * A problem with a file that was taken for a format, said better where the file looks like something else.
 * @returns undefined where it does not
 */
export function betterProblem(
  problem: string,
  path: string,
  head: string,
  taken: string,
): string | undefined {
  const found = recognise(head);
  if (found?.isNot) return `${path}: is ${found.isNot}`;
  const format = found?.format;
  const isTaken = format === taken || (taken === 'dynamo' && format === 'dynamo-requests');
  if (format === undefined || format === 'mooncake' || isTaken) return undefined;
  return `${problem}; the file looks like ${FORMATS[format]}: --trace-format ${format}`;
}

/** What a file is, by its beginning: a format, or words for what is no trace; undefined where nothing tells. */
export function recognise(head: string): { format?: FormatName; isNot?: string } | undefined {
  const text = head.replace(/^\uFEFF/, '');
  const foreign = FOREIGN.find(([, starts]) => starts.test(text));
  if (foreign) return { isNot: foreign[0] };
  const trimmed = text.trimStart();
  if (/^\{\s*"\d+"\s*:\s*\{\s*"(input|text)_tokens"/.test(trimmed)) return { format: 'servegen-chunks' };
  const format = /^[[{]/.test(trimmed) ? ofObject(trimmed) : ofHeader(trimmed.split(/\r?\n/)[0]);
  if (trimmed.startsWith('[') && !(format && LAID_OUT.includes(format)))
    return {
      isNot: `a JSON list${format ? ` of ${format}` : ''}; a trace has an object a line, as jq -c '.[]' makes them`,
    };
  return format && { format };
}

function ofHeader(line: string): FormatName | undefined {
  const names = line.split(',').map((name) => name.trim().replaceAll('"', ''));
  return HEADERS.find(([, wanted]) => wanted.every((name) => names.includes(name)))?.[0];
}

function ofObject(text: string): FormatName | undefined {
  const first = firstObject(text.replace(/^\[\s*/, ''));
  const named = first ?? membersOf(text);
  return OBJECTS.find(([, test]) => test(named))?.[0];
}

/** The first object where the beginning holds all of it. */
function firstObject(text: string): ReadonlyMap<string, JsonValue | undefined> | undefined {
  const [line] = text.split(/\r?\n/);
  try {
    const value = parseJson(line.replace(/,\s*$/, ''));
    return value instanceof Map ? value : undefined;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

/** Names that are followed by a colon, where the object is longer than what is known of it. */
function membersOf(text: string): ReadonlyMap<string, undefined> {
  return new Map([...text.matchAll(/"([A-Za-z_]+)"\s*:/g)].map((match) => [match[1], undefined]));
}

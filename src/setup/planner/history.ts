import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../config/input-error.js';
import { JsonNumber, type JsonValue, parseJson } from '../../config/json.js';
import type { Arrivals } from '../../planner/reference/traffic-forecast.js';
import { TextFile } from '../../workload/text-file.js';

const DYNAMO = 'dynamo.request.trace.v1';
const WHERE = 'load_predictor_warmup_trace';

interface Row {
  readonly ms: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/**
 * Traffic before the run, a window each: of a Mooncake trace or of request events, in one file, a folder, or files by a
 * pattern with stars.
 * @throws {InputError} naming file and line
 */
export async function readHistory(path: string, windowSeconds: number): Promise<Arrivals[]> {
  const rows: Row[] = [];
  let isDynamo = false;
  for (const file of filesOf(path)) {
    const text = await TextFile.open(file);
    try {
      for (let line = 1; text.next(); line++) {
        const row = text.bytes.toString('utf8', text.start, text.end);
        if (row.trim() === '') continue;
        const where = `${file}:${line}`;
        const parsed = readRow(row, where);
        isDynamo ||= parsed === 'other' || parsed.isEvent;
        if (parsed !== 'other') rows.push(parsed.row);
      }
    } finally {
      text.close();
    }
  }
  const originMs = isDynamo
    ? rows.reduce((least, { ms }) => Math.min(least, ms), Number.POSITIVE_INFINITY)
    : 0;
  return windows(rows, originMs, windowSeconds * 1000);
}

function filesOf(path: string): string[] {
  if (path.includes('*')) {
    const pattern = new RegExp(`^${basename(path).split('*').map(escapeText).join('.*')}$`);
    const found = existsSync(dirname(path))
      ? readdirSync(dirname(path)).filter((name) => pattern.test(name))
      : [];
    if (found.length === 0) throw new InputError(`${WHERE}: no file is like ${path}`);
    return found.sort().map((name) => join(dirname(path), name));
  }
  if (!existsSync(path)) throw new InputError(`${WHERE}: no such file ${path}`);
  if (!statSync(path).isDirectory()) return [path];
  const found = readdirSync(path).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  return found.sort().map((name) => join(path, name));
}

const escapeText = (text: string) => text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');

/** @returns `other` for events that are not the end of a request */
function readRow(text: string, where: string): 'other' | { row: Row; isEvent: boolean } {
  let json: JsonValue;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new InputError(`${where}: ${(error as Error).message}`);
  }
  const record = asObject(json);
  const event = asObject(record?.get('event') ?? json);
  if (event?.get('schema') === DYNAMO) {
    if (event.get('event_type') !== 'request_end') return 'other';
    const request = asObject(event.get('request'));
    const replay = asObject(request?.get('replay'));
    const row = {
      ms: numberOf(request, 'request_received_ms', where),
      inputTokens: numberOf(replay, 'input_length', where),
      outputTokens: numberOf(request, 'output_tokens', where),
    };
    return { row, isEvent: true };
  }
  const row = {
    ms: numberOf(record, 'timestamp', where),
    inputTokens: numberOf(record, 'input_length', where),
    outputTokens: numberOf(record, 'output_length', where),
  };
  return { row, isEvent: false };
}

type JsonMap = Map<string, JsonValue>;

function asObject(value: JsonValue | undefined): JsonMap | undefined {
  return value instanceof Map ? value : undefined;
}

function numberOf(object: JsonMap | undefined, name: string, where: string): number {
  const value = object?.get(name);
  if (value instanceof JsonNumber) return value.value;
  throw new InputError(`${where}: ${name}: expected a number`);
}

/** One for each window from the first with requests to the last; those between may be empty. */
function windows(rows: readonly Row[], originMs: number, windowMs: number): Arrivals[] {
  const sums = new Map<number, { requests: number; inputTokens: number; outputTokens: number }>();
  for (const { ms, inputTokens, outputTokens } of rows) {
    const index = Math.floor((ms - originMs) / windowMs);
    const sum = sums.get(index) ?? { requests: 0, inputTokens: 0, outputTokens: 0 };
    sum.requests++;
    sum.inputTokens += inputTokens;
    sum.outputTokens += outputTokens;
    sums.set(index, sum);
  }
  if (sums.size === 0) return [];
  const indexes = [...sums.keys()];
  const first = indexes.reduce((a, b) => Math.min(a, b));
  const last = indexes.reduce((a, b) => Math.max(a, b));
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const { requests, inputTokens, outputTokens } = sums.get(first + i) ?? {
      requests: 0,
      inputTokens: 0,
      outputTokens: 0,
    };
    const mean = (sum: number) => (requests > 0 ? sum / requests : 0);
    return { requests, inputTokens: mean(inputTokens), outputTokens: mean(outputTokens) };
  });
}

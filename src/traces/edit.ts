import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonObject, jsonText } from '../config/json.js';
import { type Fields, jsonRows } from './fields.js';
import type { TraceSource } from './form.js';

/** Which requests stay: those that begin in a span of time, and at most so many. */
export interface Slice {
  fromMs: number;
  toMs: number;
  most: number;
  /** The longest time without a request that is kept; what is longer is cut to it. */
  maxGapMs: number;
}

/** Factors; 1 leaves things as they are. */
export interface Scale {
  /** Of arrivals per second: times and delays are divided by it. */
  rate: number;
  input: number;
  output: number;
}

/**
 * Part of a trace of Mooncake rows, its times from the beginning of the span on. Turns without a time of their own stay
 * with the first row of their session. Everything else about a row is kept.
 * @throws {InputError} for rows of graphs, whose dependencies a slice would cut
 */
export function* slice(source: TraceSource, { fromMs, toMs, most, maxGapMs }: Slice): Generator<string> {
  const kept = new Set<string>();
  let made = 0;
  let lastMs = fromMs;
  let cutMs = 0;
  for (const row of jsonRows(source)) {
    if (isOfGraph(row)) throw new InputError(`${source.path}:${row.line}: rows of a graph cannot be sliced`);
    const session = row.has('session_id') ? row.text('session_id') : undefined;
    const field = timeField(row);
    if (field === undefined) {
      if (session === undefined) return row.fail('timestamp', 'missing');
      if (kept.has(session)) yield jsonText(row.values as JsonObject);
      continue;
    }
    const startMs = row.number(field);
    if (startMs < fromMs || startMs >= toMs || made === most) continue;
    made++;
    cutMs += Math.max(0, startMs - lastMs - maxGapMs);
    lastMs = Math.max(lastMs, startMs);
    if (session !== undefined) kept.add(session);
    yield jsonText(new Map([...(row.values as JsonObject), [field, numberOf(startMs - fromMs - cutMs)]]));
  }
  if (made === 0) throw new InputError(`${source.path}: no request begins in the span`);
}

/** A trace of Mooncake rows, faster or slower, with longer or shorter prompts and outputs. */
export function* scale(source: TraceSource, factors: Scale, blockTokens: number): Generator<string> {
  let nextBlock = 0n;
  if (factors.input > 1)
    for (const row of jsonRows(source))
      for (const block of row.blocks('hash_ids'))
        if (BigInt(block) >= nextBlock) nextBlock = BigInt(block) + 1n;
  for (const row of jsonRows(source)) {
    if (row.has('schema') || row.has('dependencies'))
      throw new InputError(`${source.path}:${row.line}: rows of version 2 cannot be scaled`);
    const values = new Map(row.values as JsonObject);
    for (const field of ['timestamp', 'created_time', 'delay', 'delay_ms', 'tool_wait_ms'])
      if (row.has(field)) values.set(field, numberOf(row.number(field) / factors.rate));
    const input = row.has('input_length') ? 'input_length' : 'input_tokens';
    const output = row.has('output_length') ? 'output_length' : 'output_tokens';
    const inputTokens = scaled(row.tokens(input), factors.input);
    values.set(input, numberOf(inputTokens));
    values.set(output, numberOf(scaled(row.tokens(output), factors.output)));
    const blocks = row.blocks('hash_ids').slice(0, Math.ceil(inputTokens / blockTokens));
    while (blocks.length < Math.ceil(inputTokens / blockTokens)) blocks.push(String(nextBlock++));
    values.set(
      'hash_ids',
      blocks.map((block) => new JsonNumber(block)),
    );
    yield jsonText(values);
  }
}

function isOfGraph(row: Fields): boolean {
  return ['wait_for', 'request_id', 'schema'].some((field) => row.has(field));
}

function timeField(row: Fields): string | undefined {
  return ['timestamp', 'created_time'].find((field) => row.has(field));
}

function scaled(tokens: number, factor: number): number {
  return tokens === 0 ? 0 : Math.max(1, Math.round(tokens * factor));
}

function numberOf(value: number): JsonNumber {
  return new JsonNumber(String(value));
}

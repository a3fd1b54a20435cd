import { InputError } from '../config/input-error.js';
import { csvRows, type Fields, jsonElements, jsonRows } from '../traces/fields.js';
import type { TraceSource } from '../traces/form.js';
import { benchRows } from '../traces/lengths.js';

/** What was measured of a request; times in milliseconds, undefined for what is not known. */
export interface Measured {
  line: number;
  arrivalMs: number | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  cachedTokens: number | undefined;
  ttftMs: number;
  /** Mean gap between tokens; undefined for a response of one. */
  tpotMs: number | undefined;
  e2eMs: number;
}

/**
 * `requests` has a row a request, JSONL or CSV, such as the records of a replay; the others are the files of AIPerf, of
 * Dynamo, of the benchmarks of vLLM and SGLang, and what LLMServingSim measured of vLLM.
 */
export type MeasuredFormat = 'requests' | 'aiperf' | 'bench' | 'dynamo-requests' | 'llmservingsim';

/** Reads what was measured, in order of arrival. @throws {InputError} naming file, line and field */
export function readMeasured(source: TraceSource, format: MeasuredFormat): Measured[] {
  const measured = [...READERS[format](source)];
  if (measured.length < 2) throw new InputError(`${source.path}: holds fewer than two measured requests`);
  const hasArrivals = measured.every(({ arrivalMs }) => arrivalMs !== undefined);
  return hasArrivals ? measured.sort((a, b) => a.arrivalMs! - b.arrivalMs!) : measured;
}

const READERS: Record<MeasuredFormat, (source: TraceSource) => Iterable<Measured>> = {
  requests: readRequests,
  aiperf: readAiperf,
  bench: readBench,
  'dynamo-requests': readDynamo,
  llmservingsim: readLlmservingsim,
};

function* readRequests(source: TraceSource): Generator<Measured> {
  const isCsv = /\.csv(\.gz|\.zst)?$/i.test(source.path);
  const rows = isCsv ? csvRows(source, ['ttft_ms', 'e2e_ms']) : jsonRows(source);
  for (const row of rows) yield requestRow(row);
}

function requestRow(row: Fields): Measured {
  const optional = (...fields: string[]) => {
    const field = fields.find((name) => row.has(name) && row.text(name) !== '');
    return field === undefined ? undefined : row.number(field);
  };
  const ttftMs = positive(row, 'ttft_ms');
  const e2eMs = positive(row, row.has('e2e_latency_ms') ? 'e2e_latency_ms' : 'e2e_ms');
  const outputTokens = optional('output_length');
  return {
    line: row.line,
    arrivalMs: optional('arrival_ms', 'arrival_time_ms'),
    inputTokens: optional('input_length'),
    outputTokens,
    cachedTokens: optional('cached_tokens', 'reused_input_tokens'),
    ttftMs,
    tpotMs: optional('tpot_ms', 'itl_ms') ?? meanGap(ttftMs, e2eMs, outputTokens),
    e2eMs,
  };
}

function* readAiperf(source: TraceSource): Generator<Measured> {
  for (const row of jsonRows(source)) {
    const metadata = row.object('metadata');
    if (metadata.has('benchmark_phase') && metadata.text('benchmark_phase') !== 'profiling') continue;
    if (row.has('error')) continue;
    const metrics = row.object('metrics');
    const ms = (name: string) => {
      const metric = metrics.object(name);
      if (metric.text('unit') !== 'ms') metric.fail('unit', `expected ms, found ${metric.text('unit')}`);
      return positive(metric, 'value');
    };
    const outputTokens = metrics.object('output_sequence_length').tokens('value');
    const ttftMs = ms('time_to_first_token');
    const e2eMs = ms('request_latency');
    yield {
      line: row.line,
      arrivalMs: metadata.number('request_start_ns') / 1e6,
      inputTokens: metrics.object('input_sequence_length').tokens('value'),
      outputTokens,
      cachedTokens: undefined,
      ttftMs,
      tpotMs: metrics.has('inter_token_latency')
        ? ms('inter_token_latency')
        : meanGap(ttftMs, e2eMs, outputTokens),
      e2eMs,
    };
  }
}

function* readDynamo(source: TraceSource): Generator<Measured> {
  for (const line of jsonRows(source)) {
    const row = line.has('event') ? line.object('event') : line;
    if (row.text('event_type') !== 'request_end') continue;
    const request = row.object('request');
    if (!request.has('ttft_ms') || !request.has('total_time_ms')) continue;
    const outputTokens = request.tokens('output_tokens');
    const ttftMs = positive(request, 'ttft_ms');
    const e2eMs = positive(request, 'total_time_ms');
    yield {
      line: row.line,
      arrivalMs: request.number('request_received_ms'),
      inputTokens: request.tokens('input_tokens'),
      outputTokens,
      cachedTokens: request.has('cached_tokens') ? request.tokens('cached_tokens') : undefined,
      ttftMs,
      tpotMs: request.has('avg_itl_ms') ? request.number('avg_itl_ms') : meanGap(ttftMs, e2eMs, outputTokens),
      e2eMs,
    };
  }
}

/** Times in seconds: to the first token, and the list of gaps behind it. */
function* readBench(source: TraceSource): Generator<Measured> {
  for (const run of jsonElements(source))
    for (const row of benchRows(run, ['ttfts', 'itls'])) {
      const ttftMs = positive(row, 'ttfts') * 1000;
      const gaps = row.list('itls');
      const gapsMs =
        gaps.reduce((sum: number, gap) => sum + row.with(new Map([['itls', gap]])).number('itls'), 0) * 1000;
      const outputTokens = row.tokens('output_lens');
      yield {
        line: run.line,
        arrivalMs: row.has('start_times') ? row.number('start_times') * 1000 : undefined,
        inputTokens: row.tokens('input_lens'),
        outputTokens,
        cachedTokens: undefined,
        ttftMs,
        tpotMs: outputTokens > 1 && gapsMs > 0 ? gapsMs / (outputTokens - 1) : undefined,
        e2eMs: ttftMs + gapsMs,
      };
    }
}

/**
 * Times in seconds, arrivals on the client's clock and the rest on the engine's. The clocks are put together where the
 * way from one to the other was shortest.
 */
function* readLlmservingsim(source: TraceSource): Generator<Measured> {
  const rows = [...jsonRows(source)];
  const apart = rows.map((row) => row.number('queued_ts') - row.number('arrival_time'));
  const offset = apart.reduce((least, gap) => Math.min(least, gap), Number.POSITIVE_INFINITY);
  for (const row of rows) {
    const arrival = row.number('arrival_time') + offset;
    const outputTokens = row.tokens('output_toks');
    const ttftMs = (row.number('first_token_ts') - arrival) * 1000;
    const e2eMs = (row.number('last_token_ts') - arrival) * 1000;
    if (!(ttftMs > 0 && e2eMs >= ttftMs))
      row.fail('first_token_ts', `expected a time behind the arrival, found ${row.number('first_token_ts')}`);
    yield {
      line: row.line,
      arrivalMs: arrival * 1000,
      inputTokens: row.tokens('input_toks'),
      outputTokens,
      cachedTokens: undefined,
      ttftMs,
      tpotMs: meanGap(ttftMs, e2eMs, outputTokens),
      e2eMs,
    };
  }
}

function positive(row: Fields, field: string): number {
  const value = row.number(field);
  if (!(value > 0)) row.fail(field, `expected a time above 0, found ${value}`);
  return value;
}

function meanGap(ttftMs: number, e2eMs: number, outputTokens: number | undefined): number | undefined {
  return outputTokens !== undefined && outputTokens > 1 ? (e2eMs - ttftMs) / (outputTokens - 1) : undefined;
}

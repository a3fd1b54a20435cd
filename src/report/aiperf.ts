import type { RequestOutcome } from './outcome.js';

/** Statistics that AIPerf gives of a metric, in its order. */
const STATISTICS = [
  'avg',
  'min',
  'max',
  'sum',
  'p1',
  'p5',
  'p10',
  'p25',
  'p50',
  'p75',
  'p90',
  'p95',
  'p99',
  'std',
];
const SCHEMA_VERSION = '1.4';

interface Metric {
  tag: string;
  title: string;
  unit: string;
  /** undefined for a request that has no such value. */
  of(outcome: RequestOutcome): number | undefined;
}

const tokens = (outcome: RequestOutcome) => outcome.outputTokens;
const gapMs = (outcome: RequestOutcome) =>
  tokens(outcome) > 1 ? (outcome.lastTokenMs - outcome.firstTokenMs) / (tokens(outcome) - 1) : undefined;

/** Metrics of a request under AIPerf's tags, titles and units. */
const METRICS: readonly Metric[] = [
  {
    tag: 'input_sequence_length',
    title: 'Input Sequence Length',
    unit: 'tokens',
    of: ({ inputTokens }) => inputTokens,
  },
  {
    tag: 'inter_token_latency',
    title: 'Inter Token Latency',
    unit: 'ms',
    of: gapMs,
  },
  { tag: 'output_sequence_length', title: 'Output Sequence Length', unit: 'tokens', of: tokens },
  { tag: 'output_token_count', title: 'Output Token Count', unit: 'tokens', of: tokens },
  {
    tag: 'output_token_throughput_per_user',
    title: 'Output Token Throughput Per User',
    unit: 'tokens/sec/user',
    of: (outcome) => {
      const gap = gapMs(outcome);
      return gap === undefined || gap === 0 ? undefined : 1000 / gap;
    },
  },
  {
    tag: 'request_latency',
    title: 'Request Latency',
    unit: 'ms',
    of: (outcome) => (tokens(outcome) > 0 ? outcome.lastTokenMs - outcome.arrivalMs : undefined),
  },
  {
    tag: 'time_to_first_token',
    title: 'Time to First Token',
    unit: 'ms',
    of: (outcome) => (tokens(outcome) > 0 ? outcome.firstTokenMs - outcome.arrivalMs : undefined),
  },
  {
    tag: 'time_to_second_token',
    title: 'Time to Second Token',
    unit: 'ms',
    of: (outcome) => (tokens(outcome) > 1 ? outcome.secondTokenMs - outcome.firstTokenMs : undefined),
  },
];

/** Metrics of a run that are one number. */
interface Total {
  tag: string;
  title: string;
  unit: string;
  value: number;
}

/** The files that AIPerf writes of a benchmark, by name, for a simulated run; its clock begins in 1970. */
export function aiperfFiles(
  records: readonly RequestOutcome[],
  model: string,
): Map<string, Iterable<string>> {
  const ended = records.filter(({ status }) => status !== 'unfinished');
  const completed = ended.filter(({ status }) => status === 'completed');
  const samples = new Map(
    METRICS.map(({ tag, of }) => [tag, completed.map(of).filter((value) => value !== undefined)]),
  );
  const totals = totalsOf(completed, ended.length - completed.length);
  return new Map<string, Iterable<string>>([
    ['profile_export.jsonl', lines(ended)],
    ['profile_export_aiperf.json', [summaryJson(samples, totals, completed, model)]],
    ['profile_export_aiperf.csv', [summaryCsv(samples, totals)]],
  ]);
}

function* lines(records: readonly RequestOutcome[]): Generator<string> {
  for (const record of records) yield `${recordJson(record)}\n`;
}

function recordJson(outcome: RequestOutcome): string {
  const { row, session, turn, arrivalMs, terminalMs, worker, status } = outcome;
  const hasFailed = status !== 'completed';
  const metrics = METRICS.flatMap(({ tag, unit, of }) => {
    const value = hasFailed ? undefined : of(outcome);
    return value === undefined ? [] : [[tag, { value, unit }]];
  });
  return JSON.stringify({
    metadata: {
      session_num: row,
      x_request_id: String(row),
      conversation_id: session ?? String(row),
      turn_index: turn ?? 0,
      request_start_ns: nanoseconds(arrivalMs),
      request_end_ns: nanoseconds(terminalMs),
      worker_id: `worker_${worker ?? 0}`,
      record_processor_id: 'dynosim',
      benchmark_phase: 'profiling',
      was_cancelled: false,
    },
    metrics: Object.fromEntries(metrics),
    error: hasFailed ? { code: 503, type: status, message: `the request was ${status}` } : null,
  });
}

function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

function totalsOf(completed: readonly RequestOutcome[], errors: number): Total[] {
  const firstMs = completed.reduce(
    (least, { arrivalMs }) => Math.min(least, arrivalMs),
    Number.POSITIVE_INFINITY,
  );
  const lastMs = completed.reduce((most, { lastTokenMs }) => Math.max(most, lastTokenMs), firstMs);
  const seconds = completed.length > 0 ? (lastMs - firstMs) / 1000 : 0;
  const sum = (of: (outcome: RequestOutcome) => number) =>
    completed.reduce((total, one) => total + of(one), 0);
  const output = sum(tokens);
  const perSecond = (value: number) => (seconds > 0 ? value / seconds : 0);
  const total = (tag: string, title: string, unit: string, value: number) => ({ tag, title, unit, value });
  return [
    total('benchmark_duration', 'Benchmark Duration', 'sec', seconds),
    total('error_request_count', 'Error Request Count', 'requests', errors),
    total('output_token_throughput', 'Output Token Throughput', 'tokens/sec', perSecond(output)),
    total('request_count', 'Request Count', 'requests', completed.length),
    total('request_throughput', 'Request Throughput', 'requests/sec', perSecond(completed.length)),
    total(
      'total_isl',
      'Total Input Sequence Length',
      'tokens',
      sum(({ inputTokens }) => inputTokens),
    ),
    total('total_osl', 'Total Output Sequence Length', 'tokens', output),
  ];
}

type Samples = ReadonlyMap<string, readonly number[]>;

function summaryJson(
  samples: Samples,
  totals: readonly Total[],
  completed: readonly RequestOutcome[],
  model: string,
): string {
  const metrics = METRICS.flatMap(({ tag, unit }) => {
    const values = samples.get(tag)!;
    return values.length > 0 ? [[tag, { unit, ...statistics(values), count: values.length }]] : [];
  });
  const single = totals.map(({ tag, unit, value }) => [tag, { unit, avg: value }]);
  const time = (ms: number) => new Date(ms).toISOString();
  const summary = {
    schema_version: SCHEMA_VERSION,
    aiperf_version: 'dynosim',
    ...Object.fromEntries([...metrics, ...single]),
    input_config: { models: { items: [{ name: model }] } },
    was_cancelled: false,
    is_complete: true,
    start_time: time(completed.reduce((least, { arrivalMs }) => Math.min(least, arrivalMs), 0)),
    end_time: time(completed.reduce((most, { lastTokenMs }) => Math.max(most, lastTokenMs), 0)),
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}

function summaryCsv(samples: Samples, totals: readonly Total[]): string {
  const rows = [['Metric', ...STATISTICS]];
  for (const { tag, title, unit } of METRICS) {
    const values = samples.get(tag)!;
    if (values.length === 0) continue;
    const known = statistics(values);
    rows.push([`${title} (${unit})`, ...STATISTICS.map((name) => known[name].toFixed(2))]);
  }
  rows.push([], ['Metric', 'Value']);
  for (const { title, unit, value } of totals)
    rows.push(unit === 'requests' ? [title, String(value)] : [`${title} (${unit})`, value.toFixed(2)]);
  return rows.map((row) => `${row.join(',')}\n`).join('');
}

/** Statistics of samples; percentiles are interpolated, as AIPerf's are. */
function statistics(samples: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(samples).sort();
  const sum = sorted.reduce((a, b) => a + b, 0);
  const avg = sum / sorted.length;
  const squares = sorted.reduce((total, value) => total + (value - avg) ** 2, 0);
  const at = (percent: number) => {
    const place = ((sorted.length - 1) * percent) / 100;
    const low = Math.floor(place);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
  };
  const percentiles = STATISTICS.filter((name) => /^p\d+$/.test(name)).map((name) => [
    name,
    at(Number(name.slice(1))),
  ]);
  return {
    avg,
    min: sorted[0],
    max: sorted[sorted.length - 1],
    sum,
    ...Object.fromEntries(percentiles),
    std: Math.sqrt(squares / sorted.length),
  };
}

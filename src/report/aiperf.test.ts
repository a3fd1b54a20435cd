import { describe, expect, it } from 'vitest';
import { replay } from '../replay.js';
import { convert, emptyConversion } from '../traces/convert.js';
import { IMPORTERS } from '../traces/importers.js';
import { aiperfFiles } from './aiperf.js';
import type { RequestOutcome } from './outcome.js';

function outcome(row: number, rest: Partial<RequestOutcome>): RequestOutcome {
  return {
    row,
    session: null,
    turn: null,
    turnOrdinal: 0,
    arrivalMs: row * 100,
    firstAdmitMs: row * 100,
    firstTokenMs: row * 100 + 20,
    secondTokenMs: row * 100 + 30,
    lastTokenMs: row * 100 + 60,
    terminalMs: row * 100 + 60,
    inputTokens: 10 * (row + 1),
    requestedTokens: 5,
    outputTokens: 5,
    firstReusedTokens: 0,
    reusedTokens: 0,
    preemptions: 0,
    history: null,
    dispatchMs: Number.NaN,
    stallMs: 0,
    firstStallMs: 0,
    chunkWaitMs: 0,
    readyMs: 0,
    engineLastMs: 0,
    deliveryMs: 0,
    worker: 1,
    stages: null,
    status: 'completed',
    ...rest,
  };
}

const text = (files: Map<string, Iterable<string>>, name: string) => [...files.get(name)!].join('');

describe("AIPerf's files", () => {
  const files = aiperfFiles(
    [
      outcome(0, {}),
      outcome(1, { outputTokens: 1, lastTokenMs: 120, terminalMs: 120 }),
      outcome(2, { status: 'rejected', outputTokens: 0, terminalMs: 205 }),
      outcome(3, { status: 'unfinished' }),
      outcome(4, { session: 's', turn: 2 }),
    ],
    'acme/model',
  );
  const records = text(files, 'profile_export.jsonl')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

  it('have a record for each request that ended, in nanoseconds and milliseconds', () => {
    expect(records.map(({ metadata }) => metadata.session_num)).toEqual([0, 1, 2, 4]);
    expect(records[0].metadata).toMatchObject({
      request_start_ns: 0,
      request_end_ns: 60_000_000,
      worker_id: 'worker_1',
    });
    expect(records[0].metrics).toMatchObject({
      time_to_first_token: { value: 20, unit: 'ms' },
      time_to_second_token: { value: 10, unit: 'ms' },
      inter_token_latency: { value: 10, unit: 'ms' },
      request_latency: { value: 60, unit: 'ms' },
      output_token_throughput_per_user: { value: 100, unit: 'tokens/sec/user' },
    });
    expect(records[1].metrics).not.toHaveProperty('inter_token_latency');
    expect(records[2]).toMatchObject({ metrics: {}, error: { type: 'rejected' } });
    expect(records[3].metadata).toMatchObject({ conversation_id: 's', turn_index: 2 });
  });

  it('sum up completed requests, percentiles between samples interpolated', () => {
    const summary = JSON.parse(text(files, 'profile_export_aiperf.json'));
    // Inputs of 10, 20 and 50 tokens: the 90th percentile lies 0.8 of the way from 20 to 50.
    expect(summary.input_sequence_length).toMatchObject({
      unit: 'tokens',
      avg: 80 / 3,
      min: 10,
      max: 50,
      sum: 80,
      p50: 20,
      p90: 44,
      count: 3,
    });
    expect(summary.request_count).toEqual({ unit: 'requests', avg: 3 });
    expect(summary.error_request_count.avg).toBe(1);
    expect(summary.benchmark_duration).toEqual({ unit: 'sec', avg: 0.46 });
    expect(summary.request_throughput.avg).toBeCloseTo(3 / 0.46, 12);
    expect(summary.input_config.models.items).toEqual([{ name: 'acme/model' }]);
  });

  it('have the same figures as CSV, to two digits', () => {
    const rows = text(files, 'profile_export_aiperf.csv').split('\n');
    expect(rows[0]).toBe('Metric,avg,min,max,sum,p1,p5,p10,p25,p50,p75,p90,p95,p99,std');
    expect(rows[1]).toMatch(/^Input Sequence Length \(tokens\),26.67,10.00,50.00,80.00,/);
    expect(rows).toContain('Request Count,3');
    expect(rows).toContain('Benchmark Duration (sec),0.46');
  });

  it('are read back as the trace that was run', async () => {
    const load = {
      inputTokens: 300,
      outputTokens: 20,
      requestCount: 30,
      requestRate: 40,
      records: 'ended' as const,
    };
    const { records: ran } = await replay(load);
    const source = {
      path: 'profile_export.jsonl',
      chunks: () => [],
      *lines() {
        let line = 0;
        for (const row of aiperfFiles(ran, 'm').get('profile_export.jsonl')!)
          yield { line: ++line, text: row };
      },
    };
    const options = { blockTokens: 512, charactersPerToken: 4 };
    const rows = [...convert(IMPORTERS.aiperf, source, options, emptyConversion(512))].map((row) =>
      JSON.parse(row),
    );
    expect(rows.map(({ input_length, output_length }) => [input_length, output_length])).toEqual(
      ran.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens]),
    );
    rows.forEach(({ timestamp }, index) => {
      expect(timestamp).toBeCloseTo(ran[index].arrivalMs - ran[0].arrivalMs, 5);
    });
  });
});

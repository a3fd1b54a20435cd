import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { FormatName } from '../config/trace-formats.js';
import { TextFile } from '../workload/text-file.js';
import { type Arrivals, convert, emptyConversion } from './convert.js';
import { scale, slice } from './edit.js';
import type { ImportOptions, TraceSource } from './form.js';
import { IMPORTERS } from './importers.js';
import { inspectFile } from './inspect-file.js';
import { recognise } from './recognise.js';

function source(text: string): TraceSource {
  return {
    path: 'trace.txt',
    // In small pieces, so that objects and characters are cut apart.
    *chunks() {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    },
    *lines() {
      let line = 0;
      for (const row of text.split('\n')) {
        line++;
        if (row.trim() !== '') yield { line, text: row };
      }
    },
  };
}

const OPTIONS = { blockTokens: 512, charactersPerToken: 4 };

function rowsOf(format: string, text: string, options: ImportOptions = OPTIONS, arrivals?: Arrivals) {
  const importer = IMPORTERS[format as FormatName];
  const done = emptyConversion(importer.blockTokens ?? options.blockTokens);
  const made = [...convert(importer, source(text), options, done, arrivals)];
  const rows = made.flatMap((row) => row.split('\n')).map((row) => JSON.parse(row));
  return { rows, done };
}

const json = (...rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n');

describe('importers', () => {
  it('azure: times to the tenth of a microsecond, from the first request on', () => {
    const text = `TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,1396,109`;
    const { rows, done } = rowsOf('azure', text);
    expect(rows).toEqual([
      { timestamp: 0, input_length: 374, output_length: 44, hash_ids: [0] },
      { timestamp: 4314.579, input_length: 1396, output_length: 109, hash_ids: [1, 2, 3] },
    ]);
    expect(done).toMatchObject({ rows: 2, inputTokens: 1770, outputTokens: 153 });
    expect(done.leftOut.size).toBe(0);
  });

  it('azure: the multimodal file has a column more', () => {
    const text = 'TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2025-01-01 00:00:00.0,2,10,5';
    expect(rowsOf('azure', text).rows).toHaveLength(1);
  });

  it('burstgpt: by its header, without requests that failed', () => {
    const text = `Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,a,1,ChatGPT,472,18,490,Conversation log
45,a,1,"GPT-4, old",1087,230,1317,Conversation log
118,,,GPT-4,417,0,417,API log`;
    const { rows, done } = rowsOf('burstgpt', text);
    expect(rows).toEqual([
      { session_id: 'a', timestamp: 0, input_length: 472, output_length: 18, hash_ids: [0] },
      // It came 40 s after the first, which took one of them.
      { session_id: 'a', delay: 39000, input_length: 1087, output_length: 230, hash_ids: [1, 2, 3] },
    ]);
    expect(Object.fromEntries(done.leftOut)).toEqual({ failed: 1 });
  });

  it('vidur and splitwise: seconds', () => {
    expect(
      rowsOf('vidur', 'arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,100,7\n1.75,200,8').rows[1],
    ).toMatchObject({
      timestamp: 1250,
      input_length: 200,
      output_length: 8,
    });
    const splitwise =
      'request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n0,2,0,0.1,1,100,7\n1,2,0,0.3,1,50,9';
    expect(rowsOf('splitwise', splitwise).rows[1]).toMatchObject({
      timestamp: 200,
      input_length: 50,
      output_length: 9,
    });
  });

  it('bailian: seconds, blocks of 16 tokens, whole prompts', () => {
    const text = json(
      {
        chat_id: 159,
        parent_chat_id: -1,
        timestamp: 61.114,
        input_length: 20,
        output_length: 3,
        type: 'text',
        turn: 1,
        hash_ids: [1089, 1090],
      },
      {
        chat_id: 160,
        parent_chat_id: 159,
        timestamp: 62.114,
        input_length: 33,
        output_length: 9,
        type: 'text',
        turn: 2,
        hash_ids: [1089, 7, 8],
      },
    );
    const { rows, done } = rowsOf('bailian', text);
    expect(done.blockTokens).toBe(16);
    expect(rows[1]).toEqual({
      session_id: '159',
      delay: 1000,
      input_length: 33,
      output_length: 9,
      hash_ids: [1089, 7, 8],
    });
    expect(rowsOf('bailian', text, OPTIONS, 'open-loop').rows[1]).toEqual({
      timestamp: 1000,
      input_length: 33,
      output_length: 9,
      hash_ids: [1089, 7, 8],
    });
    expect([...IMPORTERS.bailian.read(source(text), OPTIONS)].map(({ session }) => session)).toEqual([
      '159',
      '159',
    ]);
  });

  it('dynamo-requests: 64-bit hashes survive, block size from the trace', () => {
    const text = `{"schema":"dynamo.request.trace.v1","event_type":"tool_start","event_time_unix_ms":1}
{"schema":"dynamo.request.trace.v1","event_type":"request_end","agent_context":{"session_id":"s"},"request":{"request_received_ms":1000,"input_tokens":100,"output_tokens":5,"replay":{"trace_block_size":64,"input_length":100,"input_sequence_hashes":[18446744073709551615,9007199254740993]}}}`;
    const done = emptyConversion(512);
    const [row] = convert(IMPORTERS['dynamo-requests'], source(text), OPTIONS, done);
    expect(row).toContain('"hash_ids":[18446744073709551615,9007199254740993]');
    expect(done.blockTokens).toBe(64);
  });

  it('dynamo-requests: events may be wrapped, and say their length with their hashes only', () => {
    const event = (request_received_ms: number) => ({
      schema: 'dynamo.request.trace.v1',
      event_type: 'request_end',
      request: {
        request_received_ms,
        output_tokens: 3,
        replay: { trace_block_size: 64, input_length: 100, input_sequence_hashes: [1, 2] },
      },
    });
    const wrapped = json({ event: event(5) }, { event: event(9) });
    expect(recognise(wrapped)).toEqual({ format: 'dynamo-requests' });
    const { rows } = rowsOf('dynamo-requests', wrapped);
    expect(rows).toEqual(rowsOf('dynamo-requests', json(event(5), event(9))).rows);
    expect(rows[1]).toEqual({ timestamp: 4, input_length: 100, output_length: 3, hash_ids: [1, 2] });
  });

  it('aiperf: nanoseconds, warm-up left out', () => {
    const record = (phase: string, ns: number) => ({
      metadata: { conversation_id: 'c', benchmark_phase: phase, request_start_ns: ns },
      metrics: {
        input_sequence_length: { value: 550, unit: 'tokens' },
        output_sequence_length: { value: 12, unit: 'tokens' },
      },
    });
    const { rows } = rowsOf(
      'aiperf',
      json(record('warmup', 1), record('profiling', 2_000_000), record('profiling', 5_500_000)),
    );
    expect(rows.map(({ timestamp, hash_ids }) => [timestamp, hash_ids.length])).toEqual([
      [0, 2],
      [undefined, 2],
    ]);
    // A turn of the same conversation: it waits for the one before.
    expect(rows[1]).toMatchObject({ session_id: 'c', delay: 3.5 });
  });

  it('llmservingsim and request logs', () => {
    expect(
      rowsOf(
        'llmservingsim',
        json(
          { input_toks: 5, output_toks: 6, arrival_time_ns: 7e6 },
          { input_toks: 1, output_toks: 2, arrival_time_ns: 9e6 },
        ),
      ).rows[1],
    ).toMatchObject({ timestamp: 2, input_length: 1 });
    expect(
      rowsOf('requests', json({ arrival_ms: 3.5, input_length: 10, output_length: 2 })).rows[0],
    ).toMatchObject({ timestamp: 0, input_length: 10 });
  });

  it('tracelab: a round shares the full blocks of what it keeps', () => {
    const round = (at: string, input: number, kept: number) => ({
      session_id: 'claude:1',
      input_tokens_total: input,
      prefix_tokens: kept,
      output_tokens: 10,
      timing_events: [{ type: 'user_message', timestamp: at }],
    });
    const text = json(
      round('2026-01-01T00:00:00.000Z', 1100, 0),
      round('2026-01-01T00:00:02.000Z', 2100, 1100),
      round('2026-01-01T00:00:03.000Z', 1500, 600),
    );
    const { rows } = rowsOf('tracelab', text);
    expect(rows.map(({ hash_ids }) => hash_ids)).toEqual([
      [0, 1, 2],
      [0, 1, 3, 4, 5],
      [0, 6, 7],
    ]);
    expect(rows[1].delay).toBe(2000);
  });

  it('sharegpt: an answer is a request behind all that was said', () => {
    const conversation = {
      id: 'x',
      conversations: [
        { from: 'human', value: 'a'.repeat(4000) },
        { from: 'gpt', value: 'b'.repeat(400) },
        { from: 'human', value: 'c'.repeat(40) },
        { from: 'gpt', value: 'd' },
      ],
    };
    const { rows } = rowsOf('sharegpt', JSON.stringify([conversation]));
    expect(rows).toEqual([
      { session_id: 'x', timestamp: 0, input_length: 1000, output_length: 100, hash_ids: [0, 1] },
      { session_id: 'x', delay: 0, input_length: 1110, output_length: 1, hash_ids: [0, 2, 3] },
    ]);
  });

  it('aiperf-inputs: a turn keeps what it has in common with the turn before', () => {
    const turn = (...texts: string[]) => ({
      messages: texts.map((content) => ({ role: 'user', content })),
      max_completion_tokens: 7,
    });
    const first = 'a'.repeat(4096);
    const sessions = [
      { session_id: 's', payloads: [turn(first), turn(first, 'b'.repeat(400))] },
      { payloads: [{ prompt: 'c'.repeat(8), max_tokens: 3 }] },
      { payloads: [{ messages: [{ content: [{ type: 'text', text: 'dddd' }] }], max_tokens: 1 }] },
    ];
    const { rows } = rowsOf('aiperf-inputs', JSON.stringify({ data: sessions }));
    expect(rows).toEqual([
      { session_id: 's', timestamp: 0, input_length: 1024, output_length: 7, hash_ids: [0, 1] },
      { session_id: 's', delay: 0, input_length: 1125, output_length: 7, hash_ids: [0, 1, 2] },
      { session_id: '2', timestamp: 1000, input_length: 2, output_length: 3, hash_ids: [3] },
      { session_id: '3', timestamp: 2000, input_length: 1, output_length: 1, hash_ids: [4] },
    ]);
  });

  it('llmservingsim-sessions: a request follows the one before, after its tool', () => {
    const request = (input_toks: number, rest = {}) => ({ input_toks, output_toks: 4, ...rest });
    const session = {
      session_id: 's',
      arrival_time_ns: 5e9,
      sub_requests: [request(100, { tool_duration_ns: 2.5e6 }), request(600)],
    };
    const { rows } = rowsOf('llmservingsim-sessions', JSON.stringify(session));
    expect(rows).toEqual([
      {
        request_id: 's:0',
        session_id: 's',
        timestamp: 0,
        input_length: 100,
        output_length: 4,
        hash_ids: [0],
      },
      {
        request_id: 's:1',
        session_id: 's',
        input_length: 600,
        output_length: 4,
        hash_ids: [1, 2],
        wait_for: ['s:0'],
        delay: 2.5,
      },
    ]);
  });

  it('weka: turns wait for the turn before and for subagents, blocks are numbered by trace', () => {
    const turn = (t: number, hash_ids: number[], rest = {}) => ({
      t,
      type: 'n',
      model: 'm',
      in: hash_ids.length * 64,
      out: 5,
      hash_ids,
      ...rest,
    });
    const trace = (id: string) => ({
      id,
      models: ['m'],
      block_size: 64,
      hash_id_scope: 'local',
      requests: [
        turn(0, [1], { api_time: 1 }),
        {
          t: 1,
          type: 'subagent',
          agent_id: 'a',
          status: 'completed',
          requests: [turn(1.5, [9]), turn(3, [9, 10], { think_time: 0.25 })],
        },
        { t: 1, type: 'subagent', agent_id: 'b', status: 'async_launched', requests: [turn(1.5, [11])] },
        turn(4, [1, 2]),
      ],
    });
    const { rows } = rowsOf('weka', json(trace('t'), trace('u')));
    expect(rows.slice(0, 5)).toEqual([
      { request_id: 't:0', session_id: 't', timestamp: 0, input_length: 64, output_length: 5, hash_ids: [0] },
      {
        request_id: 't/a:0',
        session_id: 't/a',
        input_length: 64,
        output_length: 5,
        hash_ids: [1],
        wait_for: ['t:0'],
        delay: 500,
      },
      {
        request_id: 't/a:1',
        session_id: 't/a',
        input_length: 128,
        output_length: 5,
        hash_ids: [1, 2],
        wait_for: ['t/a:0'],
        delay: 250,
      },
      {
        request_id: 't/b:0',
        session_id: 't/b',
        input_length: 64,
        output_length: 5,
        hash_ids: [3],
        wait_for: ['t:0'],
        delay: 500,
      },
      {
        request_id: 't:1',
        session_id: 't',
        input_length: 128,
        output_length: 5,
        hash_ids: [0, 4],
        wait_for: ['t:0', 't/a:1'],
        delay: 1000,
      },
    ]);
    expect(rows[5].hash_ids).toEqual([5]);
  });

  it('weka: times of a subagent may count from its launch', () => {
    const turn = (t: number) => ({ t, type: 'n', in: 64, out: 5, hash_ids: [t], api_time: 1 });
    const trace = (first: number) => ({
      id: 't',
      models: ['m'],
      requests: [
        turn(100),
        {
          t: 102,
          type: 'subagent',
          agent_id: 'a',
          status: 'completed',
          requests: [turn(first), turn(first + 4)],
        },
        turn(120),
      ],
    });
    const edges = ({ rows }: ReturnType<typeof rowsOf>) =>
      rows.map(({ wait_for, delay }) => [wait_for, delay]);
    const absolute = edges(rowsOf('weka', json(trace(103))));
    expect(absolute).toEqual([
      [undefined, undefined],
      [['t:0'], 2000],
      [['t/a:0'], 3000],
      [['t:0', 't/a:1'], 12_000],
    ]);
    expect(edges(rowsOf('weka', json(trace(1))))).toEqual(absolute);
  });

  it('mooncake: rows come out as they went in', () => {
    const row = fc
      .record({
        timestamp: fc.nat(1e6),
        blocks: fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 9 }),
        cut: fc.nat(511),
        output_length: fc.nat(2000),
      })
      .map(({ timestamp, blocks, cut, output_length }) => ({
        timestamp,
        input_length: blocks.length * 512 - cut,
        output_length,
        hash_ids: blocks,
      }));
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (list) => {
        const rows = [{ ...list[0], timestamp: 0 }, ...list.slice(1)];
        expect(rowsOf('mooncake', json(...rows)).rows).toEqual(rows);
      }),
    );
  });

  it('leave out and count requests without a prompt', () => {
    const { done } = rowsOf('vidur', 'arrived_at,num_prefill_tokens,num_decode_tokens\n0,0,7\n1,5,8');
    expect(done.rows).toBe(1);
    expect(Object.fromEntries(done.leftOut)).toEqual({ 'no prompt': 1 });
  });
});

describe('bad rows are named by file, line and field', () => {
  const header = 'TIMESTAMP,ContextTokens,GeneratedTokens\n';
  it.each<[string, string, RegExp]>([
    [
      'azure',
      'a,b\n1,2',
      /^trace.txt:1: the header lacks TIMESTAMP, ContextTokens, GeneratedTokens; it has a, b/,
    ],
    [
      'azure',
      `${header}yesterday,1,2`,
      /^trace.txt:2: TIMESTAMP: expected an ISO 8601 time, found "yesterday"/,
    ],
    ['azure', `${header}2023-02-30 18:15:46.0,1,2`, /^trace.txt:2: TIMESTAMP: expected a time that exists/],
    [
      'azure',
      `${header}2023-11-16 18:15:46.0,-3,2`,
      /^trace.txt:2: ContextTokens: expected a whole number .*found -3/,
    ],
    ['azure', `${header}\n2023-11-16 18:15:46.0,1.5,2`, /^trace.txt:3: ContextTokens: .*found 1.5/],
    ['azure', `${header}2023-11-16 18:15:46.0,1`, /^trace.txt:2: expected 3 columns, found 2/],
    ['azure', header, /^trace.txt: holds no request/],
    [
      'burstgpt',
      'Timestamp,Request tokens,Response tokens\nx,1,2',
      /^trace.txt:2: Timestamp: expected a number, found "x"/,
    ],
    [
      'vidur',
      'arrived_at,num_prefill_tokens,num_decode_tokens\n1,0x10,2',
      /^trace.txt:2: num_prefill_tokens: .*"0x10"/,
    ],
    [
      'splitwise',
      'arrival_timestamp,prompt_size,token_size\nInfinity,1,2',
      /^trace.txt:2: arrival_timestamp/,
    ],
    ['mooncake', '{"timestamp":1', /^trace.txt:1: .*\(column 15\)/],
    ['mooncake', '[1]', /^trace.txt:1: expected a JSON object/],
    [
      'mooncake',
      '{"timestamp":1,"input_length":1,"output_length":1}',
      /^trace.txt:1: hash_ids: expected a list, found nothing/,
    ],
    [
      'mooncake',
      '{"timestamp":1,"input_length":1,"output_length":1,"hash_ids":[-1]}',
      /^trace.txt:1: hash_ids\[0\]: .*found -1/,
    ],
    [
      'bailian',
      '{"chat_id":1,"timestamp":1,"input_length":20,"output_length":1,"hash_ids":[1]}',
      /^trace.txt:1: 1 blocks of 16 tokens cannot hold a prompt of 20 tokens/,
    ],
    ['bailian', '{"chat_id":1,"timestamp":null}', /^trace.txt:1: timestamp: expected a number, found null/],
    [
      'dynamo-requests',
      '{"schema":"v0"}',
      /^trace.txt:1: schema: expected dynamo.request.trace.v1, found v0/,
    ],
    [
      'dynamo-requests',
      '{"schema":"dynamo.request.trace.v1","event_type":"request_end"}',
      /^trace.txt:1: request: expected an object, found nothing/,
    ],
    [
      'aiperf',
      '{"metadata":{"request_start_ns":1},"metrics":{"input_sequence_length":5}}',
      /^trace.txt:1: metrics.input_sequence_length: expected an object, found 5/,
    ],
    [
      'llmservingsim',
      '{"sub_requests":[]}',
      /^trace.txt:1: sub_requests: is for --format llmservingsim-sessions/,
    ],
    [
      'tracelab',
      '{"session_id":"s","input_tokens_total":1,"timing_events":[]}',
      /^trace.txt: holds no request/,
    ],
    [
      'lengths',
      'input_length,output_length\n5,6',
      /^trace.txt:2: the trace has no times; trace convert --rate makes some up/,
    ],
    ['bench', '{"input_lens":[1,2],"output_lens":[3]}', /^trace.txt:1: output_lens: expected as many as/],
    ['sharegpt', '[{"conversations":[', /^trace.txt:1: .*\(column \d+\)/],
    [
      'tracelab',
      '{"session_id":"s","input_tokens_total":1,"timing_events":[{"timestamp":"noon"}]}',
      /^trace.txt:1: timing_events\[0\].timestamp: expected an ISO 8601 time, found "noon"/,
    ],
    ['sharegpt', '{"id":1}', /^trace.txt:1: conversations: expected a list, found nothing/],
    ['sharegpt', '17', /^trace.txt: expected a JSON list/],
    [
      'sharegpt',
      '[{"conversations":[{"from":"human"}]}]',
      /^trace.txt:1: conversations\[0\].value: expected a text, found nothing/,
    ],
    [
      'aiperf-inputs',
      '{"data":[{"payloads":[{"prompt":"x"}]}]}',
      /^trace.txt:1: payloads\[0\].max_completion_tokens: is missing/,
    ],
    ['aiperf-inputs', '{"data":[{}]}', /^trace.txt:1: payloads: expected a list, found nothing/],
    [
      'llmservingsim-sessions',
      '{"session_id":"s","arrival_time_ns":1,"sub_requests":[{"input_toks":1.5}]}',
      /^trace.txt:1: sub_requests\[0\].input_toks: expected a whole number/,
    ],
    ['weka', '{"id":"t","requests":[{"type":"n","t":"0"}]}', /^trace.txt:1: requests\[0\].in: /],
  ])('%s: %s', (format, text, says) => {
    expect(() => rowsOf(format, text)).toThrow(says);
  });
});

describe('sessions', () => {
  it('claude-code: a round a message, side chains as children', () => {
    const line = (uuid: string, parentUuid: string | null, seconds: number, rest: object) => ({
      uuid,
      parentUuid,
      sessionId: 's',
      timestamp: `2026-01-01T00:00:${String(seconds).padStart(2, '0')}.000Z`,
      isSidechain: false,
      ...rest,
    });
    const answer = (id: string, input: number, cached: number, output: number) => ({
      type: 'assistant',
      message: {
        id,
        usage: {
          input_tokens: input,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: cached,
          output_tokens: output,
        },
      },
    });
    const { rows } = rowsOf(
      'claude-code',
      json(
        line('u1', null, 0, { type: 'user' }),
        // Two lines of one message: its last has the usage that counts.
        line('a1', 'u1', 3, answer('m1', 1000, 0, 1)),
        line('a2', 'a1', 4, answer('m1', 1000, 0, 50)),
        line('s1', 'a2', 5, { type: 'user', isSidechain: true }),
        line('s2', 's1', 7, { ...answer('m2', 300, 0, 9), isSidechain: true }),
        line('u2', 'a2', 10, { type: 'user' }),
        line('a3', 'u2', 12, answer('m3', 200, 1000, 7)),
      ),
    );
    expect(rows.map(({ hash_ids: _, ...row }) => row)).toEqual([
      { request_id: 'm1', session_id: 's', timestamp: 0, input_length: 1000, output_length: 50 },
      {
        request_id: 'm2',
        session_id: 's/s1',
        input_length: 300,
        output_length: 9,
        wait_for: ['m1'],
        delay: 1000,
      },
      {
        request_id: 'm3',
        session_id: 's',
        input_length: 1200,
        output_length: 7,
        wait_for: ['m1', 'm2'],
        delay: 3000,
      },
    ]);
    expect(rows[2].hash_ids[0]).toBe(rows[0].hash_ids[0]);
  });

  it('codex: a round a count of tokens', () => {
    const event = (seconds: number, payload: object, type = 'event_msg') => ({
      timestamp: `2026-01-01T00:00:0${seconds}Z`,
      type,
      payload,
    });
    const tokens = (input_tokens: number, cached_input_tokens: number) => ({
      type: 'token_count',
      info: { last_token_usage: { input_tokens, cached_input_tokens, output_tokens: 5 } },
    });
    const { rows } = rowsOf(
      'codex',
      json(
        event(0, { id: 'r' }, 'session_meta'),
        event(1, { type: 'user_message' }),
        event(3, tokens(600, 0)),
        event(4, { type: 'function_call_output' }, 'response_item'),
        event(6, tokens(1100, 600)),
      ),
    );
    expect(rows).toEqual([
      { session_id: 'r', timestamp: 0, input_length: 600, output_length: 5, hash_ids: [0, 1] },
      { session_id: 'r', delay: 1000, input_length: 1100, output_length: 5, hash_ids: [0, 2, 3] },
    ]);
  });

  it('no round starts before the one before it has ended, whatever the trace says', () => {
    const round = fc.record({ session: fc.constantFrom('a', 'b'), at: fc.nat(1000), took: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(round, { minLength: 1 }), (rounds) => {
        const lines = rounds.map(({ session, at, took }) => `${at},${session},${took},m,5,6,11,log`);
        const header =
          'Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type';
        const { rows } = rowsOf('burstgpt', [header, ...lines].join('\n'));
        expect(rows).toHaveLength(rounds.length);
        const begun = new Set<string>();
        for (const { session_id, timestamp, delay } of rows) {
          expect(timestamp === undefined).toBe(begun.has(session_id));
          if (begun.has(session_id)) expect(delay).toBeGreaterThanOrEqual(0);
          begun.add(session_id);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('mooncake: turns, priorities, outputs and numbers of any size stay as they are', () => {
    const text = [
      '{"session_id":"s","timestamp":5,"input_length":600,"output_length":3,"hash_ids":[18446744073709551615,2],"priority":3}',
      '{"session_id":"s","delay":40.5,"input_length":600,"output_length":2,"hash_ids":[1,2],"output_token_ids":[7,8],"policy_class":"x"}',
    ].join('\n');
    expect([...convert(IMPORTERS.mooncake, source(text), OPTIONS, emptyConversion(512))].join('\n')).toBe(
      text,
    );
  });

  it('lengths alone get times from a rate, and a seed', () => {
    const text = `input_length,output_length\n${'100,5\n'.repeat(400)}`;
    const times = (seed: bigint) =>
      rowsOf('lengths', text, { ...OPTIONS, requestsPerSecond: 10, seed }).rows.map(
        ({ timestamp }) => timestamp,
      );
    expect(times(1n)).toEqual(times(1n));
    expect(times(1n)).not.toEqual(times(2n));
    expect(times(1n).at(-1)).toBeGreaterThan(30_000);
    expect(times(1n).at(-1)).toBeLessThan(50_000);
    const failed = JSON.stringify({
      input_lens: [9, 8, 7],
      output_lens: [1, 2, 3],
      errors: ['', 'timeout', ''],
    });
    const { rows, done } = rowsOf('bench', failed, { ...OPTIONS, requestsPerSecond: 1 });
    expect(rows.map(({ input_length }) => input_length)).toEqual([9, 7]);
    expect(done.leftOut.get('failed')).toBe(1);
  });

  it('otel: spans of language models', () => {
    const attribute = (key: string, value: object) => ({ key, value });
    const span = {
      startTimeUnixNano: '1000000000',
      endTimeUnixNano: '3000000000',
      attributes: [
        attribute('gen_ai.usage.input_tokens', { intValue: '700' }),
        attribute('gen_ai.usage.output_tokens', { intValue: '20' }),
        attribute('gen_ai.conversation.id', { stringValue: 'c' }),
      ],
    };
    const other = { startTimeUnixNano: '0', attributes: [] };
    const text = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [other, span] }] }] }, null, 2);
    expect(rowsOf('otel', text).rows).toEqual([
      { session_id: 'c', timestamp: 0, input_length: 700, output_length: 20, hash_ids: [0, 1] },
    ]);
  });

  it('blis: sessions, prefix groups and what the server counted; failed ones left out', () => {
    const header =
      'request_id,slo_class,session_id,round_index,prefix_group,prefix_length,input_tokens,output_tokens,server_input_tokens,arrival_time_us,send_time_us,first_chunk_time_us,last_chunk_time_us,status,error_message';
    const text = [
      header,
      '0,standard,,0,g,1024,100,5,1130,1000000,0,0,0,ok,',
      '1,standard,,0,g,1024,600,5,0,1500000,0,0,0,ok,',
      '2,standard,s,0,,0,500,7,520,2000000,2250000,2300000,3250000,ok,',
      '3,standard,s,1,,0,500,7,0,4000000,4250000,4300000,5250000,ok,',
      '4,standard,s,2,,0,500,7,0,6000000,0,0,0,timeout,"slow, then gone"',
    ].join('\n');
    const { rows, done } = rowsOf('blis', text);
    expect(rows.map(({ hash_ids: _, ...row }) => row)).toEqual([
      { timestamp: 0, input_length: 1124, output_length: 5 },
      { timestamp: 500, input_length: 1624, output_length: 5 },
      { session_id: 's', timestamp: 1250, input_length: 520, output_length: 7 },
      { session_id: 's', delay: 1000, input_length: 500, output_length: 7 },
    ]);
    const [first, second, ...others] = rows.map(({ hash_ids }) => hash_ids);
    expect(second.slice(0, 2)).toEqual(first.slice(0, 2));
    const ids = [...first, ...second.slice(2), ...others.flat()];
    expect(new Set(ids).size).toBe(ids.length);
    expect([...done.leftOut]).toEqual([['status timeout', 1]]);
  });

  it('servegen: seconds', () => {
    const { rows } = rowsOf(
      'servegen',
      'request_id,timestamp,input_tokens,output_tokens\n0,1.5,10,3\n1,2,20,4',
    );
    expect(
      rows.map(({ timestamp, input_length, output_length }) => [timestamp, input_length, output_length]),
    ).toEqual([
      [0, 10, 3],
      [500, 20, 4],
    ]);
  });

  it('llmservingsim: rows that were measured have seconds', () => {
    const row = (arrival_time: number) => ({
      input_toks: 5,
      output_toks: 3,
      arrival_time,
      first_token_ts: 9,
    });
    const { rows } = rowsOf('llmservingsim', json(row(1787267980.25), row(1787267981.5)));
    expect(rows.map(({ timestamp }) => timestamp)).toEqual([0, 1250]);
  });

  it('bench: newer files have times of arrival', () => {
    const run = {
      input_lens: [4, 5, 6],
      output_lens: [1, 2, 3],
      start_times: [2, 1, 5],
      errors: ['', '', 'x'],
    };
    const { rows, done } = rowsOf('bench', JSON.stringify(run));
    expect(rows.map(({ timestamp, input_length }) => [timestamp, input_length])).toEqual([
      [1000, 4],
      [0, 5],
    ]);
    expect([...done.leftOut]).toEqual([['failed', 1]]);
  });

  it('llmservingsim: equal tokens at the beginning are equal blocks', () => {
    const row = (arrival_time_ns: number, input_tok_ids: number[]) => ({
      input_toks: input_tok_ids.length,
      output_toks: 1,
      arrival_time_ns,
      input_tok_ids,
    });
    const { rows } = rowsOf('llmservingsim', json(row(0, [1, 2, 3, 4, 5]), row(1, [1, 2, 9, 9])), {
      ...OPTIONS,
      blockTokens: 2,
    });
    expect(rows.map(({ hash_ids }) => hash_ids)).toEqual([
      [0, 1, 2],
      [0, 3],
    ]);
  });

  it('weka: a turn that overlapped the one before follows its start, and the last that had ended', () => {
    const turn = (t: number, api_time: number) => ({ t, api_time, type: 'n', in: 64, out: 5, hash_ids: [t] });
    const trace = {
      id: 't',
      models: ['m'],
      block_size: 32,
      requests: [turn(0, 1), turn(2, 5), turn(3, 1), turn(8, 1)],
    };
    const blocks = JSON.stringify(trace, null, 2).replaceAll('"in": 64', '"in": 32');
    const { rows, done } = rowsOf('weka', blocks);
    expect(done).toMatchObject({ blockTokens: 32, rows: 4 });
    const [header, ...requests] = rows;
    expect(header).toMatchObject({ schema: 'dynamo.agentic_mooncake', version: 2, block_size: 32 });
    const edges = requests.map(({ dependencies }) =>
      dependencies.map((edge: Record<string, unknown>) => [edge.request_id, edge.trigger, edge.delay_ms]),
    );
    expect(edges).toEqual([
      [],
      [['t:0', 'completion', 1000]],
      [
        ['t:0', 'completion', 2000],
        ['t:1', 'dispatch', 1000],
      ],
      [['t:1', 'completion', 1000]],
    ]);
    expect(requests[0].not_before_ms).toBe(0);
  });
});

describe('formats that a replay reads', () => {
  const HEADER = { schema: 'dynamo.agentic_mooncake', version: 2, block_size: 64, hash_id_scope: 'local' };
  const agent = (request_id: string, play_id: string, hash_ids: number[], rest = {}) => ({
    request_id,
    play_id,
    session_id: play_id,
    input_length: hash_ids.length * 64,
    output_length: 5,
    hash_ids,
    ...rest,
  });

  it('agentic_mooncake: rows and their header come out as they went in', () => {
    const linked = [
      HEADER,
      agent('a', 'p', [1], { not_before_ms: 0 }),
      agent('b', 'p', [1, 2], { dependencies: [{ request_id: 'a', trigger: 'dispatch', delay_ms: 3 }] }),
      agent('c', 'q', [1], { not_before_ms: 9 }),
    ];
    const { rows, done } = rowsOf('agentic_mooncake', json(...linked));
    expect(rows).toEqual(linked);
    expect(done).toMatchObject({ rows: 3, blockTokens: 64, inputTokens: 256, outputTokens: 15 });
    const flat = [
      agent('a', 'p', [1], { timestamp: 0 }),
      agent('b', 'p', [1, 2], { wait_for: ['a'], delay: 4 }),
    ];
    expect(rowsOf('agentic_mooncake', json(...flat)).rows).toEqual(flat);
  });

  it('mooncake-delta: a turn is counted with all that was said before', () => {
    const turn = (session_id: string, input_length: number) => ({
      session_id,
      input_length,
      output_length: 3,
    });
    const { rows, done } = rowsOf(
      'mooncake-delta',
      json(
        { ...turn('a', 200), timestamp: 0 },
        { ...turn('b', 100), timestamp: 1 },
        turn('a', 300),
        turn('a', 400),
      ),
    );
    expect(rows[2]).toEqual(turn('a', 300));
    expect(done.inputTokens).toBe(200 + 100 + 503 + 906);
  });

  it('applied_compute_agentic: turns grow by answers and outputs of tools, and wait for those', () => {
    const session = {
      num_turns: 2,
      input_prompt_length: 1000,
      assistant_response_length: [30, 40],
      tool_call_output_length: [500, 600],
      tool_call_latency: [0.5, 2],
      final_assistant_response_length: 7,
    };
    const text = json(session, session);
    expect(() => rowsOf('applied_compute_agentic', text)).toThrow(
      /the trace has no times; trace convert --rate/,
    );
    const { rows } = rowsOf('applied_compute_agentic', text, { ...OPTIONS, requestsPerSecond: 1 });
    const one = rows.filter(({ session_id }) => session_id === 'session-1');
    expect(one.map(({ delay, input_length, output_length }) => [delay, input_length, output_length])).toEqual(
      [
        [undefined, 1000, 30],
        [500, 1530, 40],
        [2000, 2170, 7],
      ],
    );
    expect(one[1].hash_ids[0]).toBe(one[0].hash_ids[0]);
    expect(rows).toHaveLength(6);
  });
});

describe('a file is recognised', () => {
  it.each<[string, string]>([
    ['mooncake', '{"timestamp":0,"input_length":1,"output_length":1,"hash_ids":[1]}\n{}'],
    ['bailian', '{"chat_id":1,"parent_chat_id":-1,"timestamp":0,"hash_ids":[1]}'],
    ['azure', '\uFEFFTIMESTAMP,ContextTokens,GeneratedTokens\n'],
    ['sharegpt', '[\n  {"id": "x", "conversations": [\n {"from"'],
    ['aiperf-inputs', '{"data": [{"session_id"'],
    ['claude-code', '{"parentUuid":null,"sessionId":"s","uuid":"u"}'],
    ['dynamo-requests', '{"schema":"dynamo.request.trace.v1","event_type":"request_end"}'],
    ['weka', '{\n "id": "t",\n "models": [],\n "requests": ['],
    ['bench', '{"input_lens":[1],"output_lens":[2]}'],
    ['agentic_mooncake', '{"schema":"dynamo.agentic_mooncake","version":2}'],
    ['agentic_mooncake', '{"request_id":"a","wait_for":[],"hash_ids":[1]}'],
    ['applied_compute_agentic', '{"num_turns":1,"input_prompt_length":5}'],
    ['blis', 'request_id,session_id,round_index,input_tokens,output_tokens,arrival_time_us'],
    ['servegen', 'request_id,timestamp,input_tokens,output_tokens'],
    ['chat', '{"conversation_id":"c","model":"m","conversation":[{"content":"hi","role":"user"}]}'],
  ])('%s', (format, head) => {
    expect(recognise(head)).toEqual({ format });
  });

  it('as what it is where it is no trace', () => {
    expect(recognise('version https://git-lfs.github.com/spec/v1')?.isNot).toContain('Git LFS');
    expect(recognise('<!DOCTYPE html>')?.isNot).toContain('HTML');
    expect(recognise('[{"timestamp":0,"hash_ids":[1]}]')?.isNot).toContain('a JSON list of mooncake');
    expect(recognise('hello')).toBeUndefined();
  });
});

describe('inspection', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-traces-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  async function facts(text: string, blockTokens = 512, format: FormatName = 'mooncake') {
    const path = join(folder, 'trace.jsonl');
    writeFileSync(path, text);
    const file = await TextFile.open(path);
    try {
      const options = { ...OPTIONS, blockTokens };
      return inspectFile({
        file,
        source: source(text),
        format,
        importer: IMPORTERS[format],
        options,
      });
    } finally {
      file.close();
    }
  }

  const row = (timestamp: number, hash_ids: number[], output_length: number) => ({
    timestamp,
    input_length: hash_ids.length * 512,
    output_length,
    hash_ids,
  });

  it('counts lengths, arrivals and blocks, in order of time', async () => {
    const rows = [row(0, [1, 2], 3), row(1000, [1, 2, 3], 5), row(3000, [4, 2], 9), row(4000, [1], 17)];
    const found = await facts(json(...rows));
    expect(found).toMatchObject({
      requests: 4,
      durationMs: 4000,
      requestsPerSecond: 0.75,
      peakPerSecond: { over1s: 1, over10s: 0.4 },
      inputTokens: 8 * 512,
      outputTokens: 34,
      blockRefs: 8,
      distinctBlocks: 4,
      prefixGroups: { groups: 1, requestPart: 3 / 4 },
      warnings: [],
    });
    // 1 and 2 again for the second request, 1 again for the last; the 2 behind an unknown 4 is no prefix.
    expect(found.idealHitRatio).toBe(3 / 8);
    // Distances: 1 and 2 with one other block between, 1 with three (2, 3, 4).
    expect(found.cache).toEqual([
      { blocks: 1, hitRatio: 0 },
      { blocks: 2, hitRatio: 2 / 8 },
      { blocks: 4, hitRatio: 3 / 8 },
    ]);
    expect(found.uniqueTokens).toMatchObject({ min: 0, max: 1024 });
    expect(found.outputHistogram.map(({ from, count }) => [from, count])).toEqual([
      [2, 1],
      [4, 1],
      [8, 1],
      [16, 1],
    ]);
    const shuffled = await facts(json(rows[2], rows[0], rows[3], rows[1]));
    expect(shuffled).toEqual({ ...found, warnings: [expect.stringContaining('not in order of time')] });
  });

  it('finds what prompts share in order of time in other formats too', async () => {
    const chat = (seconds: number, hash_ids: number[]) => ({
      chat_id: seconds,
      parent_chat_id: -1,
      timestamp: seconds,
      input_length: hash_ids.length * 16,
      output_length: 3,
      hash_ids,
    });
    const chats = [chat(0, [1, 2]), chat(1, [3]), chat(2, [1, 2, 4]), chat(3, [3, 5])];
    const found = await facts(json(...chats), 16, 'bailian');
    expect(found.cache).toEqual([
      { blocks: 1, hitRatio: 0 },
      { blocks: 2, hitRatio: 0 },
      { blocks: 4, hitRatio: 3 / 8 },
    ]);
    const shuffled = await facts(json(chats[2], chats[0], chats[3], chats[1]), 16, 'bailian');
    expect(shuffled).toEqual({ ...found, warnings: [expect.stringContaining('not in order of time')] });
  });

  it('takes turns that have a delay and no time, and warns of blocks that do not fit', async () => {
    const turns = [
      { session_id: 's', ...row(0, [1], 2) },
      { session_id: 's', delay: 250, input_length: 512, output_length: 0, hash_ids: [1] },
    ];
    expect(await facts(json(...turns))).toMatchObject({
      requests: 2,
      sessions: 1,
      thinkMs: { mean: 250 },
      warnings: ['1 of 2 requests ask for no output'],
    });
    const [warning] = (await facts(json(row(0, [1, 2, 3], 1)), 64)).warnings;
    expect(warning).toContain('1 of 1 prompts have another number of blocks');
  });

  it('finds what a cache of that size would find of unbroken prefixes', async () => {
    const prompt = fc.array(fc.nat(6), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(prompt, { minLength: 1, maxLength: 120 }), async (prompts) => {
        // A block is its content and all before it.
        const named = prompts.map((prompt) =>
          prompt.map((_, i) => prompt.slice(0, i + 1).reduce((a, b) => a * 10 + b + 1, 0)),
        );
        const rows = named.map((hash_ids, i) => ({ ...row(i, hash_ids, 1) }));
        for (const { blocks, hitRatio } of (await facts(json(...rows))).cache) {
          let cached: number[] = [];
          let hits = 0;
          for (const ids of named) {
            let isPrefix = true;
            for (const id of ids) {
              isPrefix &&= cached.slice(0, blocks).includes(id);
              if (isPrefix) hits++;
              cached = [id, ...cached.filter((other) => other !== id)];
            }
          }
          expect(hitRatio).toBeCloseTo(hits / named.flat().length, 12);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('slices and scales', () => {
  const rows = [
    { timestamp: 0, input_length: 600, output_length: 10, hash_ids: [1, 2], priority: 3 },
    { session_id: 's', timestamp: 1500, input_length: 100, output_length: 5, hash_ids: [7] },
    { session_id: 's', delay: 40, input_length: 200, output_length: 5, hash_ids: [7] },
    { timestamp: 2500, input_length: 512, output_length: 1, hash_ids: [9] },
  ];
  const text = json(...rows);
  const most = Number.POSITIVE_INFINITY;
  const all = { fromMs: 0, toMs: most, most, maxGapMs: most };
  const sliced = (part: Partial<typeof all>) =>
    [...slice(source(text), { ...all, ...part })].map((row) => JSON.parse(row));
  const scaled = (factors: object) =>
    [...scale(source(text), { rate: 1, input: 1, output: 1, ...factors }, 512)].map((row) => JSON.parse(row));

  it('keep everything about a row but its time, and turns with their session', () => {
    expect(sliced({})).toEqual(rows);
    expect(sliced({ fromMs: 1000, toMs: 2000 })).toEqual([{ ...rows[1], timestamp: 500 }, rows[2]]);
    expect(sliced({ most: 1 })).toEqual([rows[0]]);
    expect(sliced({ maxGapMs: 600 }).map(({ timestamp }) => timestamp)).toEqual([0, 600, undefined, 1200]);
    expect(() => sliced({ fromMs: 9000 })).toThrow('trace.txt: no request begins in the span');
    expect(() => [...slice(source('{"request_id":"a"}'), all)]).toThrow(/trace.txt:1: rows of a graph/);
  });

  it('change rates and lengths, with blocks of their own for what is added', () => {
    expect(scaled({})).toEqual(rows);
    expect(scaled({ rate: 2 })[2].delay).toBe(20);
    expect(scaled({ rate: 2 })[3].timestamp).toBe(1250);
    expect(scaled({ input: 2 }).map(({ input_length, hash_ids }) => [input_length, hash_ids])).toEqual([
      [1200, [1, 2, 10]],
      [200, [7]],
      [400, [7]],
      [1024, [9, 11]],
    ]);
    expect(scaled({ input: 0.5, output: 0.1 })[0]).toEqual({
      ...rows[0],
      input_length: 300,
      hash_ids: [1],
      output_length: 1,
    });
  });

  it('keep 64-bit hash ids', () => {
    const row = '{"timestamp":0,"input_length":5,"output_length":1,"hash_ids":[18446744073709551615]}';
    expect([...scale(source(row), { rate: 1, input: 1, output: 1 }, 512)]).toEqual([row]);
  });
});

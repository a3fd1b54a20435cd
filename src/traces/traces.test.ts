import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convert, emptyConversion } from './convert.js';
import { scale, slice } from './edit.js';
import type { TraceSource } from './form.js';
import type { FormatName } from './formats.js';
import { IMPORTERS } from './importers.js';
import { inspect } from './inspect.js';

function source(text: string): TraceSource {
  return {
    path: 'trace.txt',
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

function rowsOf(format: string, text: string, options = OPTIONS) {
  const importer = IMPORTERS[format as FormatName];
  const done = emptyConversion(importer.blockTokens ?? options.blockTokens);
  const rows = [...convert(importer, source(text), options, done)].map((row) => JSON.parse(row));
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
    expect(done).toMatchObject({ rows: 2, inputTokens: 1770, outputTokens: 153, leftOut: 0 });
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
    const { rows } = rowsOf('burstgpt', text);
    expect(
      rows.map(({ timestamp, input_length, output_length }) => [timestamp, input_length, output_length]),
    ).toEqual([
      [0, 472, 18],
      [40000, 1087, 230],
    ]);
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
    expect(rows[1]).toEqual({ timestamp: 1000, input_length: 33, output_length: 9, hash_ids: [1089, 7, 8] });
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
      [3.5, 2],
    ]);
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
    expect(rows[1].timestamp).toBe(2000);
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
      { timestamp: 0, input_length: 1000, output_length: 100, hash_ids: [0, 1] },
      { timestamp: 0, input_length: 1110, output_length: 1, hash_ids: [0, 2, 3] },
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
      { timestamp: 0, input_length: 1024, output_length: 7, hash_ids: [0, 1] },
      { timestamp: 0, input_length: 1125, output_length: 7, hash_ids: [0, 1, 2] },
      { timestamp: 1000, input_length: 2, output_length: 3, hash_ids: [3] },
      { timestamp: 2000, input_length: 1, output_length: 1, hash_ids: [4] },
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
        delay: 3000,
      },
    ]);
    expect(rows[5].hash_ids).toEqual([5]);
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
    expect(done).toMatchObject({ rows: 1, leftOut: 1 });
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
      /^trace.txt:2: TIMESTAMP: expected a time such as .*, found "yesterday"/,
    ],
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
      'mooncake',
      '{"timestamp":1,"input_length":600,"output_length":1,"hash_ids":[1]}',
      /^trace.txt:1: 1 blocks of 512 tokens cannot hold a prompt of 600 tokens/,
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
      /^trace.txt:1: timing_events: is empty/,
    ],
    [
      'tracelab',
      '{"session_id":"s","input_tokens_total":1,"timing_events":[{"timestamp":"noon"}]}',
      /^trace.txt:1: timing_events\[0\].timestamp: expected an ISO 8601 time, found "noon"/,
    ],
    ['sharegpt', '{"id":1}', /^trace.txt: expected a JSON list/],
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

describe('inspection', () => {
  const facts = (text: string) => inspect(IMPORTERS.mooncake.read(source(text), OPTIONS));

  it('counts lengths, arrivals and blocks', () => {
    const row = (timestamp: number, hash_ids: number[], output_length: number) => ({
      timestamp,
      input_length: hash_ids.length * 512,
      output_length,
      hash_ids,
    });
    const found = facts(
      json(row(0, [1, 2], 3), row(1000, [1, 2, 3], 5), row(3000, [4, 2], 9), row(4000, [1], 17)),
    );
    expect(found).toMatchObject({
      requests: 4,
      durationMs: 4000,
      requestsPerSecond: 0.75,
      blockRefs: 8,
      distinctBlocks: 4,
    });
    // 1 and 2 again for the second request, 1 again for the last; the 2 behind an unknown 4 is no prefix.
    expect(found.idealHitRatio).toBe(3 / 8);
    // Distances: 1 and 2 with one other block between, 2 with two (3, 4), 1 with three (2, 3, 4).
    expect(found.cache).toEqual([
      { blocks: 1, hitRatio: 0 },
      { blocks: 2, hitRatio: 2 / 8 },
      { blocks: 4, hitRatio: 4 / 8 },
    ]);
    expect(found.burstiness).toBeCloseTo(
      Math.sqrt((2 * (1000 - 4000 / 3) ** 2 + (2000 - 4000 / 3) ** 2) / 3) / (4000 / 3),
      12,
    );
    expect(found.outputHistogram).toEqual([
      { from: 2, to: 4, count: 1 },
      { from: 4, to: 8, count: 1 },
      { from: 8, to: 16, count: 1 },
      { from: 16, to: 32, count: 1 },
    ]);
  });

  it('finds what a cache of that size would find', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 300 }), (uses) => {
        const rows = uses.map((block, i) => ({
          timestamp: i,
          input_length: 512,
          output_length: 1,
          hash_ids: [block],
        }));
        for (const { blocks, hitRatio } of facts(json(...rows)).cache) {
          let cached: number[] = [];
          let hits = 0;
          for (const block of uses) {
            if (cached.includes(block)) hits++;
            cached = [block, ...cached.filter((other) => other !== block)].slice(0, blocks);
          }
          expect(hitRatio).toBeCloseTo(hits / uses.length, 12);
        }
      }),
      { numRuns: 50 },
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
  const all = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, most: Number.POSITIVE_INFINITY };
  const sliced = (part: Partial<typeof all>) =>
    [...slice(source(text), { ...all, ...part })].map((row) => JSON.parse(row));
  const scaled = (factors: object) =>
    [...scale(source(text), { rate: 1, input: 1, output: 1, ...factors }, 512)].map((row) => JSON.parse(row));

  it('keep everything about a row but its time, and turns with their session', () => {
    expect(sliced({})).toEqual(rows);
    expect(sliced({ fromMs: 1000, toMs: 2000 })).toEqual([{ ...rows[1], timestamp: 500 }, rows[2]]);
    expect(sliced({ most: 1 })).toEqual([rows[0]]);
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

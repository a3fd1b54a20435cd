import { BlockMint } from './blocks.js';
import { type Fields, jsonRows } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

function request(
  row: Fields,
  fields: Omit<TraceRequest, 'line' | 'session' | 'blocks'> & Partial<TraceRequest>,
) {
  return { line: row.line, session: undefined, blocks: undefined, ...fields };
}

/** Plain rows; `input_tokens`, `output_tokens` and `created_time` are other names of their fields. */
export const mooncake: Importer = {
  *read(source) {
    for (const row of jsonRows(source)) {
      const either = (a: string, b: string) => (row.has(a) ? a : b);
      const isTurn = row.has('delay') || row.has('delay_ms');
      const time = either('timestamp', 'created_time');
      yield request(row, {
        startMs: isTurn && !row.has(time) ? undefined : row.number(time),
        ...(isTurn && { delayMs: row.number(either('delay', 'delay_ms')) }),
        verbatim: row.json,
        inputTokens: row.tokens(either('input_length', 'input_tokens')),
        outputTokens: row.tokens(either('output_length', 'output_tokens')),
        blocks: row.blocks('hash_ids'),
        session: row.has('session_id') ? row.text('session_id') : undefined,
      });
    }
  },
};

/** Complete prompts in blocks of 16 tokens; a chat is the turns that lead back to one root. */
export const bailian: Importer = {
  blockTokens: 16,
  *read(source) {
    const rootOf = new Map<string, string>();
    for (const row of jsonRows(source)) {
      const chat = row.text('chat_id');
      const parent = row.has('parent_chat_id') ? row.text('parent_chat_id') : '-1';
      const root = rootOf.get(parent) ?? chat;
      rootOf.set(chat, root);
      yield request(row, {
        startMs: row.number('timestamp') * 1000,
        inputTokens: row.tokens('input_length'),
        outputTokens: row.tokens('output_length'),
        blocks: row.blocks('hash_ids'),
        session: root,
      });
    }
  },
};

/** Flat rows only; times in nanoseconds, or in seconds in rows that were measured. Where rows list the tokens of their prompts, equal beginnings are shared. */
export const llmservingsim: Importer = {
  *read(source, { blockTokens }) {
    const mint = new BlockMint(blockTokens);
    for (const row of jsonRows(source)) {
      if (row.has('sub_requests'))
        row.fail(
          'sub_requests',
          'is for --format llmservingsim-sessions; flat rows have input_toks and output_toks',
        );
      const inputTokens = row.tokens('input_toks');
      yield request(row, {
        startMs: row.has('arrival_time')
          ? row.number('arrival_time') * 1000
          : row.number('arrival_time_ns') / 1e6,
        inputTokens,
        outputTokens: row.tokens('output_toks'),
        blocks: row.has('input_tok_ids')
          ? mint.ofTokens(row.blocks('input_tok_ids'))
          : mint.fresh(inputTokens),
      });
    }
  },
};

/**
 * `request_end` events, which carry lengths, measured latencies and 64-bit hashes of blocks; plain, or within an `event`.
 */
export const dynamoRequests: Importer = {
  *read(source) {
    let blockTokens: number | undefined;
    for (const line of jsonRows(source)) {
      const row = line.has('event') ? line.object('event') : line;
      if (row.text('schema') !== 'dynamo.request.trace.v1')
        row.fail('schema', `expected dynamo.request.trace.v1, found ${row.text('schema')}`);
      if (row.text('event_type') !== 'request_end') continue;
      const fields = row.object('request');
      const replay = fields.has('replay') ? fields.object('replay') : undefined;
      if (replay) {
        const block = replay.tokens('trace_block_size');
        blockTokens ??= block;
        if (block !== blockTokens)
          replay.fail('trace_block_size', `differs from the ${blockTokens} of earlier rows: ${block}`);
      }
      yield request(row, {
        startMs: fields.number('request_received_ms'),
        endMs: fields.has('total_time_ms')
          ? fields.number('request_received_ms') + fields.number('total_time_ms')
          : undefined,
        inputTokens:
          replay && !fields.has('input_tokens')
            ? replay.tokens('input_length')
            : fields.tokens('input_tokens'),
        outputTokens: fields.tokens('output_tokens'),
        blocks: replay?.blocks('input_sequence_hashes'),
        blockTokens: replay && blockTokens,
        session: row.has('agent_context') ? row.object('agent_context').text('session_id') : undefined,
      });
    }
  },
};

/** A record a request: `metadata` with its start in nanoseconds, `metrics` with lengths. */
export const aiperfRecords: Importer = {
  *read(source, { leaveOut }) {
    for (const row of jsonRows(source)) {
      const metadata = row.object('metadata');
      if (metadata.has('benchmark_phase') && metadata.text('benchmark_phase') !== 'profiling') {
        leaveOut?.('sent before or after the profiling phase');
        continue;
      }
      if (row.has('error') || row.values.get('error_details') instanceof Map) {
        leaveOut?.('failed');
        continue;
      }
      const metrics = row.object('metrics');
      yield request(row, {
        startMs: metadata.number('request_start_ns') / 1e6,
        inputTokens: metrics.object('input_sequence_length').tokens('value'),
        outputTokens: metrics.object('output_sequence_length').tokens('value'),
        endMs: metadata.has('request_end_ns') ? metadata.number('request_end_ns') / 1e6 : undefined,
        session: conversationOf(metadata),
      });
    }
  },
};

/** A conversation that is held several times has one id, and a correlation id for each time. */
function conversationOf(metadata: Fields): string | undefined {
  if (!metadata.has('conversation_id')) return undefined;
  const id = metadata.text('conversation_id');
  return metadata.has('x_correlation_id') ? `${id}/${metadata.text('x_correlation_id')}` : id;
}

/** A row a request with its lengths and its start in milliseconds, as logs of vLLM and SGLang can be brought to. */
export const requestLog: Importer = {
  *read(source) {
    for (const row of jsonRows(source))
      yield request(row, {
        startMs: row.number('arrival_ms'),
        inputTokens: row.tokens('input_length'),
        outputTokens: row.tokens('output_length'),
      });
  },
};

/** Events of a round that are given to the model. */
const INPUT_EVENTS = new Set(['user_message', 'tool_result']);

/**
 * A line a round of a coding agent, which starts when the last of what it is given is there; it keeps `prefix_tokens` of
 * the round before it. Rounds without events have no time and are left out.
 */
export const tracelab: Importer = {
  *read(source, { blockTokens, leaveOut }) {
    const mint = new BlockMint(blockTokens);
    for (const row of jsonRows(source)) {
      const session = row.text('session_id');
      const inputTokens = row.tokens('input_tokens_total');
      const events = row.objects('timing_events').map((event) => ({
        isInput: INPUT_EVENTS.has(event.has('type') ? event.text('type') : ''),
        atMs: event.time('timestamp'),
      }));
      if (events.length === 0) {
        leaveOut?.('a round without events');
        continue;
      }
      const given = events.filter(({ isInput }) => isInput);
      const latest = (times: readonly { atMs: number }[]) => Math.max(...times.map(({ atMs }) => atMs));
      const startMs = given.length > 0 ? latest(given) : events[0].atMs;
      yield request(row, {
        startMs,
        endMs: Math.max(startMs, latest(events)),
        inputTokens,
        outputTokens: row.tokens('output_tokens'),
        blocks: mint.grown(session, inputTokens, row.tokens('prefix_tokens')),
        session,
      });
    }
  },
};

import { BlockMint } from './blocks.js';
import { csvRows, type Fields } from './fields.js';
import type { Importer, TraceRequest } from './form.js';

function request(row: Fields, startMs: number, input: string, output: string): TraceRequest {
  return {
    line: row.line,
    startMs,
    inputTokens: row.tokens(input),
    outputTokens: row.tokens(output),
    blocks: undefined,
    session: undefined,
  };
}

/** `TIMESTAMP,ContextTokens,GeneratedTokens`, the multimodal file's `NumImages` besides. */
export const azure: Importer = {
  *read(source) {
    let firstMs: number | undefined;
    for (const row of csvRows(source, ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'])) {
      const { wholeMs, restMs } = timestamp(row, 'TIMESTAMP');
      firstMs ??= wholeMs;
      yield request(row, wholeMs - firstMs + restMs, 'ContextTokens', 'GeneratedTokens');
    }
  },
};

/** A date and time: whole seconds since 1970, and the rest to the tenth of a microsecond. */
function timestamp(row: Fields, field: string): { wholeMs: number; restMs: number } {
  const text = row.text(field);
  const fraction = /\.\d+/.exec(text)?.[0] ?? '';
  const whole = new Map([[field, text.replace(fraction, '')]]);
  return { wholeMs: row.with(whole).time(field), restMs: Number(fraction === '' ? 0 : fraction) * 1000 };
}

/** By its header; rows without response tokens are requests that failed, and are left out. */
export const burstgpt: Importer = {
  *read(source, { leaveOut }) {
    for (const row of csvRows(source, ['Timestamp', 'Request tokens', 'Response tokens'])) {
      const startMs = row.number('Timestamp') * 1000;
      const made = request(row, startMs, 'Request tokens', 'Response tokens');
      if (made.outputTokens === 0) {
        leaveOut?.('failed');
        continue;
      }
      const named = (field: string) => row.has(field) && row.text(field) !== '';
      yield {
        ...made,
        ...(named('Session ID') && { session: row.text('Session ID') }),
        ...(named('Elapsed time') && { endMs: startMs + row.number('Elapsed time') * 1000 }),
      };
    }
  },
};

export const vidur: Importer = {
  *read(source) {
    for (const row of csvRows(source, ['arrived_at', 'num_prefill_tokens', 'num_decode_tokens']))
      yield request(row, row.number('arrived_at') * 1000, 'num_prefill_tokens', 'num_decode_tokens');
  },
};

export const splitwise: Importer = {
  *read(source) {
    for (const row of csvRows(source, ['arrival_timestamp', 'prompt_size', 'token_size']))
      yield request(row, row.number('arrival_timestamp') * 1000, 'prompt_size', 'token_size');
  },
};

/** Rows that ServeGen made: seconds and lengths; what else they have is of other kinds of models. */
export const servegen: Importer = {
  *read(source) {
    for (const row of csvRows(source, ['timestamp', 'input_tokens', 'output_tokens']))
      yield request(row, row.number('timestamp') * 1000, 'input_tokens', 'output_tokens');
  },
};

/**
 * Data of BLIS traces (TraceV2; their YAML header says nothing of requests). Times in microseconds. A prefix group
 * shares its first tokens, which are not among a request's own; those of other requests are as the server counted them,
 * where it did.
 */
export const blis: Importer = {
  *read(source, { blockTokens, leaveOut }) {
    const mint = new BlockMint(blockTokens);
    for (const row of csvRows(source, ['request_id', 'arrival_time_us', 'input_tokens', 'output_tokens'])) {
      const told = (field: string) => row.has(field) && row.text(field) !== '';
      const positive = (field: string) =>
        told(field) && row.number(field) > 0 ? row.number(field) : undefined;
      if (told('status') && row.text('status') !== 'ok') {
        leaveOut?.(`status ${row.text('status')}`);
        continue;
      }
      const group = told('prefix_group') ? row.text('prefix_group') : undefined;
      const prefixTokens = group !== undefined && told('prefix_length') ? row.tokens('prefix_length') : 0;
      const counted = group === undefined ? positive('server_input_tokens') : undefined;
      const inputTokens = counted ?? prefixTokens + row.tokens('input_tokens');
      const endUs = positive('last_chunk_time_us');
      yield {
        line: row.line,
        startMs: (positive('send_time_us') ?? row.number('arrival_time_us')) / 1000,
        endMs: endUs === undefined ? undefined : endUs / 1000,
        inputTokens,
        outputTokens: row.tokens('output_tokens'),
        blocks: group === undefined ? mint.fresh(inputTokens) : mint.grown(group, inputTokens, prefixTokens),
        session: told('session_id') ? row.text('session_id') : undefined,
      };
    }
  },
};

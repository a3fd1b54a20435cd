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

/** A date and time without zone: whole seconds since 1970, and the rest to the tenth of a microsecond. */
function timestamp(row: Fields, field: string): { wholeMs: number; restMs: number } {
  const text = row.text(field);
  const parts = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|\+00:00)?$/.exec(text);
  if (!parts) row.fail(field, `expected a time such as 2023-11-16 18:15:46.6805900, found "${text}"`);
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
  return {
    wholeMs: Date.UTC(year, month - 1, day, hour, minute, second),
    restMs: Number(parts[7] ?? 0) * 1000,
  };
}

/** By its header; rows without response tokens are requests that failed, and are left out. */
export const burstgpt: Importer = {
  *read(source) {
    for (const row of csvRows(source, ['Timestamp', 'Request tokens', 'Response tokens'])) {
      const made = request(row, row.number('Timestamp') * 1000, 'Request tokens', 'Response tokens');
      if (made.outputTokens > 0) yield made;
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

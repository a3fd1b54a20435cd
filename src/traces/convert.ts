import { InputError } from '../config/input-error.js';
import { BlockMint } from './blocks.js';
import type { Importer, ImportOptions, TraceRequest, TraceSource } from './form.js';

/** What a conversion made of a trace. */
export interface Conversion {
  rows: number;
  inputTokens: number;
  outputTokens: number;
  /** Requests without a prompt, which a replay cannot take. */
  leftOut: number;
  blockTokens: number;
}

/**
 * Mooncake rows of a foreign trace, in file order, times from its first request on; rows of `agentic_mooncake` for
 * graphs. The file is read twice, so that memory does not grow with it.
 * @param done filled in as rows are made
 */
export function* convert(
  importer: Importer,
  source: TraceSource,
  options: ImportOptions,
  done: Conversion,
): Generator<string> {
  let firstMs = Number.POSITIVE_INFINITY;
  for (const { startMs, blockTokens } of importer.read(source, options)) {
    if (startMs !== undefined && startMs < firstMs) firstMs = startMs;
    if (blockTokens !== undefined) done.blockTokens = blockTokens;
  }
  const mint = new BlockMint(done.blockTokens);
  for (const request of importer.read(source, options)) {
    if (request.inputTokens === 0) {
      done.leftOut++;
      continue;
    }
    done.rows++;
    done.inputTokens += request.inputTokens;
    done.outputTokens += request.outputTokens;
    yield rowText(
      request,
      firstMs,
      blocksOf(request, done.blockTokens, mint, source),
      importer.isGraph === true,
    );
  }
  if (done.rows === 0) throw new InputError(`${source.path}: holds no request`);
}

export function emptyConversion(blockTokens: number): Conversion {
  return { rows: 0, inputTokens: 0, outputTokens: 0, leftOut: 0, blockTokens };
}

/** As many blocks as the prompt needs; those that the trace does not tell are made up. */
function blocksOf(
  { line, blocks, inputTokens }: TraceRequest,
  blockTokens: number,
  mint: BlockMint,
  { path }: TraceSource,
): readonly string[] {
  const count = Math.ceil(inputTokens / blockTokens);
  if (blocks === undefined) return mint.fresh(inputTokens);
  if (blocks.length < count)
    throw new InputError(
      `${path}:${line}: ${blocks.length} blocks of ${blockTokens} tokens cannot hold a prompt of ${inputTokens} tokens`,
    );
  return blocks.slice(0, count);
}

function rowText(
  request: TraceRequest,
  firstMs: number,
  blocks: readonly string[],
  isGraph: boolean,
): string {
  const { startMs, inputTokens, outputTokens, session, id, waitFor = [], delayMs = 0 } = request;
  const fields: string[] = [];
  const add = (name: string, text: string) => fields.push(`"${name}":${text}`);
  if (isGraph) {
    add('request_id', JSON.stringify(id));
    if (session !== undefined) add('session_id', JSON.stringify(session));
  }
  if (startMs !== undefined) add('timestamp', numberText(startMs - firstMs));
  add('input_length', String(inputTokens));
  add('output_length', String(outputTokens));
  add('hash_ids', `[${blocks.join(',')}]`);
  if (waitFor.length > 0) {
    add('wait_for', JSON.stringify(waitFor));
    add('delay', numberText(delayMs));
  }
  return `{${fields.join(',')}}`;
}

/** Milliseconds to the nanosecond. */
function numberText(ms: number): string {
  return String(Math.round(ms * 1e6) / 1e6);
}

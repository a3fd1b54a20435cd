import { InputError } from '../config/input-error.js';
import type { FormatName } from '../config/trace-formats.js';
import { floatColumn, intColumn } from '../structures/column.js';
import { MooncakeRow } from '../workload/mooncake-row.js';
import { TextFile } from '../workload/text-file.js';
import { convert, emptyConversion, readTimed } from './convert.js';
import type { Importer, ImportOptions, TraceSource } from './form.js';
import { type Inspected, Inspection, type TraceFacts } from './inspect.js';

interface OpenTrace {
  file: TextFile;
  source: TraceSource;
  format: FormatName;
  importer: Importer;
  options: ImportOptions;
}

/**
 * Facts of a trace file, what prompts share in order of time. Requests of graphs have no times of their own but for the
 * first, so that those are looked at in order of the file.
 * @throws {InputError} for the first bad row, and for a file without requests
 */
export function inspectFile(trace: OpenTrace): TraceFacts {
  const { file, source, format, importer, options } = trace;
  const isPlain = format === 'mooncake' && options.requestsPerSecond === undefined;
  const inspection = isPlain ? rows(file, options.blockTokens) : requests(importer, source, options);
  const facts = inspection.facts();
  if (facts.requests === 0) throw new InputError(`${file.path}: holds no request`);
  if (isPlain || inspection.isOrdered || facts.blockRefs === 0) return facts;
  return { ...facts, ...sharedInOrder(trace) };
}

/** What prompts share, of a format whose requests turn out not to be in order: as rows, which can be sorted. */
function sharedInOrder({ file, source, importer, options }: OpenTrace): Partial<TraceFacts> {
  const done = emptyConversion(importer.blockTokens ?? options.blockTokens);
  const made = TextFile.of(file.path, convert(importer, source, options, done, 'open-loop'));
  try {
    const { blockRefs, distinctBlocks, idealHitRatio, hitRatio, uniqueTokens, prefixGroups, cache } = rows(
      made,
      done.blockTokens,
    ).facts();
    return { blockRefs, distinctBlocks, idealHitRatio, hitRatio, uniqueTokens, prefixGroups, cache };
  } finally {
    made.close();
  }
}

/** Rows are looked at in the order of the file, as most are in order of time; again where they turn out not to be. */
function rows(file: TextFile, blockTokens: number): Inspection {
  const inFileOrder = new Inspection(blockTokens);
  for (const { row, line } of rowsOf(file)) {
    inFileOrder.add(looked(row, file, line));
    if (!inFileOrder.isOrdered) return sortedRows(file, blockTokens);
  }
  return inFileOrder;
}

function sortedRows(file: TextFile, blockTokens: number): Inspection {
  const lines = intColumn();
  const offsets = floatColumn();
  const startsMs = floatColumn();
  let lastMs = 0;
  for (const { row, line } of rowsOf(file)) {
    lines.push(line);
    offsets.push(file.offset);
    lastMs = row.timestampMs ?? lastMs;
    startsMs.push(lastMs);
  }
  const order = Int32Array.from({ length: offsets.length }, (_, index) => index).sort(
    (a, b) => startsMs.data[a] - startsMs.data[b] || a - b,
  );
  const inspection = new Inspection(blockTokens);
  const row = new MooncakeRow('plain');
  for (const index of order) {
    const line = lines.data[index];
    file.readAt(offsets.data[index]);
    row.read(file, line);
    inspection.add(looked(row, file, line));
  }
  inspection.isOrdered = false;
  return inspection;
}

/** The rows of a file, each of them read into the same object. */
function* rowsOf(file: TextFile): Generator<{ row: MooncakeRow; line: number }> {
  const row = new MooncakeRow('plain');
  let more = file.readAt(0);
  for (let line = 1; more; line++, more = file.next()) {
    if (file.isBlank()) continue;
    row.read(file, line);
    yield { row, line };
  }
}

function looked(row: MooncakeRow, file: TextFile, line: number): Inspected {
  const { inputTokens, outputTokens } = row;
  if (inputTokens === undefined || outputTokens === undefined)
    throw new InputError(
      `${file.path}:${line}: ${inputTokens === undefined ? 'input_length' : 'output_length'}: missing`,
    );
  return {
    startMs: row.timestampMs,
    delayMs: row.delayMs,
    inputTokens,
    outputTokens,
    session: row.sessionId,
    low: row.hashLow,
    high: row.hashHigh,
    blocks: row.hashCount,
  };
}

function requests(importer: Importer, source: TraceSource, options: ImportOptions): Inspection {
  let inspection: Inspection | undefined;
  let low: Uint32Array = new Uint32Array(64);
  let high: Uint32Array = new Uint32Array(64);
  const ends = new Map<string, number>();
  for (const request of readTimed(importer, source, options)) {
    const { blocks, startMs, session, endMs, delayMs } = request;
    inspection ??= new Inspection(request.blockTokens ?? options.blockTokens);
    const count = blocks?.length ?? -1;
    if (count > low.length) {
      low = new Uint32Array(2 * count);
      high = new Uint32Array(2 * count);
    }
    for (let i = 0; i < count; i++) {
      const id = BigInt(blocks![i]);
      low[i] = Number(id & 0xffffffffn);
      high[i] = Number((id >> 32n) & 0xffffffffn);
    }
    const lastMs = session === undefined ? undefined : ends.get(session);
    const thinkMs = delayMs ?? (lastMs !== undefined && startMs !== undefined ? startMs - lastMs : undefined);
    inspection.add({
      ...request,
      delayMs: thinkMs === undefined ? undefined : Math.max(0, thinkMs),
      low,
      high,
      blocks: count,
    });
    if (session !== undefined && endMs !== undefined) ends.set(session, endMs);
  }
  const made = inspection ?? new Inspection(options.blockTokens);
  if (importer.isGraph) made.isOrdered = true;
  return made;
}

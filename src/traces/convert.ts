import { InputError } from '../config/input-error.js';
import { SeededRandom } from '../random/std-rng.js';
import { BlockMint } from './blocks.js';
import type { Importer, ImportOptions, TraceRequest, TraceSource } from './form.js';

/** What a conversion made of a trace. */
export interface Conversion {
  rows: number;
  sessions: number;
  inputTokens: number;
  outputTokens: number;
  /** Requests that a replay cannot take, by the reason. */
  leftOut: Map<string, number>;
  blockTokens: number;
}

const DEFAULT_SEED = 42n;

/** How turns of a session come: each after the one before, or at the times of the trace whatever happens. */
export type Arrivals = 'sessions' | 'open-loop';

/**
 * Mooncake rows of a foreign trace, in file order, times from its first request on; rows of `agentic_mooncake` for
 * graphs. The file is read twice, so that memory does not grow with it.
 *
 * A later turn of a session starts its delay after the turn before has ended: the time from the end of the answer before,
 * or from the start of that turn where the trace does not say when it ended.
 * @param done filled in as rows are made
 */
export function* convert(
  importer: Importer,
  source: TraceSource,
  options: ImportOptions,
  done: Conversion,
  arrivals: Arrivals = 'sessions',
): Generator<string> {
  let firstMs = Number.POSITIVE_INFINITY;
  let overlaps = false;
  for (const { startMs, blockTokens, line, startsAfter } of readTimed(importer, source, options)) {
    overlaps ||= startsAfter !== undefined;
    if (startMs !== undefined && startMs < firstMs) firstMs = startMs;
    if (startMs === undefined && firstMs === Number.POSITIVE_INFINITY && !importer.isGraph)
      throw new InputError(
        `${source.path}:${line}: the trace has no times; trace convert --rate makes some up`,
      );
    if (blockTokens !== undefined) done.blockTokens = blockTokens;
  }
  const mint = new BlockMint(done.blockTokens);
  const writer = new RowWriter(firstMs, importer.isGraph === true, arrivals, overlaps);
  if (overlaps) yield headerText(done.blockTokens);
  const leaveOut = (reason: string) => done.leftOut.set(reason, (done.leftOut.get(reason) ?? 0) + 1);
  for (const request of readTimed(importer, source, { ...options, leaveOut })) {
    if (request.inputTokens === 0) {
      leaveOut('no prompt');
      continue;
    }
    done.rows++;
    done.inputTokens += request.inputTokens;
    done.outputTokens += request.outputTokens;
    const blocks = blocksOf(request, done.blockTokens, mint, source);
    yield request.verbatim ?? writer.rowText(request, blocks);
    done.sessions = writer.sessionCount;
  }
  if (done.rows === 0) throw new InputError(`${source.path}: holds no request`);
}

export function emptyConversion(blockTokens: number): Conversion {
  return { rows: 0, sessions: 0, inputTokens: 0, outputTokens: 0, leftOut: new Map(), blockTokens };
}

/** Requests with times: those of the trace, or made up where it has none and a rate is given. */
export function* readTimed(
  importer: Importer,
  source: TraceSource,
  options: ImportOptions,
): Generator<TraceRequest> {
  const { requestsPerSecond, seed } = options;
  if (requestsPerSecond === undefined) {
    yield* importer.read(source, options);
    return;
  }
  const random = new SeededRandom(seed ?? DEFAULT_SEED);
  const begun = new Set<string>();
  let atMs = 0;
  for (const { startMs: _, ...request } of importer.read(source, options)) {
    const { session, waitFor = [] } = request;
    const follows = waitFor.length > 0 || (session !== undefined && begun.has(session));
    if (session !== undefined) begun.add(session);
    yield { ...request, startMs: follows ? undefined : atMs };
    if (!follows) atMs += random.nextExponential(1000 / requestsPerSecond);
  }
}

/** As many blocks as the prompt needs; those that the trace does not tell are made up. */
function blocksOf(
  { line, blocks, inputTokens, verbatim }: TraceRequest,
  blockTokens: number,
  mint: BlockMint,
  { path }: TraceSource,
): readonly string[] {
  const count = Math.ceil(inputTokens / blockTokens);
  if (blocks === undefined) return mint.fresh(inputTokens);
  if (blocks.length < count && verbatim === undefined)
    throw new InputError(
      `${path}:${line}: ${blocks.length} blocks of ${blockTokens} tokens cannot hold a prompt of ${inputTokens} tokens`,
    );
  return blocks.slice(0, count);
}

/** Makes rows, and knows of each session when its last turn was. */
class RowWriter {
  private readonly lastMs = new Map<string, number>();

  constructor(
    private readonly firstMs: number,
    private readonly isGraph: boolean,
    private readonly arrivals: Arrivals,
    /** Whether requests follow others that are under way, which only rows of version 2 can say. */
    private readonly isLinked: boolean,
  ) {}

  get sessionCount(): number {
    return this.lastMs.size;
  }

  rowText(request: TraceRequest, blocks: readonly string[]): string {
    if (this.isLinked) return this.linkedText(request, blocks);
    const { inputTokens, outputTokens, session, id, waitFor = [], delayMs = 0 } = request;
    const fields: [string, string][] = [];
    const add = (name: string, text: string) => fields.push([name, text]);
    if (this.isGraph) add('request_id', JSON.stringify(id));
    const keepsSession = session !== undefined && (this.isGraph || this.arrivals === 'sessions');
    if (keepsSession) add('session_id', JSON.stringify(session));
    for (const [name, ms] of this.times(request)) add(name, numberText(ms));
    add('input_length', String(inputTokens));
    add('output_length', String(outputTokens));
    add('hash_ids', `[${blocks.join(',')}]`);
    if (waitFor.length > 0) {
      add('wait_for', JSON.stringify(waitFor));
      add('delay', numberText(delayMs));
    }
    return objectText(fields);
  }

  /** A row of `agentic_mooncake` version 2. */
  private linkedText(request: TraceRequest, blocks: readonly string[]): string {
    const { inputTokens, outputTokens, session = '', id, startMs, startsAfter } = request;
    this.lastMs.set(session, 0);
    const { waitFor = [], delayMs = 0 } = request;
    const dependencies = waitFor.map((before) => dependencyText(before, 'completion', delayMs));
    if (startsAfter) dependencies.push(dependencyText(startsAfter.id, 'dispatch', startsAfter.delayMs));
    const isRoot = dependencies.length === 0 && startMs !== undefined;
    return objectText([
      ['request_id', JSON.stringify(id)],
      ['play_id', JSON.stringify(session.split('/')[0])],
      ['session_id', JSON.stringify(session)],
      ['model', '"unknown"'],
      ...(isRoot ? [['not_before_ms', numberText(startMs - this.firstMs)] as const] : []),
      ['input_length', String(inputTokens)],
      ['output_length', String(outputTokens)],
      ['hash_ids', `[${blocks.join(',')}]`],
      ['dependencies', `[${dependencies.join(',')}]`],
    ]);
  }

  /** When a request starts: at a time, or some time after the turn before. */
  private times({ startMs, endMs, session, delayMs }: TraceRequest): [string, number][] {
    if (this.isGraph || session === undefined || this.arrivals === 'open-loop')
      return startMs === undefined ? [] : [['timestamp', startMs - this.firstMs]];
    const before = this.lastMs.get(session);
    this.lastMs.set(session, endMs ?? startMs ?? before ?? this.firstMs);
    if (before === undefined) return [['timestamp', (startMs ?? this.firstMs) - this.firstMs]];
    return [['delay', Math.max(0, delayMs ?? (startMs === undefined ? 0 : startMs - before))]];
  }
}

/** What rows of `agentic_mooncake` version 2 begin with; hash ids mean the same in all of them. */
function headerText(blockTokens: number): string {
  return JSON.stringify({
    schema: 'dynamo.agentic_mooncake',
    version: 2,
    block_size: blockTokens,
    hash_id_scope: 'global',
    source: { format: 'dynosim', digest: '' },
  });
}

function dependencyText(requestId: string, trigger: 'completion' | 'dispatch', delayMs: number): string {
  return objectText([
    ['request_id', JSON.stringify(requestId)],
    ['trigger', `"${trigger}"`],
    ['delay_ms', numberText(delayMs)],
    ['relation', '"sequence"'],
  ]);
}

/** An object of fields whose values are JSON already, since numbers of 64 bits would not survive. */
function objectText(fields: readonly (readonly [name: string, json: string])[]): string {
  return `{${fields.map(([name, json]) => `"${name}":${json}`).join(',')}}`;
}

/** Milliseconds to the nanosecond. */
function numberText(ms: number): string {
  return String(Math.round(ms * 1e6) / 1e6);
}

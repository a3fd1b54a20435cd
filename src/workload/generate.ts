import { SeededRandom } from '../random/std-rng.js';

/** A length or delay distribution: always the mean, or spread around it. */
export type Spread =
  | { kind: 'constant' }
  | { kind: 'uniform'; ratio: number }
  | { kind: 'lognormal'; sigma: number };

/** At the end of each period sessions begin so many times more often, for a while. */
interface Bursts {
  factor: number;
  seconds: number;
  everySeconds: number;
}

export interface GenerateOptions {
  requests: number;
  seed: bigint;
  /** Sessions that begin per second; Poisson. */
  sessionsPerSecond: number;
  /** Times at which more sessions begin; none when left out. */
  bursts?: Bursts | undefined;
  /** Mean turns of a session; geometric, at least 1. */
  meanTurns: number;
  /** Mean new input tokens of a turn, and mean output tokens. */
  inputTokens: number;
  outputTokens: number;
  spread: Spread;
  /** Mean think time between turns. */
  thinkTimeMs: number;
  /** Tokens that begin every prompt of a group of sessions, and how many groups there are. */
  sharedPrefixTokens: number;
  prefixGroups: number;
  blockTokens: number;
  /** Turns stop when the context would exceed this. */
  maxContextTokens: number;
}

interface Row {
  timestampMs: number;
  text: string;
}

/**
 * Mooncake rows of made-up conversations, in order of time: sessions begin at random, each turn adds the answer and
 * new input to the context, and sessions of a group share a prefix. The same options give the same bytes.
 */
export function* generateTrace(options: GenerateOptions): Generator<string> {
  const random = new SeededRandom(options.seed);
  const pending: Row[] = [];
  let startMs = 0;
  let nextHash = options.prefixGroups * Math.ceil(options.sharedPrefixTokens / options.blockTokens);
  let made = 0;
  for (let session = 0; made < options.requests; session++) {
    for (const row of due(pending, startMs)) yield row;
    const rows = makeSession(options, random, session, startMs, nextHash, options.requests - made);
    nextHash = rows.nextHash;
    made += rows.rows.length;
    for (const row of rows.rows) insert(pending, row);
    startMs = later(startMs, random.nextExponential(1000 / options.sessionsPerSecond), options.bursts);
  }
  for (const row of due(pending, Number.POSITIVE_INFINITY)) yield row;
}

/** The time after so much time at the usual rate, which passes more quickly in bursts. */
function later(fromMs: number, ms: number, bursts: Bursts | undefined): number {
  if (!bursts || bursts.factor === 1) return fromMs + ms;
  const periodMs = bursts.everySeconds * 1000;
  const quietMs = periodMs - bursts.seconds * 1000;
  let atMs = fromMs;
  for (let leftMs = ms; ; ) {
    const phaseMs = atMs % periodMs;
    const [speed, endMs] = phaseMs < quietMs ? [1, quietMs] : [bursts.factor, periodMs];
    const roomMs = endMs - phaseMs;
    if (leftMs <= roomMs * speed) return atMs + leftMs / speed;
    leftMs -= roomMs * speed;
    atMs += roomMs;
  }
}

/** Takes the rows up to a time off the pending ones. */
function* due(pending: Row[], untilMs: number): Generator<string> {
  let taken = 0;
  while (taken < pending.length && pending[taken].timestampMs <= untilMs) yield pending[taken++].text;
  pending.splice(0, taken);
}

function insert(pending: Row[], row: Row): void {
  let at = pending.length;
  while (at > 0 && pending[at - 1].timestampMs > row.timestampMs) at--;
  pending.splice(at, 0, row);
}

function makeSession(
  options: GenerateOptions,
  random: SeededRandom,
  session: number,
  startMs: number,
  firstHash: number,
  most: number,
): { rows: Row[]; nextHash: number } {
  const { blockTokens } = options;
  const prefixBlocks = Math.floor(options.sharedPrefixTokens / blockTokens);
  const group = options.prefixGroups > 0 ? random.nextBelow(options.prefixGroups) : 0;
  const hashes = Array.from({ length: prefixBlocks }, (_, i) => group * prefixBlocks + i);
  const rows: Row[] = [];
  let nextHash = firstHash;
  let context = prefixBlocks * blockTokens;
  let timestampMs = startMs;
  do {
    context += draw(options.inputTokens, options.spread, random);
    const output = draw(options.outputTokens, options.spread, random);
    if (rows.length > 0 && context + output > options.maxContextTokens) break;
    while (hashes.length < Math.ceil(context / blockTokens)) hashes.push(nextHash++);
    const row = {
      timestamp: Math.round(timestampMs * 1000) / 1000,
      session_id: `s${session}`,
      input_length: context,
      output_length: output,
      hash_ids: hashes,
    };
    rows.push({ timestampMs: row.timestamp, text: JSON.stringify(row) });
    context += output;
    timestampMs += random.nextExponential(options.thinkTimeMs) + 1;
  } while (rows.length < most && random.nextFloat() < 1 - 1 / options.meanTurns);
  return { rows, nextHash };
}

/** A whole number of tokens, at least 1, with the given mean. */
function draw(mean: number, spread: Spread, random: SeededRandom): number {
  if (spread.kind === 'constant') return Math.max(1, Math.round(mean));
  if (spread.kind === 'uniform')
    return Math.max(1, Math.round(mean * (1 + spread.ratio * (2 * random.nextFloat() - 1))));
  const radius = Math.sqrt(-2 * Math.log(1 - random.nextFloat()));
  const normal = radius * Math.cos(2 * Math.PI * random.nextFloat());
  const { sigma } = spread;
  return Math.max(1, Math.round(mean * Math.exp(sigma * normal - (sigma * sigma) / 2)));
}

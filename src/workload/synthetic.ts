import { SeededRandom } from '../random/std-rng.js';
import type { SessionTable } from './sessions.js';
import type { RequestDraft } from './source.js';

/** High half of the identity of a prefix block that a group of sessions shares. */
const GROUP_IDENTITY = 0xd00d0000;
/** The reference draws prefix groups from a generator of this fixed seed. */
const GROUP_SEED = 42n;

type ArrivalRule =
  | { kind: 'closed' }
  | { kind: 'interval'; intervalMs: number }
  | { kind: 'poisson'; requestsPerSecond: number; seed: bigint };

export interface SyntheticOptions {
  inputTokens: number;
  outputTokens: number;
  /** Requests, or sessions when there are several turns. */
  count: number;
  turnsPerSession: number;
  sharedPrefixRatio: number;
  prefixGroups: number;
  interTurnDelayMs: number;
  arrivals: ArrivalRule;
  arrivalSpeedup: number;
  /** Tokens per block of shared prefix: the engine's block size. */
  blockTokens: number;
}

/** Whether the options ask for sessions; otherwise the load is a plain list of unrelated requests. */
export function isSessionForm(options: SyntheticOptions): boolean {
  return (
    options.turnsPerSession > 1 ||
    options.sharedPrefixRatio > 0 ||
    options.prefixGroups > 0 ||
    options.interTurnDelayMs > 0
  );
}

/** Synthetic load: equal lengths everywhere, prefixes shared within random groups, arrivals by rule. */
export class SyntheticTable implements SessionTable {
  readonly sessionCount: number;
  readonly rowCount: number;
  readonly hashBlockTokens: number;
  readonly hasTokens = false;
  readonly hasTurns: boolean;
  private readonly turns: number;
  private readonly startsMs: Float64Array;
  private readonly groups: Int32Array | undefined;
  private readonly prefixBlocks: number;
  private readonly turnDelayMs: number;

  constructor(private readonly options: SyntheticOptions) {
    const isSessions = isSessionForm(options);
    this.turns = isSessions ? options.turnsPerSession : 1;
    this.sessionCount = options.count;
    this.rowCount = options.count * this.turns;
    this.hashBlockTokens = options.blockTokens;
    this.hasTurns = this.turns > 1;
    const isClosed = options.arrivals.kind === 'closed';
    this.startsMs = isClosed ? new Float64Array(0) : arrivalTimes(options);
    this.turnDelayMs = options.interTurnDelayMs / (isClosed ? 1 : options.arrivalSpeedup);
    const hasGroups = isSessions && options.prefixGroups > 0 && options.sharedPrefixRatio > 0;
    const blocks = Math.ceil(options.inputTokens / options.blockTokens);
    this.prefixBlocks = hasGroups ? Math.min(blocks, Math.round(blocks * options.sharedPrefixRatio)) : 0;
    if (hasGroups) {
      const random = new SeededRandom(GROUP_SEED);
      this.groups = Int32Array.from({ length: options.count }, () => random.nextBelow(options.prefixGroups));
    }
  }

  firstRow(session: number): number {
    return session * this.turns;
  }

  nextRow(row: number): number {
    return (row + 1) % this.turns === 0 ? -1 : row + 1;
  }

  startMs(session: number): number {
    return this.startsMs[session];
  }

  delayMs(): number {
    return this.turnDelayMs;
  }

  fill(row: number, draft: RequestDraft): void {
    draft.inputTokens = this.options.inputTokens;
    draft.outputTokens = this.options.outputTokens;
    draft.hashCount = this.prefixBlocks;
    if (!this.groups) return;
    const group = this.groups[Math.floor(row / this.turns)];
    draft.reserveHashes(this.prefixBlocks);
    for (let i = 0; i < this.prefixBlocks; i++) {
      draft.hashHigh[i] = (GROUP_IDENTITY | group) >>> 0;
      draft.hashLow[i] = i;
    }
  }

  sessionName(session: number): string {
    return `session_${session}`;
  }
}

function arrivalTimes(options: SyntheticOptions): Float64Array {
  const { arrivals, count, arrivalSpeedup } = options;
  const times = new Float64Array(count);
  if (arrivals.kind === 'poisson') {
    const random = new SeededRandom(arrivals.seed);
    const meanMs = 1000 / arrivals.requestsPerSecond;
    for (let i = 1; i < count; i++) times[i] = times[i - 1] + random.nextExponential(meanMs);
  } else if (arrivals.kind === 'interval' && arrivals.intervalMs > 0) {
    const gap = 1000 / (1000 / arrivals.intervalMs);
    for (let i = 1; i < count; i++) times[i] = times[i - 1] + gap;
  }
  for (let i = 0; i < count; i++) times[i] /= arrivalSpeedup;
  return times;
}

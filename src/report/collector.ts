import { floatColumn } from '../structures/column.js';
import { FlowSamples } from './flow.js';
import { GapSamples } from './gap-samples.js';
import { PartMeans } from './latency-parts.js';
import type { RequestOutcome } from './outcome.js';

/** Goodput bounds in milliseconds; undefined bounds hold always. */
export interface ServiceLevel {
  ttftMs: number | undefined;
  itlMs: number | undefined;
  e2eMs: number | undefined;
}

/** Samples that grow as requests complete: eight bytes each. */
class Samples {
  private readonly column = floatColumn();
  /** In ascending order, as they were when somebody asked. */
  private order: Float64Array | undefined;

  add(value: number): void {
    this.column.push(value);
  }

  /** All of them, ascending. */
  sorted(): Float64Array {
    const { data, length } = this.column;
    if (this.order?.length !== length) this.order = data.slice(0, length).sort();
    return this.order;
  }

  copy(): Samples {
    const copy = new Samples();
    copy.column.data = this.column.data.slice();
    copy.column.length = this.column.length;
    return copy;
  }
}

/**
 * Gathers what the report is made of: totals, four numbers a completed request for exact percentiles, and weighted
 * inter-token gaps. Only requests that complete count in totals and distributions.
 */
export class Collector {
  readonly ttftMs: Samples = new Samples();
  readonly ttstMs: Samples = new Samples();
  readonly tpotMs: Samples = new Samples();
  readonly e2eMs: Samples = new Samples();
  readonly gaps: GapSamples = new GapSamples();
  readonly latencyParts: PartMeans = new PartMeans();
  readonly flow: FlowSamples = new FlowSamples();
  arrived = 0;
  completed = 0;
  rejected = 0;
  failed = 0;
  preemptions = 0;
  preemptedRequests = 0;
  inputTokens = 0;
  outputTokens = 0;
  reusedTokens = 0;
  firstReusedTokens = 0;
  durationMs = 0;
  goodRequests = 0;
  /** Requests that kept each bound, whatever they did about the others. */
  readonly kept = { ttft: 0, itl: 0, e2e: 0 };
  goodOutputTokens = 0;
  readonly records: RequestOutcome[] = [];

  /**
   * @param level bounds for goodput, when asked for
   * @param keeps which outcomes are kept for the per-request file
   * @param onOutcome told of every outcome, whose object may be used again
   */
  constructor(
    readonly level: ServiceLevel | undefined,
    private readonly keeps: { ended: boolean; unfinished: boolean },
    private readonly onOutcome?: (outcome: RequestOutcome) => void,
  ) {}

  get keepsRecords(): boolean {
    return this.keeps.ended;
  }

  /** What was gathered so far, for a report of a run that goes on. */
  copy(): Collector {
    const { ttftMs, ttstMs, tpotMs, e2eMs, gaps, latencyParts, flow, kept, records } = this;
    const parts = { ttftMs, ttstMs, tpotMs, e2eMs, gaps, latencyParts, flow };
    const copies = Object.entries(parts).map(([name, part]) => [name, part.copy()]);
    const copy = new Collector(this.level, this.keeps);
    return Object.assign(copy, this, Object.fromEntries(copies), {
      onOutcome: undefined,
      kept: { ...kept },
      records: [...records],
    });
  }

  /** Takes the outcome of a request; the object may be reused by the caller unless records are kept. */
  ended(outcome: RequestOutcome): void {
    const { status } = outcome;
    this.onOutcome?.(outcome);
    if (status === 'unfinished') {
      this.flow.add(outcome, Number.NaN);
      if (this.keeps.unfinished) this.keep(outcome);
      return;
    }
    if (this.keeps.ended) this.keep(outcome);
    this.preemptions += outcome.preemptions;
    if (outcome.preemptions > 0) this.preemptedRequests++;
    if (status === 'rejected') this.rejected++;
    if (status === 'failed') this.failed++;
    if (status === 'completed') this.count(outcome);
  }

  private countGood(outcome: RequestOutcome, level: ServiceLevel): void {
    const bounds = keptBounds(outcome, level);
    for (const name of ['ttft', 'itl', 'e2e'] as const) if (bounds[name]) this.kept[name]++;
    if (!(bounds.ttft && bounds.itl && bounds.e2e)) return;
    this.goodRequests++;
    this.goodOutputTokens += outcome.outputTokens;
  }

  private keep(outcome: RequestOutcome): void {
    this.records.push({ ...outcome, stages: outcome.stages && { ...outcome.stages } });
  }

  private count(outcome: RequestOutcome): void {
    const { arrivalMs, firstTokenMs, lastTokenMs, outputTokens } = outcome;
    this.completed++;
    this.inputTokens += outcome.inputTokens;
    this.outputTokens += outputTokens;
    this.reusedTokens += outcome.reusedTokens;
    this.firstReusedTokens += outcome.firstReusedTokens;
    if (outcome.terminalMs > this.durationMs) this.durationMs = outcome.terminalMs;
    if (outputTokens > 0) {
      this.ttftMs.add(Math.max(0, firstTokenMs - arrivalMs));
      this.e2eMs.add(Math.max(0, lastTokenMs - arrivalMs));
      this.flow.add(outcome, this.latencyParts.add(outcome));
    }
    if (outputTokens > 1) {
      this.ttstMs.add(Math.max(0, outcome.secondTokenMs - firstTokenMs));
      this.tpotMs.add(Math.max(0, lastTokenMs - firstTokenMs) / (outputTokens - 1));
    }
    if (this.level) this.countGood(outcome, this.level);
  }
}

type Kept = Record<'ttft' | 'itl' | 'e2e', boolean>;

/** Which bounds a completed request keeps; one without a token has a latency at most. */
export function keptBounds(outcome: RequestOutcome, { ttftMs, itlMs, e2eMs }: ServiceLevel): Kept {
  const { arrivalMs, outputTokens } = outcome;
  const hasToken = outputTokens > 0;
  const ttft = Math.max(0, outcome.firstTokenMs - arrivalMs);
  const e2e = Math.max(0, (hasToken ? outcome.lastTokenMs : outcome.terminalMs) - arrivalMs);
  const isSingle = outputTokens <= 1;
  return {
    ttft: ttftMs === undefined || (hasToken && ttft <= ttftMs),
    itl: itlMs === undefined || (hasToken && (isSingle || (e2e - ttft) / (outputTokens - 1) <= itlMs)),
    e2e: e2eMs === undefined || e2e <= e2eMs,
  };
}

import type { EngineArgs } from '../config/engine-type.js';
import type { Overheads } from '../config/overheads.js';
import type { BypassSettings } from '../config/router-config.js';
import type { Rules } from '../config/rules.js';
import type { EngineKind } from '../engine/kind.js';
import type { GapSink, RequestLog } from '../engine/request-log.js';
import type { Collector } from '../report/collector.js';
import type { RequestOutcome, StageOutcome } from '../report/outcome.js';
import type { WorkerWatch } from '../report/worker-series.js';
import type { RoutedRequest, Routing } from '../router/router.js';
import { growColumns } from '../structures/column.js';
import type { TimingModel } from '../timing/timing-model.js';
import type { RequestDraft, RequestSource } from '../workload/source.js';
import { type CacheWatch, EnginePool } from './engine-pool.js';
import { collectGaps } from './fleet.js';
import { FAILED, Handoffs, OVER } from './handoffs.js';
import { historyOf } from './history.js';
import { Ledger } from './ledger.js';
import { OwnGaps } from './own-gaps.js';
import { deadEnd, type RunError } from './run-error.js';
import { RUN_RULES, type RunRules, tellsHistory } from './run-rules.js';
import type { Traffic } from './traffic.js';

/** One stage of a disaggregated fleet. */
interface StageOptions {
  kind: EngineKind;
  args: EngineArgs;
  timing: TimingModel;
  workers: number;
  watch?: WorkerWatch | undefined;
  log?: RequestLog | undefined;
  cacheWatch?: CacheWatch | undefined;
}

export interface SplitFleetOptions {
  prefill: StageOptions;
  decode: StageOptions;
  /** Whether a prefill worker generates the whole output, as the reference does where the output is planned. */
  prefillsAllOutput: boolean;
  routing: Routing;
  rules: Rules;
  /** Which requests skip the prefill workers; undefined where none may. */
  bypass: BypassSettings | undefined;
  source: RequestSource;
  collector: Collector;
  overheads: Overheads;
  isCapped: boolean;
  checks: boolean;
  namesSessions: boolean;
  onProgress: ((ended: number) => void) | undefined;
  metersPasses: boolean;
  traffic: Traffic | undefined;
}

const RUNS = 0;
const STATUS: RequestOutcome['status'][] = ['unfinished', 'completed', 'rejected', 'failed'];

/** Tokens of a prefill worker are computed again by the decode worker, and are not recorded. */
const NO_GAPS: GapSink = {
  addShared: () => undefined,
  addRun: () => undefined,
  addOwn: () => undefined,
};

/**
 * Prefill and decode workers, and what is known of each request on its way between them. A request leaves when it has
 * ended and its handoff is over, whichever comes last.
 */
export class SplitFleet {
  readonly prefill: EnginePool;
  readonly decode: EnginePool;
  readonly handoffs: Handoffs;
  readonly ledger: Ledger;
  readonly traits: RoutedRequest[] = [];
  /** Requests that have not ended. */
  running = 0;
  /** Requests that skipped the prefill workers. */
  bypassed = 0;
  private readonly stages: StageOutcome = {
    prefillWorker: null,
    prefillAdmitMs: Number.NaN,
    sourceHeldMs: Number.NaN,
    destinationReservedMs: Number.NaN,
    destinationActivatedMs: Number.NaN,
    decodeAdmitMs: Number.NaN,
    sourceReleasedMs: Number.NaN,
    prefillReusedTokens: 0,
    decodeReusedTokens: null,
    prefillOverlapTokens: null,
    decodeOverlapTokens: null,
  };
  private terminalMs = new Float64Array(0);
  /** Index of the status in which a request ended. */
  private status = new Uint8Array(0);

  constructor(readonly options: SplitFleetOptions) {
    const { prefill, decode, collector, isCapped } = options;
    const ownGaps = isCapped ? new OwnGaps() : undefined;
    const gaps = ownGaps ?? collectGaps(collector);
    const common = { ...options, tellsHistory: tellsHistory(options.rules, collector) };
    this.prefill = new EnginePool({ ...common, ...prefill, stage: 'prefill', gaps: NO_GAPS });
    this.decode = new EnginePool({ ...common, ...decode, stage: 'decode', gaps }, this.prefill);
    const pools = [this.prefill, this.decode];
    this.handoffs = new Handoffs(prefill.kind.traits.prefillsFirst);
    this.ledger = new Ledger(
      {
        ...options,
        ownGaps,
        admissions: this.prefill.log,
        tokens: this.decode.log,
        workerOf: (slot) => (this.handoffs.decodeRank[slot] < 0 ? null : this.handoffs.decodeRank[slot]),
        historyOf: (slot) =>
          historyOf(slot, pools, prefill.kind.traits.prefillsFirst ? pools : pools.toReversed()),
        stagesOf: (slot) => this.describe(slot),
      },
      (slots) => this.growTo(slots),
    );
  }

  private growTo(slots: number): void {
    this.prefill.growTo(slots);
    this.decode.growTo(slots);
    this.handoffs.growTo(slots);
    growColumns(this, slots);
  }

  /** The way of a request; the object is used again for the next. */
  private describe(slot: number): StageOutcome {
    const { stages } = this;
    const prefillLog = this.prefill.log;
    const decodeLog = this.decode.log;
    this.handoffs.describe(slot, stages);
    stages.prefillAdmitMs = prefillLog.firstAdmitMs[slot];
    stages.decodeAdmitMs = decodeLog.firstAdmitMs[slot];
    stages.prefillReusedTokens = prefillLog.reusedTokens[slot];
    stages.decodeReusedTokens = Number.isNaN(stages.decodeAdmitMs) ? null : decodeLog.reusedTokens[slot];
    return stages;
  }

  /** Takes in a request that has arrived. @returns its slot */
  accept(draft: RequestDraft): number {
    const slot = this.ledger.accept(draft);
    const prefillTokens = this.options.prefillsAllOutput
      ? draft.outputTokens
      : Math.min(draft.outputTokens, 1);
    this.prefill.enter(slot, draft, prefillTokens);
    this.decode.enter(slot, draft, draft.outputTokens);
    this.traits[slot] = this.ledger.traits(slot, draft);
    this.status[slot] = RUNS;
    this.running++;
    return slot;
  }

  /** A request has left its decode worker; the workload takes it as completed, even when rejected, as in the reference. */
  end(slot: number, status: 'completed' | 'rejected' | 'failed', nowMs: number): void {
    this.close(slot, status, nowMs);
    if (status === 'completed') this.ledger.noteTraffic(slot);
    this.ledger.tell(slot, false, nowMs);
    if (this.handoffs.has(slot, OVER)) this.leave(slot);
  }

  /** Whether a request has not ended. */
  runs(slot: number): boolean {
    return this.status[slot] === RUNS;
  }

  /** A request cannot go on. */
  fail(slot: number, status: 'rejected' | 'failed', nowMs: number): void {
    this.close(slot, status, nowMs);
    if (this.rules.tellsFailuresAtOnce) this.tellFailure(slot, nowMs);
  }

  private tellFailure(slot: number, nowMs: number): void {
    const endsSession = this.rules.failuresEndSessions && STATUS[this.status[slot]] === 'failed';
    this.ledger.tell(slot, false, nowMs, endsSession);
  }

  private get rules(): RunRules {
    return RUN_RULES[this.options.rules.semantics];
  }

  private close(slot: number, status: RequestOutcome['status'], nowMs: number): void {
    this.status[slot] = STATUS.indexOf(status);
    this.terminalMs[slot] = nowMs;
    this.running--;
  }

  /** The handoff of a request is over. */
  handedOver(slot: number, nowMs: number): void {
    this.handoffs.note(slot, OVER);
    if (this.handoffs.has(slot, FAILED) && !this.rules.tellsFailuresAtOnce) this.tellFailure(slot, nowMs);
    if (this.status[slot] !== RUNS) this.leave(slot);
  }

  private leave(slot: number): void {
    this.recordEnd(slot, this.options.collector);
    this.prefill.leave(slot);
    this.decode.leave(slot);
    this.ledger.slots.release(slot);
  }

  private recordEnd(slot: number, collector: Collector): void {
    this.ledger.record(slot, STATUS[this.status[slot]], this.terminalMs[slot], collector);
  }

  /** Records requests that have ended while their handoff goes on, and those left unfinished. */
  recordUnfinished(collector: Collector): void {
    for (const slot of this.ledger.slots.inUse())
      if (this.status[slot] !== RUNS) this.recordEnd(slot, collector);
      else this.ledger.record(slot, 'unfinished', Number.NaN, collector);
  }

  deadEnd(): RunError {
    return deadEnd(this.ledger.slots, this.running, [...this.decode.cores, ...this.prefill.cores]);
  }
}

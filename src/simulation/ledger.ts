import type { Overheads } from '../config/overheads.js';
import type { Rules } from '../config/rules.js';
import type { RequestLog } from '../engine/request-log.js';
import type { Collector } from '../report/collector.js';
import type { RequestHistory, RequestOutcome, StageOutcome } from '../report/outcome.js';
import type { RoutedRequest } from '../router/router.js';
import type { EndedDraft, RequestDraft, RequestSource } from '../workload/source.js';
import type { OwnGaps } from './own-gaps.js';
import { RequestSlots } from './slots.js';
import type { Traffic } from './traffic.js';

export interface LedgerOptions {
  source: RequestSource;
  rules: Rules;
  collector: Collector;
  overheads: Overheads;
  /** Gaps by request, in runs that a time cap may stop. */
  ownGaps: OwnGaps | undefined;
  /** Whether records name sessions and turns, as the reference does in some runtimes. */
  namesSessions: boolean;
  /** Where admissions are logged, and where tokens are: the same but in fleets with stages. */
  admissions: RequestLog;
  tokens: RequestLog;
  /** The worker that records name for a request; null where the reference names none. */
  workerOf: (slot: number) => number | null;
  /** What records tell of the way of a request; null where they do not. */
  historyOf: (slot: number) => RequestHistory | null;
  /** What happened to a request between the stages of a fleet. */
  stagesOf: (slot: number) => StageOutcome | null;
  /** Called as requests end, with how many have. */
  onProgress: ((ended: number) => void) | undefined;
  /** Counts what arrives and ends, where somebody asks for it. */
  traffic: Traffic | undefined;
}

const PROGRESS_STEP = 256;

/** The requests in flight: taken in from the workload, recorded when they end. */
export class Ledger {
  readonly slots: RequestSlots;
  /** Whether what the client sees differs from what the engine does. */
  private readonly delays: boolean;
  /** Requests whose worker is lost: they are sent again rather than recorded. */
  private readonly lost = new Set<number>();
  /** Rows that come again. */
  private readonly again = new Set<number>();
  private endedCount = 0;
  private readonly outcome: RequestOutcome = emptyOutcome();
  private readonly ended: EndedDraft = {
    row: 0,
    session: 0,
    turn: 0,
    nowMs: 0,
    rejected: false,
    endsSession: false,
    emittedTokens: 0,
  };

  /** @param reserve grows the tables that are kept by slot elsewhere */
  constructor(
    private readonly options: LedgerOptions,
    reserve: (slots: number) => void,
  ) {
    this.slots = new RequestSlots(reserve);
    this.delays = Object.values(options.overheads).some((ms) => ms > 0);
  }

  /** Takes in a request that has arrived. @returns its slot */
  accept(draft: RequestDraft): number {
    const { slots } = this;
    const slot = slots.claim();
    slots.row[slot] = draft.row;
    slots.session[slot] = draft.session;
    slots.turn[slot] = draft.turn;
    slots.arrivalMs[slot] = draft.arrivalMs;
    slots.inputTokens[slot] = draft.inputTokens;
    slots.requestedTokens[slot] = draft.outputTokens;
    this.lost.delete(slot);
    if (this.again.delete(draft.row)) return slot;
    this.options.collector.arrived++;
    this.options.traffic?.arrived();
    return slot;
  }

  /** The worker of a request is lost: when the request leaves it, it is sent again. */
  lose(slot: number): void {
    this.lost.add(slot);
  }

  traits(slot: number, draft: RequestDraft): RoutedRequest {
    const { priority, strictPriority, policyClass } = draft;
    return { slot, inputTokens: this.slots.inputTokens[slot], priority, strictPriority, policyClass };
  }

  /** Tells the workload of a request that has ended. @param endsSession whether the rest of its session does not come */
  tell(slot: number, rejected: boolean, nowMs: number, endsSession = false): void {
    const { slots, ended, options } = this;
    if (this.lost.has(slot)) {
      this.again.add(slots.row[slot]);
      options.source.sendAgain!(slots.row[slot], nowMs);
      return;
    }
    ended.row = slots.row[slot];
    ended.session = slots.session[slot];
    ended.turn = slots.turn[slot];
    ended.nowMs = nowMs;
    ended.rejected = rejected;
    ended.endsSession = endsSession;
    ended.emittedTokens = options.tokens.emittedTokens[slot];
    options.source.ended(ended);
    if (++this.endedCount % PROGRESS_STEP === 0) options.onProgress?.(this.endedCount);
  }

  /** Records how a request ended; NaN as time for one that has not. */
  record(
    slot: number,
    status: RequestOutcome['status'],
    terminalMs: number,
    collector = this.options.collector,
  ): void {
    const { outcome } = this;
    const { ownGaps } = this.options;
    if (this.lost.has(slot) && !Number.isNaN(terminalMs)) {
      ownGaps?.forget(slot);
      return;
    }
    this.describe(slot, outcome);
    if (this.delays) {
      const gapMs = this.addOverheads(outcome);
      // Gaps that are kept by request count only when it completes.
      if (!ownGaps || status === 'completed') this.replaceGap(outcome, gapMs, collector);
    }
    outcome.terminalMs = terminalMs;
    outcome.status = status;
    collector.ended(outcome);
    if (!ownGaps) return;
    if (status === 'completed') for (const gap of ownGaps.of(slot)) collector.gaps.add(gap, 1);
    if (collector === this.options.collector) ownGaps.forget(slot);
  }

  /** Counts a request that has completed as traffic. */
  noteTraffic(slot: number): void {
    const { traffic } = this.options;
    if (!traffic || this.lost.has(slot)) return;
    const { outcome } = this;
    this.describe(slot, outcome);
    if (this.delays) this.addOverheads(outcome);
    traffic.ended(outcome);
  }

  /** Tells the times that the client sees, where those of the engine are not the same. @returns the engine's first gap */
  private addOverheads(outcome: RequestOutcome): number {
    const { frontendMs, tokenizeMsPerToken, firstTokenMs, clientMs } = this.options.overheads;
    outcome.readyMs = outcome.arrivalMs + frontendMs + tokenizeMsPerToken * outcome.inputTokens;
    const gapMs = outcome.secondTokenMs - outcome.firstTokenMs;
    const deliveryMs = firstTokenMs + clientMs;
    if (deliveryMs === 0 || outcome.outputTokens === 0) return gapMs;
    outcome.deliveryMs = deliveryMs;
    outcome.firstTokenMs += deliveryMs;
    outcome.secondTokenMs = Math.max(outcome.secondTokenMs, outcome.firstTokenMs);
    outcome.lastTokenMs = Math.max(outcome.lastTokenMs, outcome.firstTokenMs);
    return gapMs;
  }

  private replaceGap(outcome: RequestOutcome, gapMs: number, collector: Collector): void {
    const { firstTokenMs, clientMs } = this.options.overheads;
    if (firstTokenMs + clientMs === 0 || outcome.outputTokens < 2) return;
    collector.gaps.replace(gapMs, outcome.secondTokenMs - outcome.firstTokenMs);
  }

  private describe(slot: number, outcome: RequestOutcome): void {
    const { slots } = this;
    const { namesSessions, source, collector, tokens } = this.options;
    // A request that was never admitted for prefill, but for all of it, was admitted once.
    const wasSplit = !Number.isNaN(this.options.admissions.firstAdmitMs[slot]);
    const admissions = wasSplit ? this.options.admissions : tokens;
    outcome.row = slots.row[slot];
    if (namesSessions && collector.keepsRecords) {
      outcome.session = source.sessionName(slots.session[slot]);
      outcome.turn = slots.turn[slot];
    }
    outcome.turnOrdinal = slots.turn[slot];
    outcome.arrivalMs = slots.arrivalMs[slot];
    outcome.readyMs = outcome.arrivalMs;
    outcome.firstAdmitMs = admissions.firstAdmitMs[slot];
    outcome.firstTokenMs = tokens.firstTokenMs[slot];
    outcome.secondTokenMs = tokens.secondTokenMs[slot];
    outcome.lastTokenMs = tokens.lastTokenMs[slot];
    outcome.engineLastMs = outcome.lastTokenMs;
    outcome.deliveryMs = 0;
    outcome.inputTokens = slots.inputTokens[slot];
    outcome.requestedTokens = slots.requestedTokens[slot];
    outcome.outputTokens = tokens.emittedTokens[slot];
    outcome.firstReusedTokens = admissions.firstReusedTokens[slot];
    outcome.reusedTokens = Math.max(admissions.reusedTokens[slot], tokens.reusedTokens[slot]);
    outcome.preemptions = tokens.preemptions[slot];
    if (admissions !== tokens) outcome.preemptions += admissions.preemptions[slot];
    if (collector.keepsRecords) outcome.history = this.options.historyOf(slot);
    outcome.dispatchMs = admissions.dispatchMs[slot];
    outcome.stallMs = tokens.stallMs[slot];
    outcome.firstStallMs = tokens.firstStallMs[slot];
    outcome.chunkWaitMs = admissions.chunkWaitMs[slot];
    if (admissions !== tokens) {
      outcome.stallMs += admissions.stallMs[slot];
      outcome.firstStallMs += admissions.stallMs[slot];
    }
    outcome.worker = this.options.workerOf(slot);
    outcome.stages = this.options.stagesOf(slot);
  }
}

function emptyOutcome(): RequestOutcome {
  return {
    row: 0,
    session: null,
    turn: null,
    turnOrdinal: 0,
    arrivalMs: 0,
    readyMs: 0,
    firstAdmitMs: 0,
    firstTokenMs: 0,
    secondTokenMs: 0,
    lastTokenMs: 0,
    engineLastMs: 0,
    deliveryMs: 0,
    terminalMs: 0,
    inputTokens: 0,
    requestedTokens: 0,
    outputTokens: 0,
    firstReusedTokens: 0,
    reusedTokens: 0,
    preemptions: 0,
    history: null,
    dispatchMs: 0,
    stallMs: 0,
    firstStallMs: 0,
    chunkWaitMs: 0,
    worker: null,
    stages: null,
    status: 'completed',
  };
}

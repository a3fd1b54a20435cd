import type { EngineCore, EngineSignal } from '../engine/engine-core.js';
import type { GapSink } from '../engine/request-log.js';
import type { Collector } from '../report/collector.js';
import type { RequestOutcome } from '../report/outcome.js';
import type { Placement } from '../router/router.js';
import type { RequestDraft } from '../workload/source.js';
import { EnginePool, type EnginePoolOptions } from './engine-pool.js';
import { historyOf } from './history.js';
import { Ledger } from './ledger.js';
import { OwnGaps } from './own-gaps.js';
import { deadEnd, type RunError } from './run-error.js';
import { tellsHistory } from './run-rules.js';
import type { Traffic } from './traffic.js';

export interface FleetOptions extends Omit<EnginePoolOptions, 'gaps' | 'stage'> {
  collector: Collector;
  /** Whether conservation laws are checked after every pass. */
  checks: boolean;
  /** Whether records name workers and sessions, as the reference does in all runtimes but its smallest. */
  namesWorkers: boolean;
  namesSessions: boolean;
  /** Called as requests end, with how many have. */
  onProgress: ((ended: number) => void) | undefined;
  traffic: Traffic | undefined;
}

/** Engines that serve a workload from prompt to last token, and the way of a request through them. */
export class Fleet {
  readonly pool: EnginePool;
  private readonly ledger: Ledger;

  constructor(readonly options: FleetOptions) {
    const { collector, isCapped, namesWorkers } = options;
    const ownGaps = isCapped ? new OwnGaps() : undefined;
    this.pool = new EnginePool({
      ...options,
      stage: '',
      gaps: ownGaps ?? collectGaps(collector),
      tellsHistory: tellsHistory(options.rules, collector),
    });
    const { log } = this.pool;
    this.ledger = new Ledger(
      {
        ...options,
        ownGaps,
        admissions: log,
        tokens: log,
        workerOf: (slot) => (namesWorkers && this.slots.rank[slot] >= 0 ? this.slots.rank[slot] : null),
        historyOf: (slot) => historyOf(slot, [this.pool]),
        stagesOf: () => null,
      },
      (slots) => this.pool.growTo(slots),
    );
  }

  get slots() {
    return this.ledger.slots;
  }

  /** Takes in a request that has arrived. @returns its slot */
  accept(draft: RequestDraft): number {
    const slot = this.ledger.accept(draft);
    this.slots.rank[slot] = -1;
    this.pool.enter(slot, draft, draft.outputTokens);
    return slot;
  }

  /** Places a request that has arrived: dispatched at once, or kept back by the router. */
  place(slot: number, draft: RequestDraft, nowMs: number): void {
    const placement = this.pool.place(this.ledger.traits(slot, draft), nowMs);
    if (placement) this.dispatchPlaced(placement, nowMs);
  }

  private dispatchPlaced({ slot, target, overlapTokens }: Placement, nowMs: number): void {
    this.pool.notePlaced(this.slots.inputTokens[slot], overlapTokens);
    this.dispatch(slot, target, nowMs);
  }

  /** Sends a request that has arrived where its turn is, without asking the router. */
  dispatchInTurn(slot: number, rank: number, nowMs: number): void {
    this.pool.history?.routed({ slot, target: rank, overlapTokens: 0 }, nowMs);
    this.dispatch(slot, rank, nowMs);
  }

  private dispatch(slot: number, rank: number, nowMs: number): void {
    this.slots.rank[slot] = rank;
    this.pool.dispatch(slot, rank, nowMs);
  }

  /** Requests that were held back go to their workers. */
  dispatchAll(placements: readonly Placement[], nowMs: number): void {
    for (const placement of placements) {
      this.pool.log.dispatchMs[placement.slot] = nowMs;
      this.dispatchPlaced(placement, nowMs);
    }
  }

  /** Hears of requests that ended in a core's last passes: records them and tells the workload. */
  end(core: EngineCore, nowMs: number): void {
    core.publishEvents(nowMs);
    if (core.signals.length > 0) this.hearAll(core.signals, nowMs);
    if (this.options.checks) core.check();
  }

  private hearAll(signals: EngineSignal[], nowMs: number): void {
    for (const signal of signals) this.hear(signal, nowMs);
    signals.length = 0;
  }

  private hear({ slot, kind }: EngineSignal, nowMs: number): void {
    if (kind === 'firstToken') this.dispatchAll(this.pool.prefillCompleted(slot, nowMs), nowMs);
    else this.endOne(slot, kind === 'rejected', nowMs);
  }

  private endOne(slot: number, rejected: boolean, nowMs: number): void {
    if (!rejected) this.ledger.noteTraffic(slot);
    this.leave(slot, rejected ? 'rejected' : 'completed', nowMs);
  }

  private leave(slot: number, status: RequestOutcome['status'], nowMs: number): void {
    const { ledger, pool } = this;
    ledger.record(slot, status, nowMs);
    const released = pool.ended(slot, nowMs);
    ledger.tell(slot, status === 'rejected', nowMs);
    this.dispatchAll(released, nowMs);
    pool.leave(slot);
    this.slots.release(slot);
  }

  /** The worker of a request is lost. */
  lose(slot: number): void {
    this.ledger.lose(slot);
  }

  /** Lets requests go that the router did not take. @returns whether there were any */
  turnAway(nowMs: number): boolean {
    const { ledger, pool } = this;
    const refused = pool.refused.splice(0);
    for (const slot of refused) {
      ledger.record(slot, 'rejected', nowMs);
      ledger.tell(slot, true, nowMs);
      pool.leave(slot);
      this.slots.release(slot);
    }
    return refused.length > 0;
  }

  /** Takes a request out of its rank, between passes. @returns false when it must stay until a later pass */
  cancel(slot: number, nowMs: number): boolean {
    const core = this.pool.cores[this.slots.rank[slot]];
    if (!core.cancel(slot)) return false;
    core.publishEvents(nowMs);
    this.leave(slot, 'unfinished', nowMs);
    if (this.options.checks) core.check();
    return true;
  }

  /** Records what is unfinished. */
  recordUnfinished(collector: Collector): void {
    for (const slot of this.slots.inUse()) this.ledger.record(slot, 'unfinished', Number.NaN, collector);
  }

  /** The error of a run in which nothing can move any more, naming what is stuck and what to change. */
  deadEnd(): RunError {
    return deadEnd(this.slots, this.slots.inFlight, this.pool.cores);
  }
}

/** Lets gaps count at once. */
export function collectGaps(collector: Collector): GapSink {
  const { gaps } = collector;
  return {
    addShared: (gapMs, count) => gaps.add(gapMs, count),
    addRun: (clock, startMs, batch, tokens, passes) => gaps.addRun(clock, startMs, batch, tokens, passes),
    addOwn: (_slot, gapMs) => gaps.add(gapMs, 1),
  };
}

import type { EngineCore, EngineSignal, FleetCore } from '../engine/engine-core.js';
import type { Collector } from '../report/collector.js';
import type { Placement } from '../router/router.js';
import { RequestDraft } from '../workload/source.js';
import { type Agenda, PASS_END, TRANSFER_END, WORKER_READY } from './agenda.js';
import { Bypass } from './bypass.js';
import type { Flow, Stage } from './flow.js';
import {
  ACTIVATE_DESTINATION,
  ACTIVATED,
  CANCEL_DESTINATION,
  CANCEL_SOURCE,
  FAILED,
  HELD,
  OVER,
  RELEASE_SOURCE,
  RESERVE_DESTINATION,
  RESERVED,
  START_TRANSFER,
  SUBMIT_PREFILL,
  TRANSFERRED,
} from './handoffs.js';
import { RunError } from './run-error.js';
import { RUN_RULES, type RunRules } from './run-rules.js';
import type { SplitFleet } from './split-fleet.js';
import { type Worker, WorkerGroup } from './workers.js';

interface Action {
  kind: number;
  slot: number;
}

/**
 * Prefill and decode workers (`replay/offline/disagg.rs` of the reference). At each time: passes that end, workers that
 * are ready, transfers that end, arrivals, actions of handoffs, first in first out, cleaning up after failures last, then
 * prefill and decode workers that can start.
 */
export class SplitFlow implements Flow {
  readonly stages: readonly Stage[];
  readonly steps: readonly (() => boolean)[];
  private readonly prefill: WorkerGroup;
  private readonly decode: WorkerGroup;
  private readonly actions: Action[] = [];
  private readonly cleanups: Action[] = [];
  /** Actions that wait for the end of a pass, by worker. */
  private readonly deferredOnPrefill = new Map<number, Action[]>();
  private readonly deferredOnDecode = new Map<number, Action[]>();
  private readonly draft = new RequestDraft();
  /** Requests that are to leave. */
  private readonly cancelled = new Set<number>();
  private readonly bypass: Bypass | undefined;
  private readonly rules: RunRules;

  constructor(
    private readonly fleet: SplitFleet,
    private readonly agenda: Agenda,
  ) {
    this.prefill = new WorkerGroup(fleet.prefill, agenda, 0, (worker, nowMs) =>
      this.prefillEnded(worker, nowMs),
    );
    this.decode = new WorkerGroup(fleet.decode, agenda, 1, (worker, nowMs) =>
      this.decodeEnded(worker, nowMs),
    );
    this.stages = [
      { name: 'prefill', group: this.prefill },
      { name: 'decode', group: this.decode },
    ];
    agenda.isVoid = (subject, order) =>
      this.stages[WorkerGroup.stageOf(subject)].group.isVoid(subject, order);
    const { bypass } = fleet.options;
    this.rules = RUN_RULES[fleet.options.rules.semantics];
    const arrive = () => this.takeArrivals();
    const act = () => this.runActions();
    this.steps = [
      () => this.agenda.takeAll(PASS_END, this.endPass),
      () => this.agenda.takeAll(WORKER_READY, this.welcome),
      () => this.agenda.takeAll(TRANSFER_END, this.endTransfer),
      ...(this.rules.actsBeforeArrivals ? [act, arrive] : [arrive, act]),
      () => this.takeOut(),
      () => this.prefill.drive(),
      () => this.decode.drive(),
      () => this.prefill.removeDrained(),
      () => this.decode.removeDrained(),
    ];
    if (bypass) this.bypass = new Bypass(bypass, fleet);
    for (const group of [this.prefill, this.decode])
      group.onIdleRetry = () => {
        this.prefill.stopPlanning();
        this.decode.stopPlanning();
      };
  }

  private readonly endPass = (subject: number): void => {
    const { group } = this.stages[WorkerGroup.stageOf(subject)];
    group.finish(group.workerOf(subject));
  };

  private readonly welcome = (subject: number): void => {
    const stage = this.stages[WorkerGroup.stageOf(subject)];
    stage.group.activate(stage.group.workerOf(subject));
    this.topologyChanged(stage);
  };

  private readonly endTransfer = (slot: number): void => this.happened(slot, TRANSFERRED);

  get isOver(): boolean {
    return this.fleet.ledger.slots.inFlight === 0 && this.fleet.options.source.isDrained();
  }

  rowOf(slot: number): number {
    return this.fleet.ledger.slots.row[slot];
  }

  nextArrivalMs(): number {
    return this.fleet.options.source.nextReadyMs();
  }

  topologyChanged({ group }: Stage): void {
    const placements = group.pool.topologySettled(this.agenda.nowMs);
    if (group === this.prefill) this.dispatchAll(placements);
    else for (const placement of placements) this.acceptDestination(placement);
  }

  cancel(row: number): void {
    const slot = this.fleet.ledger.slots.find(row);
    if (slot >= 0) this.cancelled.add(slot);
  }

  workerOfRow(row: number) {
    const slot = this.fleet.ledger.slots.find(row);
    if (slot < 0) return undefined;
    const { prefillRank, decodeRank } = this.fleet.handoffs;
    if (decodeRank[slot] >= 0)
      return { stage: this.stages[1], worker: this.decode.workerOfRank(decodeRank[slot]) };
    if (prefillRank[slot] < 0) return undefined;
    return { stage: this.stages[0], worker: this.prefill.workerOfRank(prefillRank[slot]) };
  }

  rowsOf({ group }: Stage, worker: Worker): number[] {
    const { slots } = this.fleet.ledger;
    const ranks = this.fleet.handoffs[group === this.prefill ? 'prefillRank' : 'decodeRank'];
    const isHere = (slot: number) => ranks[slot] >= 0 && group.workerOfRank(ranks[slot]) === worker;
    return slots
      .inUse()
      .filter(isHere)
      .map((slot) => slots.row[slot]);
  }

  lose({ group }: Stage, worker: Worker): number {
    const { handoffs, ledger } = this.fleet;
    const isDecode = group === this.decode;
    const ranks = handoffs[isDecode ? 'decodeRank' : 'prefillRank'];
    // A prefill worker that has handed a request over has lost nothing of it.
    const isHere = (slot: number) =>
      this.fleet.runs(slot) &&
      ranks[slot] >= 0 &&
      group.workerOfRank(ranks[slot]) === worker &&
      (isDecode || !handoffs.has(slot, ACTIVATED));
    const lost = ledger.slots.inUse().filter(isHere);
    for (const slot of lost) {
      ledger.lose(slot);
      this.cancelled.add(slot);
    }
    return lost.length;
  }

  /** Lets refused and cancelled requests go as far as they can now. @returns whether there were any that could */
  private takeOut(): boolean {
    let any = this.turnAway();
    for (const slot of this.cancelled) {
      if (this.fleet.ledger.slots.isFree(slot)) this.cancelled.delete(slot);
      else if (this.fleet.runs(slot) && this.letGo(slot)) any = true;
    }
    return any;
  }

  /** Lets requests go that a router did not take. @returns whether there were any */
  private turnAway(): boolean {
    const { prefill, decode } = this.fleet;
    if (prefill.refused.length + decode.refused.length === 0) return false;
    for (const slot of [...prefill.refused.splice(0), ...decode.refused.splice(0)])
      if (this.fleet.runs(slot)) this.fail(slot, 'rejected', this.agenda.nowMs);
    return true;
  }

  private letGo(slot: number): boolean {
    const { handoffs } = this.fleet;
    if (handoffs.has(slot, ACTIVATED) || handoffs.has(slot, OVER)) return this.letGoOfDecode(slot);
    if (handoffs.has(slot, FAILED)) return false;
    const isOnItsWay = handoffs.hasIssued(slot, START_TRANSFER) && !handoffs.has(slot, TRANSFERRED);
    const isHeld =
      (handoffs.hasIssued(slot, SUBMIT_PREFILL) && handoffs.prefillRank[slot] < 0) ||
      (handoffs.hasIssued(slot, RESERVE_DESTINATION) && handoffs.decodeRank[slot] < 0);
    if (isOnItsWay || isHeld) return false;
    const chosen = this.bypass?.placementOf(slot);
    if (chosen) this.leaveDecode(slot);
    this.fail(slot, 'failed', this.agenda.nowMs);
    return true;
  }

  /** Takes a request out of its decode worker, between passes. */
  private letGoOfDecode(slot: number): boolean {
    const { fleet, decode } = this;
    const rank = fleet.handoffs.decodeRank[slot];
    const worker = decode.workerOfRank(rank);
    if (this.mustWait(decode, worker) || !fleet.decode.cores[rank].cancel(slot)) return false;
    this.leaveDecode(slot);
    fleet.end(slot, 'failed', this.agenda.nowMs);
    decode.wake(worker);
    this.retry(worker, fleet.decode.cores[rank]);
    return true;
  }

  private leaveDecode(slot: number): void {
    for (const placement of this.fleet.decode.ended(slot, this.agenda.nowMs))
      this.acceptDestination(placement);
  }

  willScale(): void {
    // Any number of workers follows the same rules.
  }

  stopAtCap(): void {
    // What is under way is not applied.
  }

  deadEnd(): RunError {
    return this.fleet.deadEnd();
  }

  recordUnfinished(collector: Collector): void {
    this.fleet.recordUnfinished(collector);
  }

  private takeArrivals(): boolean {
    const { fleet, draft, agenda } = this;
    const { source } = fleet.options;
    let any = false;
    while (source.take(agenda.nowMs, draft)) {
      const slot = fleet.accept(draft);
      // Whoever had the slot before may have left by itself.
      this.cancelled.delete(slot);
      const action = { kind: fleet.handoffs.begin(slot), slot };
      if (!this.bypass?.takes(slot, agenda.nowMs)) this.actions.push(action);
      any = true;
    }
    return any;
  }

  // ---- Ends of passes ----------------------------------------------------------------------------------------

  private prefillEnded(worker: Worker, nowMs: number): void {
    const { cores } = worker;
    this.wake(this.deferredOnPrefill, worker, this.fleet.handoffs.prefillRank);
    for (let rank = 0; rank < cores.length; rank++) cores[rank].publishEvents(nowMs);
    const signals = takenSignals(cores);
    for (const signal of signals) this.hearPrefill(signal, nowMs);
    for (const { slot, kind } of signals) if (kind === 'held') this.sourceHeld(slot, nowMs);
    if (this.fleet.options.checks) for (const core of cores) core.check();
  }

  private hearPrefill({ slot, kind }: EngineSignal, nowMs: number): void {
    if (kind === 'held') this.dispatchAll(this.fleet.prefill.prefillCompleted(slot, nowMs));
    else if (kind === 'rejected' && !this.fleet.handoffs.has(slot, FAILED))
      this.fail(slot, 'rejected', nowMs);
  }

  private sourceHeld(slot: number, nowMs: number): void {
    this.fleet.prefill.promptComputed(slot);
    this.fleet.handoffs.sourceHeldMs[slot] = nowMs;
    if (this.fleet.prefill.args.transfer.gigabytesPerSecond === 0)
      throw new RunError(
        'invalid handoff transfer bandwidth 0; leave kv_transfer_bandwidth out for no delay',
      );
    this.happened(slot, HELD);
  }

  private decodeEnded(worker: Worker, nowMs: number): void {
    const { fleet } = this;
    const { cores } = worker;
    const granted = cores.map(({ destinations }) => destinations.retry());
    const transferTokens = cores.map(({ destinations }) => destinations.transferTokens);
    this.wake(this.deferredOnDecode, worker, this.fleet.handoffs.decodeRank);
    for (const { slot, kind } of takenSignals(cores)) {
      if (kind === 'firstToken') continue;
      const released = fleet.decode.ended(slot, nowMs);
      fleet.end(slot, kind === 'rejected' ? 'rejected' : 'completed', nowMs);
      for (const placement of released) this.acceptDestination(placement);
    }
    for (let rank = 0; rank < cores.length; rank++)
      if (granted[rank] >= 0) this.destinationReserved(granted[rank], transferTokens[rank]);
    if (fleet.options.checks) for (const core of cores) core.check();
  }

  /** Queues what waited for a worker, rank by rank. */
  private wake(deferred: Map<number, Action[]>, worker: Worker, rankOf: Int32Array): void {
    const actions = deferred.get(worker.id);
    if (!actions) return;
    deferred.delete(worker.id);
    if (worker.cores.length > 1) actions.sort((a, b) => rankOf[a.slot] - rankOf[b.slot]);
    this.actions.push(...actions);
  }

  // ---- Handoffs ----------------------------------------------------------------------------------------------

  /** Something has happened to a request: what follows from it is queued. */
  private happened(slot: number, fact: number): void {
    const kind = this.fleet.handoffs.note(slot, fact);
    if (kind >= 0) this.actions.push({ kind, slot });
  }

  private fail(slot: number, status: 'rejected' | 'failed', nowMs: number): void {
    const cleanup = this.fleet.handoffs.fail(slot);
    this.fleet.fail(slot, status, nowMs);
    const queue = this.rules.cleansUpInTurn ? this.actions : this.cleanups;
    for (const kind of cleanup) queue.push({ kind, slot });
  }

  /** Runs queued actions, then cleanups, then what follows from those. @returns whether any could be run */
  private runActions(): boolean {
    const { actions, cleanups } = this;
    let any = false;
    while (actions.length + cleanups.length > 0)
      for (const queue of [actions, cleanups])
        for (const action of queue.splice(0)) if (this.runAction(action)) any = true;
    return any;
  }

  private runAction(action: Action): boolean {
    const { slot, kind } = action;
    const isCleanup = kind === CANCEL_DESTINATION || kind === CANCEL_SOURCE;
    if (!isCleanup && this.cancelled.has(slot) && this.fleet.handoffs.has(slot, FAILED)) return true;
    switch (kind) {
      case SUBMIT_PREFILL:
        return this.submit(slot);
      case RESERVE_DESTINATION:
        return this.reserve(slot);
      case START_TRANSFER:
        return this.transfer(slot);
      case ACTIVATE_DESTINATION:
      case CANCEL_DESTINATION:
        return this.runOnDecode(action);
      case RELEASE_SOURCE:
      case CANCEL_SOURCE:
        return this.runOnPrefill(action);
      default:
        throw new Error(`no such action: ${kind}`);
    }
  }

  private submit(slot: number): boolean {
    const { fleet, agenda } = this;
    const placement = fleet.prefill.place(fleet.traits[slot], agenda.nowMs);
    if (placement) this.dispatchAll([placement]);
    return true;
  }

  private dispatchAll(placements: readonly Placement[]): void {
    const { handoffs, prefill, traits } = this.fleet;
    for (const { slot, target, overlapTokens } of placements) {
      prefill.notePlaced(traits[slot].inputTokens, overlapTokens);
      handoffs.prefillRank[slot] = target;
      handoffs.prefillOverlapTokens[slot] = overlapTokens;
      prefill.log.dispatchMs[slot] = this.agenda.nowMs;
      prefill.dispatch(slot, target, this.agenda.nowMs);
    }
  }

  private reserve(slot: number): boolean {
    const { fleet, agenda } = this;
    const placement = this.bypass?.placementOf(slot) ?? fleet.decode.place(fleet.traits[slot], agenda.nowMs);
    if (placement) this.acceptDestination(placement);
    return true;
  }

  /** A decode worker has been chosen: it queues the request for room, or finds that there can never be any. */
  private acceptDestination({ slot, target, overlapTokens }: Placement): void {
    const { fleet, decode, agenda } = this;
    const { handoffs } = fleet;
    const worker = decode.workerOfRank(target);
    const core = fleet.decode.cores[target];
    const { destinations } = core;
    handoffs.decodeOverlapTokens[slot] = overlapTokens;
    if (destinations.pending === 0 || destinations.wantsRetry) decode.cutShort(worker);
    if (!destinations.request(slot)) {
      for (const placement of fleet.decode.ended(slot, agenda.nowMs)) this.acceptDestination(placement);
      this.fail(slot, 'failed', agenda.nowMs);
      return;
    }
    handoffs.decodeRank[slot] = target;
    fleet.decode.assign(slot, target, agenda.nowMs);
    decode.wake(worker);
    if (!decode.isBusy(worker)) this.retry(worker, core);
  }

  /** Tries to give the next destination of a rank of an idle decode worker its room. */
  private retry(worker: Worker, { destinations }: FleetCore): void {
    const slot = destinations.retry();
    this.decode.wake(worker);
    if (slot >= 0) this.destinationReserved(slot, destinations.transferTokens);
  }

  private destinationReserved(slot: number, transferTokens: number): void {
    const { handoffs } = this.fleet;
    handoffs.destinationReservedMs[slot] = this.agenda.nowMs;
    handoffs.transferTokens[slot] = transferTokens;
    this.happened(slot, RESERVED);
  }

  private transfer(slot: number): boolean {
    const { fleet, agenda } = this;
    const { gigabytesPerSecond, bytesPerToken, countsMissing } = fleet.prefill.args.transfer;
    const tokens = countsMissing ? fleet.handoffs.transferTokens[slot] : fleet.traits[slot].inputTokens;
    const delayMs =
      gigabytesPerSecond === undefined || bytesPerToken === undefined
        ? 0
        : ((tokens * bytesPerToken) / (gigabytesPerSecond * 1e9)) * 1000;
    if (delayMs > 0) agenda.pushTransferEnd(agenda.nowMs + delayMs, slot, fleet.handoffs.order[slot]);
    else this.happened(slot, TRANSFERRED);
    return true;
  }

  /** Runs what an idle decode worker must do, now or at the end of its pass. */
  private runOnDecode(action: Action): boolean {
    const { decode, fleet, agenda } = this;
    const { slot, kind } = action;
    const rank = fleet.handoffs.decodeRank[slot];
    if (rank < 0) {
      this.cleanedUp(slot);
      return true;
    }
    const worker = decode.workerOfRank(rank);
    if (this.mustWait(decode, worker)) return defer(this.deferredOnDecode, worker, action);
    const core = fleet.decode.cores[rank];
    if (kind === CANCEL_DESTINATION) {
      core.destinations.cancel(slot);
      this.leaveDecode(slot);
      this.cleanedUp(slot);
    } else {
      core.destinations.activate(slot);
      fleet.handoffs.destinationActivatedMs[slot] = agenda.nowMs;
      this.happened(slot, ACTIVATED);
    }
    this.retry(worker, core);
    return true;
  }

  /** Runs what an idle prefill worker must do, now or at the end of its pass. */
  private runOnPrefill(action: Action): boolean {
    const { prefill, fleet, agenda } = this;
    const { slot, kind } = action;
    const { handoffs } = fleet;
    const rank = handoffs.prefillRank[slot];
    if (rank < 0) {
      this.cleanedUp(slot);
      return true;
    }
    const worker = prefill.workerOfRank(rank);
    if (this.mustWait(prefill, worker)) return defer(this.deferredOnPrefill, worker, action);
    const core = fleet.prefill.cores[handoffs.prefillRank[slot]];
    if (handoffs.has(slot, HELD)) {
      core.releaseHeld(slot);
      core.publishEvents(agenda.nowMs);
      prefill.wake(worker);
    } else if (kind === CANCEL_SOURCE && this.cancelled.has(slot)) {
      core.cancel(slot);
      prefill.wake(worker);
    }
    if (kind === CANCEL_SOURCE) this.cleanedUp(slot);
    else {
      handoffs.sourceReleasedMs[slot] = agenda.nowMs;
      this.complete(slot);
    }
    return true;
  }

  private mustWait(group: WorkerGroup, worker: Worker): boolean {
    if (group.isBusy(worker)) group.cutShort(worker);
    return group.isBusy(worker);
  }

  private cleanedUp(slot: number): void {
    if (this.fleet.handoffs.cancelled(slot)) this.complete(slot);
  }

  private complete(slot: number): void {
    const { fleet, agenda } = this;
    const isPlaced = fleet.handoffs.prefillRank[slot] >= 0;
    const released = isPlaced ? fleet.prefill.ended(slot, agenda.nowMs) : [];
    fleet.handedOver(slot, agenda.nowMs);
    this.dispatchAll(released);
  }
}

const NO_SIGNALS: readonly EngineSignal[] = [];

function takenSignals(cores: readonly EngineCore[]): readonly EngineSignal[] {
  if (cores.length > 1) return cores.flatMap(({ signals }) => signals.splice(0));
  const [{ signals }] = cores;
  return signals.length > 0 ? signals.splice(0) : NO_SIGNALS;
}

/** @returns false, since nothing has changed */
function defer(deferred: Map<number, Action[]>, worker: Worker, action: Action): false {
  const actions = deferred.get(worker.id);
  if (actions) actions.push(action);
  else deferred.set(worker.id, [action]);
  return false;
}

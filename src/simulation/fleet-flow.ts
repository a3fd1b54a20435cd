import type { Collector } from '../report/collector.js';
import { RequestDraft } from '../workload/source.js';
import { type Agenda, PASS_END, WORKER_READY } from './agenda.js';
import type { Fleet } from './fleet.js';
import type { Flow, Stage } from './flow.js';
import type { LoneRules } from './lone-rules.js';
import type { RunError } from './run-error.js';
import { RUN_RULES } from './run-rules.js';
import { type Worker, WorkerGroup } from './workers.js';

/**
 * Many workers that serve requests from prompt to last token (`replay/offline/agg.rs` of the reference). At each time:
 * passes that end, workers that are ready, arrivals, then workers that can start, in order of their ids.
 */
export class FleetFlow implements Flow {
  readonly stages: readonly Stage[];
  private readonly group: WorkerGroup;
  private readonly draft = new RequestDraft();
  /** Requests that are to leave, with the worker that has them in a pass or with the router. */
  private readonly cancelled = new Set<number>();

  /** @param lone the rules of a worker that is alone, in their place */
  constructor(
    private readonly fleet: Fleet,
    private readonly agenda: Agenda,
    private lone?: LoneRules,
  ) {
    const { hearsEventsFirst, failsIdle } = RUN_RULES[fleet.options.rules.semantics];
    this.group = new WorkerGroup(fleet.pool, agenda, 0, ({ cores }, nowMs) => {
      if (hearsEventsFirst) for (const core of cores) core.publishEvents(nowMs);
      for (let rank = 0; rank < cores.length; rank++) fleet.end(cores[rank], nowMs);
    });
    agenda.isVoid = (worker, order) => this.group.isVoid(worker, order);
    this.stages = [{ name: '', group: this.group }];
    if (lone) this.group.retries = lone;
    if (failsIdle && fleet.pool.traits.retriesIdle)
      this.group.onIdle = () => {
        throw fleet.deadEnd();
      };
  }

  readonly steps = [
    () => this.agenda.takeAll(PASS_END, this.endPass),
    () => this.agenda.takeAll(WORKER_READY, this.welcome),
    () => this.takeArrivals(),
    () => this.takeOut(),
    () => this.group.drive(),
    () => this.group.removeDrained(),
  ];

  private readonly endPass = (worker: number): void => this.group.finish(this.group.workerOf(worker));

  private readonly welcome = (worker: number): void => {
    this.group.activate(this.group.workerOf(worker));
    this.topologyChanged();
  };

  get isOver(): boolean {
    return this.fleet.slots.inFlight === 0 && this.fleet.options.source.isDrained();
  }

  /** Whether the rules of a worker that is alone hold. */
  get isLone(): boolean {
    return this.lone !== undefined;
  }

  rowOf(slot: number): number {
    return this.fleet.slots.row[slot];
  }

  nextArrivalMs(): number {
    const readyMs = this.fleet.options.source.nextReadyMs();
    return this.lone?.mustWait(this.group, readyMs, this.agenda.nowMs) ? Number.POSITIVE_INFINITY : readyMs;
  }

  private takeArrivals(): boolean {
    const { fleet, draft, group } = this;
    const { nowMs } = this.agenda;
    if (this.lone?.holdsBack(group, fleet.options.source.nextReadyMs(), nowMs)) return false;
    let any = false;
    while (fleet.options.source.take(nowMs, draft)) {
      const slot = fleet.accept(draft);
      // Whoever had the slot before may have left by itself.
      this.cancelled.delete(slot);
      fleet.place(slot, draft, nowMs);
      any = true;
    }
    return any;
  }

  cancel(row: number): void {
    const slot = this.fleet.slots.find(row);
    if (slot >= 0) this.cancelled.add(slot);
  }

  workerOfRow(row: number) {
    const slot = this.fleet.slots.find(row);
    const rank = slot < 0 ? -1 : this.fleet.slots.rank[slot];
    return rank < 0 ? undefined : { stage: this.stages[0], worker: this.group.workerOfRank(rank) };
  }

  rowsOf(_stage: Stage, worker: Worker): number[] {
    const { slots } = this.fleet;
    const isHere = (slot: number) =>
      slots.rank[slot] >= 0 && this.group.workerOfRank(slots.rank[slot]) === worker;
    return slots
      .inUse()
      .filter(isHere)
      .map((slot) => slots.row[slot]);
  }

  lose(_stage: Stage, worker: Worker): number {
    const { slots } = this.fleet;
    const isHere = (slot: number) =>
      slots.rank[slot] >= 0 && this.group.workerOfRank(slots.rank[slot]) === worker;
    const lost = slots.inUse().filter(isHere);
    for (const slot of lost) {
      this.fleet.lose(slot);
      this.cancelled.add(slot);
    }
    return lost.length;
  }

  /** Takes refused requests out, and cancelled ones where workers are between passes. @returns whether there were any */
  private takeOut(): boolean {
    const { fleet, group, cancelled } = this;
    let any = fleet.pool.refused.length > 0 && fleet.turnAway(this.agenda.nowMs);
    for (const slot of cancelled) {
      const rank = fleet.slots.rank[slot];
      if (!fleet.slots.isFree(slot)) {
        if (rank < 0) continue;
        const worker = group.workerOfRank(rank);
        group.cutShort(worker);
        if (group.isBusy(worker) || !fleet.cancel(slot, this.agenda.nowMs)) continue;
        group.wake(worker);
        any = true;
      }
      cancelled.delete(slot);
    }
    return any;
  }

  topologyChanged(): void {
    const { fleet } = this;
    const { nowMs } = this.agenda;
    fleet.dispatchAll(fleet.pool.topologySettled(nowMs), nowMs);
  }

  willScale(): void {
    this.lone = undefined;
    this.group.retries = undefined;
  }

  stopAtCap(): void {
    const nextReadyMs = this.fleet.options.source.nextReadyMs();
    this.lone?.stopAtCap(this.agenda, nextReadyMs, this.endPass, () => this.takeArrivals());
  }

  deadEnd(): RunError {
    return this.fleet.deadEnd();
  }

  recordUnfinished(collector: Collector): void {
    this.fleet.recordUnfinished(collector);
  }
}

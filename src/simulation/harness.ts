import { RequestDraft } from '../workload/source.js';
import type { Fleet } from './fleet.js';
import { PASS_END, Timeline, WORKER_READY } from './timeline.js';
import { WorkerGroup } from './workers.js';

/**
 * The event loop over many workers (`replay/offline/agg.rs` of the reference). At each time: passes that end, workers
 * that are ready, arrivals, then workers that can start, in order of their ids, until nothing changes.
 */
export class HarnessRun {
  private readonly timeline: Timeline = new Timeline((subject, order) => this.group.isVoid(subject, order));
  private readonly group: WorkerGroup;
  private readonly draft = new RequestDraft();
  private workerSeconds = 0;
  /** Scaling asked for, by time. */
  private readonly scaling: { atMs: number; workers: number; startupMs: number }[] = [];

  constructor(
    private readonly fleet: Fleet,
    private readonly capMs: number,
  ) {
    this.group = new WorkerGroup(fleet.pool, this.timeline, 0, (worker, nowMs) => {
      const { cores } = worker;
      for (let rank = 0; rank < cores.length; rank++) fleet.end(cores[rank], nowMs);
    });
  }

  /** Asks for a number of workers at a time; calls come in order of time. */
  scaleAt(atMs: number, workers: number, startupMs: number): void {
    this.scaling.push({ atMs, workers, startupMs });
  }

  /** @returns worker time in seconds */
  run(): number {
    const { fleet, timeline, group } = this;
    const { source } = fleet.options;
    this.settleNow();
    while (!(fleet.slots.inFlight === 0 && source.isDrained())) {
      const scaleMs = this.scaling[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const next = Math.min(source.nextReadyMs(), timeline.nextMs, scaleMs);
      if (next === Number.POSITIVE_INFINITY) throw fleet.deadEnd();
      if (next > this.capMs) break;
      const dt = Math.max(next - timeline.nowMs, 0);
      this.workerSeconds += (group.provisioned * dt) / 1000;
      timeline.nowMs = next;
      this.settleNow();
    }
    return this.workerSeconds;
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** When something happens next; Infinity when nothing will unless a request comes. */
  get nextMs(): number {
    return Math.min(this.fleet.options.source.nextReadyMs(), this.timeline.nextMs);
  }

  /** Executes every pass on its own, so that it is known at each what its requests got. */
  stopPlanning(): void {
    this.group.stopPlanning();
  }

  /** Lets everything happen that happens up to and at a time. */
  until(ms: number): void {
    for (let next = this.nextMs; next <= ms; next = this.nextMs) {
      this.timeline.nowMs = Math.max(next, this.timeline.nowMs);
      this.settleNow();
    }
  }

  /** Lets everything happen that happens at the current time. */
  private settleNow(): void {
    const { group, timeline } = this;
    group.enterTime();
    timeline.round = 0;
    let changed = true;
    for (; changed; timeline.round++) {
      changed = timeline.takeAll(PASS_END, this.endPass);
      if (timeline.takeAll(WORKER_READY, this.welcome)) changed = true;
      if (this.takeArrivals()) changed = true;
      if (group.drive()) changed = true;
      if (group.removeDrained()) changed = true;
      if (this.scale()) changed = true;
    }
  }

  private readonly endPass = (worker: number): void => this.group.finish(this.group.workerOf(worker));

  private readonly welcome = (worker: number): void => {
    const { timeline, group, fleet } = this;
    group.activate(group.workerOf(worker));
    fleet.dispatchAll(fleet.pool.topologySettled(timeline.nowMs), timeline.nowMs);
  };

  private takeArrivals(): boolean {
    const { fleet, draft, timeline } = this;
    const { source } = fleet.options;
    let any = false;
    while (source.take(timeline.nowMs, draft)) {
      const slot = fleet.accept(draft);
      fleet.place(slot, draft, timeline.nowMs);
      any = true;
    }
    return any;
  }

  private scale(): boolean {
    const { scaling, timeline, group, fleet } = this;
    const next = scaling[0];
    if (next === undefined || next.atMs > timeline.nowMs) return false;
    scaling.shift();
    group.scaleTo(next.workers, next.startupMs);
    group.removeDrained();
    fleet.dispatchAll(fleet.pool.topologySettled(timeline.nowMs), timeline.nowMs);
    return true;
  }
}

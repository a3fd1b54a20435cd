import type { EngineCore } from '../engine/engine-core.js';
import { RequestDraft } from '../workload/source.js';
import { EventQueue } from './event-queue.js';
import type { Fleet } from './fleet.js';

const IDLE = 0;
/** In a stretch of passes that was planned and can still be cut short. */
const PLANNED = 1;
/** In a pass whose effects are decided and wait for its end. */
const BUSY = 2;

interface Worker {
  id: number;
  cores: EngineCore[];
  state: number;
  startMs: number;
  /** Order number of the event that ends what the worker does; older events of it are void. */
  event: number;
  /** Its last attempt at the current time had no effect. */
  isDeferred: boolean;
}

/**
 * The event loop over many workers (`replay/offline/{agg,state}.rs` of the reference). At each time: passes that end,
 * arrivals, then workers that can start, in order of their ids, until nothing changes.
 */
export class HarnessRun {
  private readonly events = new EventQueue();
  private readonly workers: Worker[];
  private readonly draft = new RequestDraft();
  /** Whether stretches of passes are planned. */
  private plansAhead = true;
  private nowMs = 0;
  private workerSeconds = 0;
  /** Whether a pass without any effect changes something all the same, and how often it is tried matters. */
  private readonly retriesIdle: boolean;
  /** Whether workers have been started at the current time already. */
  private hasDriven = false;

  constructor(
    private readonly fleet: Fleet,
    private readonly capMs: number,
  ) {
    const { workers, args } = fleet.options;
    this.retriesIdle = args.engineType === 'sglang';
    fleet.beforeDispatch = (rank) => this.makeReady(rank);
    this.workers = Array.from({ length: workers }, (_, id) => ({
      id,
      cores: fleet.cores.slice(id * args.ranks, (id + 1) * args.ranks),
      state: IDLE,
      startMs: 0,
      event: -1,
      isDeferred: false,
    }));
  }

  /** @returns worker time in seconds */
  run(): number {
    const { fleet, events } = this;
    const { source } = fleet.options;
    this.settleNow();
    while (!(this.fleet.slots.inFlight === 0 && source.isDrained())) {
      this.dropVoidEvents();
      const next = Math.min(source.nextReadyMs(), events.timeMs);
      if (next === Number.POSITIVE_INFINITY) throw fleet.deadEnd();
      if (next > this.capMs) break;
      const dt = Math.max(next - this.nowMs, 0);
      this.workerSeconds += (this.workers.length * dt) / 1000;
      this.nowMs = next;
      this.settleNow();
    }
    return this.workerSeconds;
  }

  private dropVoidEvents(): void {
    const { events, workers } = this;
    while (events.size > 0 && workers[events.actor].event !== events.order) events.pop();
  }

  /** Lets everything happen that happens at the current time. */
  private settleNow(): void {
    for (const worker of this.workers) worker.isDeferred = false;
    this.hasDriven = false;
    let changed = true;
    while (changed) {
      changed = this.endPasses();
      if (this.takeArrivals()) changed = true;
      if (this.driveWorkers()) changed = true;
    }
  }

  private endPasses(): boolean {
    const { events, workers } = this;
    let any = false;
    for (this.dropVoidEvents(); events.timeMs === this.nowMs; this.dropVoidEvents()) {
      const worker = workers[events.actor];
      events.pop();
      this.finish(worker);
      any = true;
    }
    return any;
  }

  private finish(worker: Worker): void {
    if (worker.state === PLANNED) worker.cores[0].commit();
    worker.state = IDLE;
    worker.event = -1;
    for (const core of worker.cores) this.fleet.end(core, this.nowMs);
  }

  private takeArrivals(): boolean {
    const { fleet, draft } = this;
    const { source } = fleet.options;
    let any = false;
    while (source.take(this.nowMs, draft)) {
      const slot = fleet.accept(draft);
      fleet.place(slot, draft, this.nowMs);
      any = true;
    }
    return any;
  }

  /** A request reaches a rank: a stretch that it would have to wait for ends early. */
  private makeReady(rank: number): void {
    const worker = this.workers[Math.floor(rank / this.fleet.options.args.ranks)];
    worker.isDeferred = false;
    if (worker.state === PLANNED && this.fleet.cores[rank].wantsArrivals) this.cutShort(worker);
  }

  /** Ends a planned stretch with the pass that is under way now. */
  private cutShort(worker: Worker): void {
    const [core] = worker.cores;
    const end = core.plan(worker.startMs, this.hasDriven ? nextAfter(this.nowMs) : this.nowMs);
    if (end < 0) {
      worker.state = IDLE;
      worker.event = -1;
      return;
    }
    if (end > this.nowMs) {
      worker.event = this.events.push(end, core.lastStartMs, worker.id);
      return;
    }
    core.commit();
    worker.state = IDLE;
    worker.event = -1;
    this.fleet.end(core, end);
  }

  private driveWorkers(): boolean {
    let any = false;
    this.hasDriven = true;
    if (this.retriesIdle) this.retryDeferred();
    for (let id = 0; id < this.workers.length; ) {
      const worker = this.workers[id];
      if (worker.state !== IDLE || worker.isDeferred || !this.hasWork(worker)) id++;
      else {
        const acted = this.start(worker);
        if (!acted) this.defer(worker);
        else {
          any = true;
          if (this.retriesIdle) id = this.retryDeferred();
        }
      }
    }
    return any;
  }

  /**
   * A worker has work and can do nothing. Where trying changes something, how often it is tried follows the passes of
   * all others, so that none may be planned any more.
   */
  private defer(worker: Worker): void {
    worker.isDeferred = true;
    if (!this.retriesIdle || !this.plansAhead) return;
    this.plansAhead = false;
    for (const other of this.workers) if (other.state === PLANNED) this.cutShort(other);
  }

  /** Lets workers whose last attempt had no effect try again, from the first one on. */
  private retryDeferred(): number {
    for (const worker of this.workers) worker.isDeferred = false;
    return 0;
  }

  private hasWork(worker: Worker): boolean {
    for (const core of worker.cores) if (core.requestCount > 0) return true;
    return false;
  }

  /** Starts a pass or a stretch. @returns false when it had no effect */
  private start(worker: Worker): boolean {
    const { nowMs } = this;
    worker.startMs = nowMs;
    if (worker.cores.length === 1 && this.plansAhead) {
      const end = worker.cores[0].plan(nowMs, Number.POSITIVE_INFINITY);
      if (end > nowMs) {
        this.becomeBusy(worker, PLANNED, end);
        return true;
      }
    }
    return this.startPass(worker);
  }

  private startPass(worker: Worker): boolean {
    const { nowMs } = this;
    const active = worker.cores.filter((core) => core.requestCount > 0);
    let end = nowMs;
    for (const core of active) end = Math.max(end, core.execute(nowMs));
    let progressed = false;
    for (const core of active) {
      core.settle(end);
      progressed ||= core.madeProgress;
    }
    if (end > nowMs) {
      this.becomeBusy(worker, BUSY, end);
      return true;
    }
    for (const core of active) this.fleet.end(core, nowMs);
    return progressed;
  }

  private becomeBusy(worker: Worker, state: number, endMs: number): void {
    worker.state = state;
    const startMs = state === PLANNED ? worker.cores[0].lastStartMs : this.nowMs;
    worker.event = this.events.push(endMs, startMs, worker.id);
  }
}

const bits = new BigUint64Array(1);
const double = new Float64Array(bits.buffer);

/** The next representable time, so that what happens at `ms` lies before it. */
function nextAfter(ms: number): number {
  double[0] = ms;
  bits[0]++;
  return double[0];
}

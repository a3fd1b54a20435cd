import type { FleetCore } from '../engine/engine-core.js';
import type { Agenda } from './agenda.js';
import type { EnginePool } from './engine-pool.js';
import { ReadySet } from './ready-set.js';
import { RUN_RULES } from './run-rules.js';

const IDLE = 0;
/** In a stretch of passes that was planned and can still be cut short. */
const PLANNED = 1;
/** In a pass whose effects are decided and wait for its end. */
const BUSY = 2;

/** Milliseconds until a new worker is ready: of all, or of each by its id. */
export type StartupTime = number | ((worker: number) => number);

const LEAST_HORIZON_MS = 1;

/** Workers of different stages have numbers of their own. */
const STAGE = 1 << 20;

export interface Worker {
  id: number;
  cores: readonly FleetCore[];
  phase: 'starting' | 'active' | 'draining' | 'removed';
  state: number;
  /** When what it does began: a pass, or a stretch of them with the first. */
  startMs: number;
  /** Whether passes of the stretch that it is in have been committed already. */
  hasCommitted: boolean;
  /** When it began to take requests. */
  activeMs: number;
  /** How far ahead its passes are planned: what is planned and cut short has been worked out for nothing. */
  horizonMs: number;
  /** Name of the event that ends what the worker does, or that makes it ready; older ones are void. */
  event: number;
}

/**
 * The workers of one stage as actors on an agenda (`replay/offline/{agg,state}.rs` of the reference): they start
 * passes, alone or in planned stretches, end them, and come and go.
 */
export class WorkerGroup {
  readonly workers: Worker[] = [];
  /** Workers that are there: starting, active or draining. */
  private provisioned = 0;
  /** Their time up to the last change of their number, and when that was. */
  private pastSeconds = 0;
  private sinceMs = 0;
  /** Whether stretches of passes are planned. */
  private plansAhead = true;
  /** Whether every attempt without effect changes something all the same, so that their number matters. */
  private readonly retriesIdle: boolean;
  /** Whether workers have been started at the current time already. */
  private hasDriven = false;
  /** Told of every pass that is tried; one without effect is tried again then, after whatever else happens. */
  retries: { tried(hadEffect: boolean): void } | undefined;
  /** Workers that may have something to start, and those whose last attempt had no effect. */
  private readonly ready = new ReadySet();
  private readonly deferred: Worker[] = [];
  private draining = 0;

  /**
   * @param stage place of this stage among those of the run
   * @param passEnded told of each pass, or stretch, whose end has come
   */
  constructor(
    readonly pool: EnginePool,
    private readonly agenda: Agenda,
    private readonly stage: number,
    private readonly passEnded: (worker: Worker, nowMs: number) => void,
  ) {
    this.retriesIdle = pool.traits.retriesIdle && RUN_RULES[pool.rules.semantics].retriesIdle;
    for (let id = 0; id < pool.initialWorkers; id++) this.addWorker(0);
    pool.beforeDispatch = (rank) => this.makeReady(rank);
  }

  static stageOf(subject: number): number {
    return Math.floor(subject / STAGE);
  }

  workerOf(subject: number): Worker {
    return this.workers[subject % STAGE];
  }

  workerOfRank(rank: number): Worker {
    return this.workers[Math.floor(rank / this.pool.args.ranks)];
  }

  isBusy(worker: Worker): boolean {
    return worker.state !== IDLE;
  }

  // ---- Coming and going --------------------------------------------------------------------------------------

  /** Adds a worker that is ready after its start-up. */
  addWorker(startup: StartupTime): void {
    const id = this.workers.length;
    const startupMs = typeof startup === 'number' ? startup : startup(id);
    const worker: Worker = {
      id,
      cores: this.pool.addCores(id),
      phase: 'starting',
      state: IDLE,
      startMs: 0,
      hasCommitted: false,
      activeMs: 0,
      horizonMs: Number.POSITIVE_INFINITY,
      event: -1,
    };
    this.workers.push(worker);
    this.provision(1);
    if (startupMs > 0)
      worker.event = this.agenda.pushReady(this.agenda.nowMs + startupMs, this.stage * STAGE + id);
    else this.activate(worker);
  }

  /** A worker has started up. */
  activate(worker: Worker): void {
    worker.phase = 'active';
    worker.activeMs = this.agenda.nowMs;
    worker.event = -1;
    this.pool.enlist(worker.id);
  }

  /**
   * Brings active and starting workers to a number: new ones get new ids; those that go are the starting ones first,
   * then the active ones, highest id first, which finish what they have.
   */
  scaleTo(target: number, startupMs: StartupTime): void {
    const staying = this.workers.filter(({ phase }) => phase === 'starting' || phase === 'active');
    for (let missing = target - staying.length; missing > 0; missing--) this.addWorker(startupMs);
    const leaving = [
      ...staying.filter(({ phase }) => phase === 'starting').reverse(),
      ...staying.filter(({ phase }) => phase === 'active').reverse(),
    ].slice(0, Math.max(0, staying.length - target));
    for (const worker of leaving) {
      if (worker.phase === 'starting') this.remove(worker);
      else this.drain(worker);
    }
  }

  /** A worker takes nothing new any more, and another one takes its place, which is ready after its start-up. */
  replace(worker: Worker, startupMs: StartupTime = 0): void {
    if (worker.phase !== 'active' && worker.phase !== 'starting') return;
    if (worker.phase === 'starting') this.remove(worker);
    else this.drain(worker);
    this.addWorker(startupMs);
  }

  private drain(worker: Worker): void {
    worker.phase = 'draining';
    this.draining++;
    this.pool.delist(worker.id);
  }

  private remove(worker: Worker): void {
    if (worker.phase !== 'starting') this.pool.dismiss(worker.id);
    worker.phase = 'removed';
    worker.event = -1;
    this.provision(-1);
  }

  private provision(change: number): void {
    const { nowMs } = this.agenda;
    this.pastSeconds = this.secondsAt(nowMs);
    this.sinceMs = nowMs;
    this.provisioned += change;
  }

  /** Time of all workers that were there, up to a time, in seconds. */
  secondsAt(nowMs: number): number {
    return this.pastSeconds + (this.provisioned * (nowMs - this.sinceMs)) / 1000;
  }

  /** Removes draining workers that have nothing left. @returns whether there was one */
  removeDrained(): boolean {
    if (this.draining === 0) return false;
    let any = false;
    for (const worker of this.workers) {
      if (worker.phase !== 'draining' || worker.state !== IDLE) continue;
      if (worker.cores.some((core) => core.requestCount + core.keptCount > 0)) continue;
      this.remove(worker);
      this.draining--;
      any = true;
    }
    return any;
  }

  isVoid(subject: number, event: number): boolean {
    return this.workerOf(subject).event !== event;
  }

  // ---- Passes ------------------------------------------------------------------------------------------------

  /** A new time has come. */
  enterTime(): void {
    this.retryDeferred();
    this.hasDriven = false;
  }

  /** The pass, or stretch, of a worker has ended. */
  finish(worker: Worker): void {
    const { nowMs } = this.agenda;
    if (worker.state === PLANNED) {
      worker.cores[0].commit(Number.POSITIVE_INFINITY);
      worker.horizonMs *= 2;
    } else endMeasured(worker);
    this.pool.noteBusy(worker.id, worker.startMs, nowMs);
    this.rest(worker);
    this.leavePass(worker);
  }

  /** A pass, or stretch, is over. */
  private leavePass(worker: Worker): void {
    if (!hasWork(worker)) worker.cores[0].lockstep?.rested();
    this.passEnded(worker, this.agenda.nowMs);
  }

  private rest(worker: Worker): void {
    worker.state = IDLE;
    worker.event = -1;
    this.wake(worker);
  }

  /** A request reaches a rank: a stretch that it would have to wait for ends early. */
  private makeReady(rank: number): void {
    const worker = this.workerOfRank(rank);
    this.wake(worker);
    if (this.pool.cores[rank].wantsArrivals) this.cutShort(worker);
  }

  /** Ends a planned stretch with the pass that is under way now. */
  cutShort(worker: Worker): void {
    if (worker.state !== PLANNED) return;
    const { nowMs } = this.agenda;
    worker.horizonMs = Math.max(LEAST_HORIZON_MS, 2 * (nowMs - worker.startMs));
    const end = worker.cores[0].shorten(this.hasDriven ? nextAfter(nowMs) : nowMs);
    if (end < 0 && !worker.hasCommitted) this.rest(worker);
    else if (end > nowMs) this.becomeBusy(worker, PLANNED, end);
    else this.finish(worker);
  }

  /** Commits the planned passes that have ended by a time, so that cores can be looked at. */
  catchUp(nowMs: number): void {
    for (const worker of this.workers) {
      if (worker.state !== PLANNED) continue;
      if (worker.cores[0].commit(nowMs) > 0) worker.hasCommitted = true;
    }
  }

  /** Prompt tokens that passes computed which have ended. */
  get committedTokens(): number {
    const underWay = this.workers.filter(({ state }) => state === BUSY).flatMap(({ cores }) => cores);
    const notYet = underWay.reduce((sum, { load }) => sum + load.lastCommittedTokens, 0);
    return this.sumOver(({ load }) => load.committedTokens) - notYet;
  }

  /** A quantity summed over the cores of all workers that there ever were. */
  sumOver(quantity: (core: FleetCore) => number): number {
    return this.pool.cores.reduce((sum, core) => sum + quantity(core), 0);
  }

  /** Starts passes on workers that can, the least id first, until nothing changes. @returns whether any did */
  drive(): boolean {
    let any = false;
    this.hasDriven = true;
    this.retryDeferred();
    for (let id = this.ready.takeLeast(); id >= 0; id = this.ready.takeLeast()) {
      const worker = this.workers[id];
      if (worker.state !== IDLE || !hasWork(worker)) continue;
      const hadEffect = this.start(worker);
      if (this.retries) {
        this.retries.tried(hadEffect);
        if (!hadEffect) this.wake(worker);
        return true;
      }
      if (hadEffect) {
        any = true;
        this.retryDeferred();
      } else this.defer(worker);
    }
    return any;
  }

  /** A worker may have something to start. */
  wake(worker: Worker): void {
    this.ready.add(worker.id);
  }

  /**
   * A worker has work and can do nothing. Where trying changes something, how often it is tried follows the passes of
   * all others, so that none may be planned any more.
   */
  private defer(worker: Worker): void {
    this.onIdle?.();
    this.deferred.push(worker);
    if (this.retriesIdle && this.plansAhead) this.onIdleRetry();
  }

  /** Told of a worker that has work and can do nothing. */
  onIdle: (() => void) | undefined;

  /** Set by runs with several stages, so that all stop planning together. */
  onIdleRetry = (): void => this.stopPlanning();

  stopPlanning(): void {
    this.plansAhead = false;
    for (const other of this.workers) this.cutShort(other);
  }

  /** Lets workers whose last attempt had no effect try again. */
  private retryDeferred(): void {
    if (this.deferred.length === 0) return;
    for (const worker of this.deferred) this.wake(worker);
    this.deferred.length = 0;
  }

  /** Starts a pass or a stretch. @returns false when it had no effect */
  private start(worker: Worker): boolean {
    const { nowMs } = this.agenda;
    const core = worker.cores[0];
    worker.startMs = nowMs;
    worker.hasCommitted = false;
    if (worker.cores.length === 1 && this.plansAhead) {
      const limitMs = core.destinations.wantsRetry ? nextAfter(nowMs) : nowMs + worker.horizonMs;
      const end = core.plan(nowMs, limitMs);
      if (end > nowMs) {
        this.becomeBusy(worker, PLANNED, end);
        return true;
      }
      if (end === nowMs) {
        core.commit(Number.POSITIVE_INFINITY);
        this.wake(worker);
        this.leavePass(worker);
        return true;
      }
    }
    return this.startPass(worker);
  }

  private startPass(worker: Worker): boolean {
    const { nowMs } = this.agenda;
    const { cores } = worker;
    const active = cores.length === 1 ? cores : cores.filter((core) => core.requestCount > 0);
    let end = nowMs;
    for (let rank = 0; rank < active.length; rank++) end = Math.max(end, active[rank].execute(nowMs));
    let progressed = false;
    for (let rank = 0; rank < active.length; rank++) {
      active[rank].settle(end);
      progressed ||= active[rank].madeProgress;
    }
    if (cores[0].lockstep?.passed()) progressed = true;
    if (end > nowMs) {
      if (active.length < cores.length) this.measureIdle(worker, active, end);
      this.becomeBusy(worker, BUSY, end);
      return true;
    }
    if (!progressed) {
      for (let rank = 0; rank < active.length; rank++) active[rank].meter.drop();
      return false;
    }
    endMeasured(worker);
    this.wake(worker);
    this.leavePass(worker);
    return true;
  }

  /** Ranks without work take part in the pass of their worker. */
  private measureIdle({ cores, startMs }: Worker, active: readonly FleetCore[], endMs: number): void {
    for (const { meter } of cores.filter((core) => !active.includes(core)))
      if (meter.isOn) meter.beginIdle(startMs, endMs);
  }

  private becomeBusy(worker: Worker, state: number, endMs: number): void {
    const { agenda, stage } = this;
    worker.state = state;
    const startMs = state === PLANNED ? worker.cores[0].lastStartMs : agenda.nowMs;
    worker.event = agenda.pushPassEnd(endMs, startMs, stage * STAGE + worker.id);
  }
}

/** The executed pass of a worker has ended. */
function endMeasured({ cores }: Worker): void {
  for (let rank = 0; rank < cores.length; rank++) {
    cores[rank].meter.end();
    cores[rank].load.lastCommittedTokens = 0;
  }
}

function hasWork(worker: Worker): boolean {
  const { cores } = worker;
  for (let rank = 0; rank < cores.length; rank++) if (cores[rank].requestCount > 0) return true;
  return false;
}

const double = new Float64Array(1);
/** Its halves, the lower first: typed arrays are little-endian wherever Node runs. */
const halves = new Uint32Array(double.buffer);

/** The next representable time, so that what happens at `ms` lies before it. */
function nextAfter(ms: number): number {
  double[0] = ms;
  halves[0]++;
  if (halves[0] === 0) halves[1]++;
  return double[0];
}

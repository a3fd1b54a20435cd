import { StallError } from '../engine/engine-core.js';
import type { Collector } from '../report/collector.js';
import type { WorkerUse } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import { QueueLimitError } from '../router/kv-router.js';
import type { Agenda } from './agenda.js';
import type { Flow, Stage } from './flow.js';
import { PassFeed, type RankPass } from './pass-feed.js';
import { RunError } from './run-error.js';
import type { RunOptions } from './run-options.js';
import type { Traffic, TrafficCounts } from './traffic.js';
import { type StageName, type StageView, viewStage } from './views.js';
import type { StartupTime } from './workers.js';

/** What happened in a fleet since it was looked at last. */
export interface TrafficWindow extends TrafficCounts {
  /**
   * Requests that emitted in passes, once for each pass, and their tokens; of decode workers where there are stages.
   * Nothing where passes are not measured.
   */
  forwards: number;
  forwardTokens: number;
  /** What the ranks of active workers told of their passes, by stage. Nothing where passes are not measured. */
  passes: readonly StagePasses[];
}

export interface StagePasses {
  stage: StageName;
  passes: readonly RankPass[];
}

/** A simulation that is advanced step by step, looked at and scaled. Times in milliseconds of its own clock. */
export interface Run {
  /** All that happens up to this time has happened. */
  readonly nowMs: number;
  /** Whether nothing is left to happen: all requests have ended, or the time cap has come. */
  readonly isDone: boolean;
  /** Whether requests wait, but nothing can happen unless the fleet is scaled. */
  readonly isStuck: boolean;
  /**
   * Lets everything happen up to and at a time, which does not lie before `nowMs`; Infinity runs to the end.
   * @throws {RunError} when the run fails; for a dead end only where it should have come to an end
   */
  until(ms: number): void;
  /** The fleet as it is now. Looking changes nothing. */
  stages(): readonly StageView[];
  /** What happened since the last call, or the start. */
  takeWindow(): TrafficWindow;
  /**
   * Sets how many workers a stage has, those that start up included: more of them start and are ready after
   * `startupMs`; of too many, those that still start go first, then the others finish what they have, the highest ids
   * first. Nothing happens to a run that is done.
   */
  scale(stage: StageName, workers: number, startupMs: StartupTime): void;
  /**
   * A worker breaks down: all that it has is sent again, when its pass ends, and another worker takes its place after
   * `startupMs`. Only in runs whose source sends again.
   * @returns how many requests it had; undefined where it is not there
   */
  lose(stage: StageName, worker: number, startupMs: StartupTime): number | undefined;
  /** The report so far, or of the whole run when it is done. */
  result(): ReplayResult;
  /** Lets go of the files that requests are read from. Only runs that are not run to their end need this. */
  close(): void;
}

/** Worker time of a run in which nothing completed, as the reference has it. */
export const MIN_SECONDS = 1e-9;

interface FleetRunParts extends Pick<RunOptions, 'capMs' | 'executesAll' | 'resultOf' | 'close'> {
  flow: Flow;
  agenda: Agenda;
  collector: Collector;
  traffic: Traffic;
  /** What the workers did, by the time that those of each stage were there, in seconds. */
  useOf: (seconds: readonly number[], collector: Collector) => WorkerUse;
}

/** The event loop over the workers of a fleet, with one stage or two. */
export class FleetRun implements Run {
  nowMs = 0;
  /** Whether everything has happened that happens at the agenda's time. */
  private isSettled = false;
  private hasBegun = false;
  private isStopped = false;
  private isConcluded = false;
  private isClosed = false;
  private readonly feeds: readonly PassFeed[];
  private final: ReplayResult | undefined;
  private forwards = 0;
  private forwardTokens = 0;

  constructor(private readonly options: FleetRunParts) {
    const { stages } = options.flow;
    this.feeds = stages.map(({ group }) => new PassFeed(group));
    if (options.executesAll) for (const { group } of stages) group.stopPlanning();
  }

  get isDone(): boolean {
    return this.isStopped || (this.hasBegun && this.isSettled && this.options.flow.isOver);
  }

  get isStuck(): boolean {
    return !this.isDone && this.hasBegun && this.isSettled && this.nextMs === Number.POSITIVE_INFINITY;
  }

  /** When something happens next; Infinity when nothing will unless a request comes or the fleet is scaled. */
  get nextMs(): number {
    const { flow, agenda } = this.options;
    if (this.hasBegun && !this.isSettled) return agenda.nowMs;
    return Math.min(flow.nextArrivalMs(), agenda.nextMs);
  }

  until(ms: number): void {
    if (!(ms >= this.nowMs)) throw new RangeError(`a run at ${this.nowMs} ms cannot go to ${ms} ms`);
    this.guarded(() => {
      if (!this.isSettled) this.settle();
      while (!this.isDone && this.advance(ms));
    });
    this.nowMs = ms === Number.POSITIVE_INFINITY ? this.options.agenda.nowMs : ms;
    if (this.isDone) this.conclude();
  }

  /** Records what the end has left, while its source can still be asked. */
  private conclude(): void {
    if (this.isConcluded) return;
    this.isConcluded = true;
    const { flow, collector } = this.options;
    flow.recordUnfinished(collector);
    this.close();
  }

  /** Goes to the next time at which something happens, up to `ms`. @returns false when there is none */
  private advance(ms: number): boolean {
    const { flow, capMs } = this.options;
    const nextMs = this.nextMs;
    if (nextMs === Number.POSITIVE_INFINITY) {
      if (ms === Number.POSITIVE_INFINITY) throw flow.deadEnd();
      return false;
    }
    if (nextMs > capMs && ms > capMs) {
      flow.stopAtCap();
      this.isStopped = true;
      return false;
    }
    if (nextMs > ms) return false;
    this.enter(nextMs);
    return true;
  }

  /** A new time comes, and all that happens at it. */
  private enter(ms: number): void {
    const { agenda, flow } = this.options;
    if (ms > agenda.nowMs) agenda.nowMs = ms;
    agenda.round = 0;
    for (const { group } of flow.stages) group.enterTime();
    this.settle();
  }

  /** Lets everything happen that happens at the current time. */
  private settle(): void {
    const { agenda, flow } = this.options;
    const { steps } = flow;
    this.hasBegun = true;
    for (let changed = true; changed; agenda.round++) {
      changed = false;
      for (let step = 0; step < steps.length; step++) if (steps[step]()) changed = true;
    }
    this.isSettled = true;
  }

  stages(): readonly StageView[] {
    this.catchUp();
    return this.options.flow.stages.map(({ name, group }) => viewStage(name, group));
  }

  takeWindow(): TrafficWindow {
    this.catchUp();
    const { flow, traffic } = this.options;
    const { group } = flow.stages[flow.stages.length - 1];
    const { forwards, forwardTokens } = this;
    this.forwards = group.sumOver((core) => core.meter.forwards);
    this.forwardTokens = group.sumOver((core) => core.meter.forwardTokens);
    return {
      ...traffic.takeWindow(this.nowMs),
      forwards: this.forwards - forwards,
      forwardTokens: this.forwardTokens - forwardTokens,
      passes: flow.stages.map(({ name }, index) => ({
        stage: name,
        passes: this.feeds[index].takePasses(this.nowMs),
      })),
    };
  }

  private catchUp(): void {
    for (const { group } of this.options.flow.stages) group.catchUp(this.nowMs);
  }

  private stageOf(stage: StageName): Stage {
    const { stages } = this.options.flow;
    const found = stages.find(({ name }) => name === stage);
    if (!found)
      throw new RangeError(`no stage "${stage}": there are ${stages.map(({ name }) => `"${name}"`)}`);
    return found;
  }

  lose(stage: StageName, id: number, startupMs: StartupTime): number | undefined {
    const { flow, agenda } = this.options;
    const place = this.stageOf(stage);
    const worker = place.group.workers[id];
    if (this.isDone || worker === undefined || worker.phase === 'removed') return undefined;
    let requests = 0;
    this.guarded(() => {
      flow.willScale();
      if (!this.hasBegun) this.settle();
      if (this.nowMs > agenda.nowMs) this.enter(this.nowMs);
      requests = flow.lose(place, worker);
      place.group.replace(worker, startupMs);
      place.group.removeDrained();
      flow.topologyChanged(place);
    });
    this.isSettled = false;
    return requests;
  }

  scale(stage: StageName, workers: number, startupMs: StartupTime): void {
    const { flow, agenda } = this.options;
    const scaled = this.stageOf(stage);
    if (!(Number.isInteger(workers) && workers >= 0))
      throw new RangeError(`a number of workers is a whole number from 0, found ${workers}`);
    if (typeof startupMs === 'number' && !(startupMs >= 0 && Number.isFinite(startupMs)))
      throw new RangeError(`a start-up time is finite and not negative, found ${startupMs}`);
    if (this.isDone) return;
    this.guarded(() => {
      flow.willScale();
      if (!this.hasBegun) this.settle();
      if (this.nowMs > agenda.nowMs) this.enter(this.nowMs);
      scaled.group.scaleTo(workers, startupMs);
      scaled.group.removeDrained();
      flow.topologyChanged(scaled);
    });
    this.isSettled = false;
  }

  /**
   * Takes the request of a row out of the fleet, wherever it is; a worker lets go of it at the end of its pass. Nothing
   * happens to one that is not in flight.
   */
  cancel(row: number): void {
    const { flow, agenda } = this.options;
    if (this.isDone) return;
    this.guarded(() => {
      if (this.nowMs > agenda.nowMs) this.enter(this.nowMs);
      flow.cancel(row);
    });
    this.isSettled = false;
  }

  /** Rows of the requests on the worker that serves one of them, that one included; none where no worker does. */
  neighbours(row: number): number[] {
    const { flow } = this.options;
    const place = flow.workerOfRow(row);
    return place ? flow.rowsOf(place.stage, place.worker) : [];
  }

  /** The worker that serves a request breaks down: all that it has leaves, and a new worker takes its place. */
  loseWorkerOf(row: number): void {
    const { flow, agenda } = this.options;
    const place = flow.workerOfRow(row);
    if (!place || this.isDone) return;
    for (const other of flow.rowsOf(place.stage, place.worker)) this.cancel(other);
    this.guarded(() => {
      if (this.nowMs > agenda.nowMs) this.enter(this.nowMs);
      flow.willScale();
      place.stage.group.replace(place.worker);
      flow.topologyChanged(place.stage);
    });
    this.isSettled = false;
  }

  /** When something happened last. */
  get lastEventMs(): number {
    return this.options.agenda.nowMs;
  }

  /** The ordinal in its source of the request in a slot. */
  rowOf(slot: number): number {
    return this.options.flow.rowOf(slot);
  }

  /** What the workers did so far. */
  use(): WorkerUse {
    const { flow, useOf, collector } = this.options;
    return useOf(
      flow.stages.map(({ group }) => group.secondsAt(this.nowMs)),
      collector,
    );
  }

  result(): ReplayResult {
    if (this.final) return this.final;
    this.catchUp();
    const { flow, resultOf, useOf, ...options } = this.options;
    const collector = this.isConcluded ? options.collector : options.collector.copy();
    if (!this.isConcluded) flow.recordUnfinished(collector);
    const untilMs = this.isConcluded ? this.lastEventMs : this.nowMs;
    const seconds = flow.stages.map(({ group }) => group.secondsAt(untilMs));
    const result = resultOf(collector, useOf(seconds, collector));
    if (this.isConcluded) this.final = result;
    return result;
  }

  close(): void {
    if (!this.isClosed) this.options.close();
    this.isClosed = true;
  }

  private guarded(act: () => void): void {
    try {
      guarded(() => this.options.flow.deadEnd(), act);
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

/** Acts, and says what goes wrong as the error of a run. */
export function guarded<T>(deadEnd: () => RunError, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof QueueLimitError) throw new RunError(error.message);
    throw error instanceof StallError ? deadEnd() : error;
  }
}

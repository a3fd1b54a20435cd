import { RequestDraft } from '../workload/source.js';
import type { Fleet } from './fleet.js';
import { MOST_IDLE_PASSES } from './lone-rules.js';

/** Workers that were run apart turn out to depend on each other. */
export class CoupledError extends Error {
  override readonly name = 'CoupledError';
}

interface LoneWorkersOptions {
  isOpenLoop: boolean;
  /** Infinity without a cap; only a single worker may have one. */
  capMs: number;
  /** Whether a single worker follows the rules that hold for one that is alone. */
  isLone: boolean;
}

/**
 * Workers that never look at each other: a single one, or several under round robin whose arrivals depend on nothing that
 * happens. Each is advanced by itself, up to the next request that comes to it; the outcome is that of the event loop.
 *
 * There is one exception: an idle pass of SGLang changes its state, and how often one is tried depends on what other
 * workers do.
 */
export class LoneWorkers {
  private readonly clocks: Float64Array;
  /** Passes in a row without any effect, by worker. */
  private readonly idlePasses: Int32Array;
  private readonly mostIdlePasses: number;
  private readonly draft = new RequestDraft();

  constructor(
    private readonly fleet: Fleet,
    private readonly options: LoneWorkersOptions,
  ) {
    fleet.pool.addInitial();
    const { cores } = fleet.pool;
    this.clocks = new Float64Array(cores.length);
    this.idlePasses = new Int32Array(cores.length);
    this.mostIdlePasses = options.isLone ? MOST_IDLE_PASSES : 1;
  }

  /**
   * @returns the time of the last event, in milliseconds
   * @throws {CoupledError} when the run must be made again, with all workers together
   */
  run(): number {
    const { fleet, clocks, draft } = this;
    const { source } = fleet.options;
    for (let worker = 0; this.awaitRequest(worker); ) {
      // A frontend may have taken it in and not be done with it.
      if (!source.take(clocks[worker], draft)) continue;
      fleet.dispatchInTurn(fleet.accept(draft), worker, clocks[worker]);
      if (!this.options.isLone) this.idlePasses[worker] = 0;
      worker = (worker + 1) % clocks.length;
    }
    if (this.options.isLone) this.checkEnd();
    else for (let worker = 0; worker < clocks.length; worker++) this.finish(worker);
    return clocks.reduce((last, ms) => Math.max(last, ms), 0);
  }

  /** Advances a worker until the next request is there, which is its own. @returns false when none will come */
  private awaitRequest(worker: number): boolean {
    const { clocks, fleet } = this;
    const { isOpenLoop, capMs } = this.options;
    for (;;) {
      const readyMs = fleet.options.source.nextReadyMs();
      const nowMs = clocks[worker];
      if (readyMs <= nowMs && isOpenLoop) return true;
      if (nowMs > capMs) return false;
      if (readyMs <= nowMs) return true;
      if (this.canGoOn(worker)) this.step(worker, readyMs);
      else if (readyMs === Number.POSITIVE_INFINITY) return false;
      else clocks[worker] = readyMs;
    }
  }

  private canGoOn(worker: number): boolean {
    return this.fleet.pool.cores[worker].requestCount > 0 && this.idlePasses[worker] < this.mostIdlePasses;
  }

  private finish(worker: number): void {
    while (this.canGoOn(worker)) this.step(worker, Number.POSITIVE_INFINITY);
    if (this.fleet.pool.cores[worker].requestCount > 0) throw this.fleet.deadEnd();
  }

  /** A single worker has stopped, by the cap or because nothing can happen any more. */
  private checkEnd(): void {
    const { fleet, clocks, options } = this;
    if (clocks[0] > options.capMs) return;
    if (fleet.slots.inFlight > 0 || !fleet.options.source.isDrained()) throw fleet.deadEnd();
  }

  private noteIdle(worker: number): void {
    const { fleet, options } = this;
    if (!options.isLone && fleet.pool.traits.retriesIdle) throw new CoupledError();
    if (options.isLone && !this.canGoOn(worker)) throw fleet.deadEnd();
  }

  /** Makes the next pass of a worker, or a stretch of them that begin before a time. */
  private step(worker: number, untilMs: number): void {
    const { fleet, clocks, idlePasses } = this;
    const core = fleet.pool.cores[worker];
    const nowMs = clocks[worker];
    const before = core.requestCount;
    let endMs = core.plan(nowMs, untilMs);
    let mayGoOn = false;
    if (endMs >= 0) core.commit(Number.POSITIVE_INFINITY);
    else {
      endMs = core.execute(nowMs);
      core.settle(endMs);
      mayGoOn = core.lockstep?.passed() ?? false;
    }
    if (core.requestCount === 0) core.lockstep?.rested();
    clocks[worker] = endMs;
    fleet.pool.noteBusy(worker, nowMs, endMs);
    const isIdle = !core.madeProgress && !mayGoOn && core.requestCount >= before;
    idlePasses[worker] = isIdle ? idlePasses[worker] + 1 : 0;
    if (isIdle) this.noteIdle(worker);
    if (core.signals.length > 0 || fleet.options.checks) fleet.end(core, endMs);
  }
}

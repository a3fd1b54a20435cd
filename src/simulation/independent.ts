import type { FleetCore } from '../engine/engine-core.js';
import { RoundRobin } from '../router/round-robin.js';
import { RequestDraft } from '../workload/source.js';
import type { Fleet } from './fleet.js';

/** Workers that were run apart turn out to depend on each other. */
export class CoupledError extends Error {
  override readonly name = 'CoupledError';
}

/**
 * Workers whose requests are known ahead: under round robin, with arrivals that depend on nothing that happens, no
 * worker ever looks at another. Each is advanced alone, up to the next request that comes to it.
 *
 * There is one exception: an idle pass of SGLang changes its state, and how often one is tried depends on what other
 * workers do.
 */
export class IndependentRun {
  private readonly clocks: Float64Array;
  private readonly isStuck: boolean[];
  private readonly retriesIdle: boolean;

  constructor(private readonly fleet: Fleet) {
    fleet.pool.addInitial();
    const { cores } = fleet.pool;
    this.clocks = new Float64Array(cores.length);
    this.isStuck = cores.map(() => false);
    this.retriesIdle = fleet.options.kind.traits.retriesIdle;
  }

  /**
   * @returns the time of the last event, in milliseconds
   * @throws {CoupledError} when the run must be made again, with all workers together
   */
  run(): number {
    const { fleet } = this;
    const { source, workers } = fleet.options;
    const draft = new RequestDraft();
    const placement = new RoundRobin(1);
    for (let id = 0; id < workers; id++) placement.addTarget(id);
    let lastMs = 0;
    while (source.take(Number.POSITIVE_INFINITY, draft)) {
      lastMs = draft.arrivalMs;
      const rank = placement.next();
      this.advance(rank, lastMs);
      fleet.dispatch(fleet.accept(draft), rank, lastMs);
      this.isStuck[rank] = false;
      if (this.clocks[rank] < lastMs) this.clocks[rank] = lastMs;
    }
    for (let rank = 0; rank < workers; rank++) {
      this.advance(rank, Number.POSITIVE_INFINITY);
      lastMs = Math.max(lastMs, this.clocks[rank]);
    }
    if (this.isStuck.includes(true)) throw fleet.deadEnd();
    return lastMs;
  }

  /** Runs the passes of a worker that begin before `untilMs`. */
  private advance(rank: number, untilMs: number): void {
    const { fleet, clocks } = this;
    const core = fleet.pool.cores[rank];
    while (core.requestCount > 0 && clocks[rank] < untilMs && !this.isStuck[rank])
      this.step(core, rank, untilMs);
  }

  private step(core: FleetCore, rank: number, untilMs: number): void {
    const now = this.clocks[rank];
    let end = core.plan(now, untilMs);
    if (end >= 0) core.commit(Number.POSITIVE_INFINITY);
    else {
      end = core.execute(now);
      core.settle(end);
      this.isStuck[rank] = end === now && !core.madeProgress;
      if (this.isStuck[rank] && this.retriesIdle) throw new CoupledError();
    }
    this.clocks[rank] = end;
    this.fleet.pool.noteBusy(rank, now, end);
    if (core.signals.length > 0 || this.fleet.options.checks) this.fleet.end(core, end);
  }
}

import { RequestDraft } from '../workload/source.js';
import type { Fleet } from './fleet.js';
import { RunError } from './run-error.js';

/** Passes without any effect after which a worker counts as stuck (the reference's bound). */
const MAX_IDLE_PASSES = 1024;

/**
 * The loop over one engine without a router (`replay/offline/single.rs` of the reference): arrivals are taken between
 * passes, and in closed loop a turn is released, and dated, at the end of the pass in which it became ready.
 */
export class SingleWorkerRun {
  private readonly draft = new RequestDraft();

  constructor(
    private readonly fleet: Fleet,
    private readonly isOpenLoop: boolean,
    private readonly capMs: number,
  ) {
    fleet.pool.addInitial();
  }

  run(): void {
    const { fleet, capMs } = this;
    const { source } = fleet.options;
    const core = fleet.pool.cores[0];
    let t = 0;
    let idlePasses = 0;
    while (core.requestCount > 0 || !source.isDrained()) {
      if (t > capMs) return;
      this.takeArrivals(t);
      if (core.requestCount === 0) {
        t = this.nextArrival();
        if (this.isOpenLoop) this.takeArrivals(t);
        continue;
      }
      const start = t;
      const before = core.requestCount;
      t = this.drive(start);
      fleet.pool.noteBusy(0, start, t);
      const progressed = core.madeProgress || core.requestCount < before;
      fleet.end(core, t);
      idlePasses = progressed ? 0 : idlePasses + 1;
      if (idlePasses >= MAX_IDLE_PASSES) throw fleet.deadEnd();
      if (this.isOpenLoop) this.takeArrivals(t);
    }
  }

  private drive(nowMs: number): number {
    const core = this.fleet.pool.cores[0];
    const planned = core.plan(nowMs, this.fleet.options.source.nextReadyMs());
    if (planned >= 0) {
      core.commit(Number.POSITIVE_INFINITY);
      return planned;
    }
    const end = core.execute(nowMs);
    core.settle(end);
    return end;
  }

  private takeArrivals(nowMs: number): void {
    const { fleet, draft } = this;
    const { source } = fleet.options;
    while (source.take(nowMs, draft)) fleet.dispatch(fleet.accept(draft), 0, nowMs);
  }

  private nextArrival(): number {
    const next = this.fleet.options.source.nextReadyMs();
    if (next === Number.POSITIVE_INFINITY)
      throw new RunError('the replay reached an idle state without a pending arrival');
    return next;
  }
}

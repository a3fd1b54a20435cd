import { type Agenda, PASS_END } from './agenda.js';
import type { WorkerGroup } from './workers.js';

/** Passes without any effect after which a worker that is alone counts as stuck (the reference's bound). */
export const MOST_IDLE_PASSES = 1024;

/**
 * What is different where one worker serves without a router, for which the reference has a loop of its own
 * (`replay/offline/single.rs`): in closed loop a turn is released, and dated, at the end of the pass in which it became
 * ready; a pass without effect is tried again; and at a time cap the pass under way runs to its end.
 */
export class LoneRules {
  private idlePasses = 0;

  /** @param fail throws the error of a worker that is stuck */
  constructor(
    private readonly isOpenLoop: boolean,
    private readonly fail: () => never,
  ) {}

  /** Whether a request that is ready has to wait for the end of a pass, which nobody needs to wake up for. */
  mustWait(group: WorkerGroup, readyMs: number, nowMs: number): boolean {
    return !this.isOpenLoop && readyMs <= nowMs && group.isBusy(group.workers[0]);
  }

  /** Whether requests are not taken now; a stretch of passes ends early when one is ready. */
  holdsBack(group: WorkerGroup, readyMs: number, nowMs: number): boolean {
    if (this.isOpenLoop) return false;
    const [worker] = group.workers;
    if (readyMs <= nowMs) group.cutShort(worker);
    return group.isBusy(worker);
  }

  /** A pass was tried. */
  tried(hadEffect: boolean): void {
    this.idlePasses = hadEffect ? 0 : this.idlePasses + 1;
    if (this.idlePasses >= MOST_IDLE_PASSES) this.fail();
  }

  /** The time cap has come: the pass under way runs to its end, and requests that come meanwhile are taken in. */
  stopAtCap(agenda: Agenda, nextReadyMs: number, endPass: (worker: number) => void, take: () => void): void {
    const endMs = agenda.nextMs;
    agenda.nowMs = endMs === Number.POSITIVE_INFINITY ? nextReadyMs : endMs;
    agenda.takeAll(PASS_END, endPass);
    if (this.isOpenLoop) take();
  }
}

import { noPass, type PassMeter, type PassMetrics } from '../engine/pass-meter.js';
import type { Worker, WorkerGroup } from './workers.js';

/** After this long without a pass a rank tells that it does nothing. */
const IDLE_MS = 1000;

/** Metrics of a pass, and whose it was. */
export interface RankPass extends PassMetrics {
  worker: number;
  rank: number;
}

/**
 * What the ranks of a stage tell of their passes between two looks: of the last one only. One that has told nothing for
 * a second tells of a pass without work in its place, even in the middle of a longer pass, as in the reference.
 */
export class PassFeed {
  private readonly told = new Map<PassMeter, { count: number; sinceMs: number }>();

  constructor(private readonly group: WorkerGroup) {}

  /** What came since the last call, of workers that are active now, in order of their ids. */
  takePasses(nowMs: number): RankPass[] {
    const passes: RankPass[] = [];
    for (const worker of this.group.workers) {
      if (worker.phase !== 'active') continue;
      worker.cores.forEach(({ meter }, rank) => {
        const pass = this.passOf(meter, worker, nowMs);
        if (pass) passes.push({ worker: worker.id, rank, ...pass });
      });
    }
    return passes;
  }

  private passOf(meter: PassMeter, worker: Worker, nowMs: number): PassMetrics | undefined {
    const told = this.told.get(meter) ?? { count: 0, sinceMs: worker.activeMs };
    this.told.set(meter, told);
    const isNew = meter.endedCount > told.count;
    if (isNew) {
      told.count = meter.endedCount;
      told.sinceMs = meter.last.endMs;
    }
    const idleMs = nowMs - told.sinceMs;
    if (idleMs >= IDLE_MS) {
      told.sinceMs += Math.floor(idleMs / IDLE_MS) * IDLE_MS;
      return noPass(nowMs, nowMs);
    }
    return isNew ? { ...meter.last } : undefined;
  }
}

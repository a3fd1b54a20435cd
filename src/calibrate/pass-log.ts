import type { WorkerSample, WorkerWatch } from '../report/worker-series.js';

/** What a worker did in some time: how many passes it made, sequences in them added up, and milliseconds by kind. */
export interface Work {
  passes: number;
  sequences: number;
  prefillMs: number;
  decodeMs: number;
}

const FIELDS = 6;

/** All passes of the workers of a pool: what each worker had done by the end of each pass, or run of equal ones. */
export class PassLog implements WorkerWatch {
  /** By worker: start, end, and totals at the end, one record after the other. */
  private readonly workers: number[][] = [];

  /** @param ranks of a worker, which make their passes together */
  constructor(private readonly ranks: number) {}

  add(worker: number, startMs: number, endMs: number, sample: WorkerSample): void {
    while (this.workers.length <= worker) this.workers.push([]);
    const log = this.workers[worker];
    const busyMs = (log.length > 0 ? log[log.length - 1] : 0) + (endMs - startMs);
    log.push(startMs, endMs, sample.passes, sample.sequenceSteps, sample.prefillMs, busyMs);
  }

  /** What the worker of a rank did from one time to another, passes under way in part. */
  workBetween(rank: number, fromMs: number, toMs: number): Work {
    const worker = Math.floor(rank / this.ranks);
    const until = this.totals(worker, toMs);
    const before = this.totals(worker, fromMs);
    return {
      passes: until.passes - before.passes,
      sequences: until.sequences - before.sequences,
      prefillMs: until.prefillMs - before.prefillMs,
      decodeMs: until.decodeMs - before.decodeMs,
    };
  }

  private totals(worker: number, ms: number): Work {
    const log = this.workers[worker] ?? [];
    let low = 0;
    let high = log.length / FIELDS;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (log[middle * FIELDS] < ms) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return { passes: 0, sequences: 0, prefillMs: 0, decodeMs: 0 };
    const at = (low - 1) * FIELDS;
    const [startMs, endMs] = [log[at], log[at + 1]];
    const part = ms >= endMs || endMs === startMs ? 1 : (ms - startMs) / (endMs - startMs);
    const total = (field: number) => {
      const before = at > 0 ? log[at - FIELDS + field] : 0;
      return before + part * (log[at + field] - before);
    };
    const prefillMs = total(4);
    return { passes: total(2), sequences: total(3), prefillMs, decodeMs: total(5) - prefillMs };
  }
}

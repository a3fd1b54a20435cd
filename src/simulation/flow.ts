import type { Collector } from '../report/collector.js';
import type { RunError } from './run-error.js';
import type { StageName } from './views.js';
import type { Worker, WorkerGroup } from './workers.js';

export interface Stage {
  readonly name: StageName;
  readonly group: WorkerGroup;
}

/** The way of requests through a fleet, as the loop of a run sees it. */
export interface Flow {
  /** One stage, or prefill and decode. */
  readonly stages: readonly Stage[];
  /** What may happen at one time, in this order and again until nothing does; each says whether anything did. */
  readonly steps: readonly (() => boolean)[];
  /** Whether all requests have come and gone. */
  readonly isOver: boolean;
  /** The ordinal in its source of the request in a slot. */
  rowOf(slot: number): number;
  /** When the next request comes; Infinity when none waits for a time. */
  nextArrivalMs(): number;
  /** Workers of a stage have come or gone. */
  topologyChanged(stage: Stage): void;
  /** The request of a row is to leave, as soon as whoever has it can let it go. */
  cancel(row: number): void;
  /** The worker that has, or last had, the request of a row; undefined where none was given it. */
  workerOfRow(row: number): { stage: Stage; worker: Worker } | undefined;
  /** Rows of the requests that a worker has. */
  rowsOf(stage: Stage, worker: Worker): number[];
  /** A worker is lost: all requests that it has leave it and are sent again. @returns how many */
  lose(stage: Stage, worker: Worker): number;
  /** The fleet is scaled from now on. */
  willScale(): void;
  /** The time cap has come. */
  stopAtCap(): void;
  /** The error of a run in which nothing can move any more. */
  deadEnd(): RunError;
  /** Records requests that have not left. */
  recordUnfinished(collector: Collector): void;
}

import type { CacheUse, FleetCore } from '../engine/engine-core.js';
import type { PassMetrics } from '../engine/pass-meter.js';
import type { Worker, WorkerGroup } from './workers.js';

/** A stage of a fleet: its name is empty where there is one only. */
export type StageName = '' | 'prefill' | 'decode';

/** A stage of a fleet as it is now. Ids of workers are ascending and never used again. */
export interface StageView {
  name: StageName;
  gpusPerWorker: number;
  starting: readonly number[];
  active: readonly number[];
  /** Workers that take no new requests and finish what they have. */
  draining: readonly number[];
  /** All of these. */
  workers: readonly WorkerView[];
  /** Requests that no worker was given yet: held back by the router, or because no worker is active. */
  heldRequests: number;
}

export interface WorkerView {
  id: number;
  state: 'starting' | 'active' | 'draining';
  ranks: readonly RankView[];
}

export interface RankView {
  /** Its place within the worker. */
  rank: number;
  waitingRequests: number;
  runningRequests: number;
  cache: CacheUse;
  /** So far. */
  preemptions: number;
  /** The last pass that has ended; undefined before, and in runs that do not measure passes. */
  lastPass: PassMetrics | undefined;
}

export function viewStage(name: StageName, group: WorkerGroup): StageView {
  const { args, heldRequests } = group.pool;
  const workers = group.workers.flatMap((worker) => viewWorker(worker) ?? []);
  const idsIn = (state: WorkerView['state']) =>
    workers.filter((worker) => worker.state === state).map(({ id }) => id);
  return {
    name,
    gpusPerWorker: args.tensorParallel * args.ranks,
    starting: idsIn('starting'),
    active: idsIn('active'),
    draining: idsIn('draining'),
    workers,
    heldRequests,
  };
}

function viewWorker({ id, phase, cores }: Worker): WorkerView | undefined {
  return phase === 'removed' ? undefined : { id, state: phase, ranks: cores.map(viewRank) };
}

function viewRank(core: FleetCore, rank: number): RankView {
  const { meter, waitingCount } = core;
  return {
    rank,
    waitingRequests: waitingCount,
    runningRequests: core.requestCount - waitingCount,
    cache: core.cache,
    preemptions: core.load.preemptions,
    lastPass: meter.endedCount > 0 ? { ...meter.last } : undefined,
  };
}

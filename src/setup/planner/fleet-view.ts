import type { EngineArgs } from '../../config/engine-type.js';
import type {
  PlannerView,
  RankPass,
  StageName,
  StageView,
  Traffic,
  WorkerCapacity,
  WorkerLoad,
} from '../../planner/planner.js';
import type { Run, TrafficWindow } from '../../simulation/run.js';

type RunStage = ReturnType<Run['stages']>[number];

/** The name under which planners know a stage of a run, which has none where there is one only. */
export const plannerName = (name: RunStage['name']): StageName => (name === '' ? 'agg' : name);
export const runName = (name: StageName): RunStage['name'] => (name === 'agg' ? '' : name);

/** What a worker with these arguments can hold and take. */
export function capacityOf(args: EngineArgs): WorkerCapacity {
  const limited = (value: number) => (Number.isFinite(value) ? value : undefined);
  const kvTokens = args.gpuBlocks * args.blockTokens * args.ranks;
  const draftTokens = args.given.aic_nextn;
  return {
    gpus: args.tensorParallel * args.ranks,
    maxBatchedTokens: limited(args.maxBatchedTokens),
    maxRequests: limited(args.maxSequences),
    kvTokens: kvTokens > 0 ? kvTokens : undefined,
    contextTokens: args.maxModelTokens,
    draftTokens: typeof draftTokens === 'number' ? draftTokens : undefined,
  };
}

/** What a planner sees of a run: the fleet now, and what happened since it looked last. */
export function viewOf(run: Run, capacities: readonly WorkerCapacity[]): PlannerView {
  const window = run.takeWindow();
  return {
    nowMs: run.nowMs,
    traffic: trafficOf(window),
    stages: run.stages().map((stage, index) => stageOf(stage, window, index, capacities[index])),
  };
}

function stageOf(
  { name, active, starting, draining, workers, heldRequests }: RunStage,
  window: TrafficWindow,
  index: number,
  capacity: WorkerCapacity,
): StageView {
  const loads = workers.filter(({ state }) => state === 'active').map(loadOf);
  const sum = (quantity: (load: WorkerLoad) => number) =>
    loads.reduce((total, load) => total + quantity(load), 0);
  return {
    name: plannerName(name),
    capacity,
    active,
    starting,
    draining,
    passes: window.passes[index].passes.map(rankPass),
    waitingRequests: heldRequests + sum((load) => load.waitingRequests),
    runningRequests: sum((load) => load.runningRequests),
    kvUse: loads.length > 0 ? sum((load) => load.kvUse) / loads.length : 0,
    loads,
  };
}

function loadOf({ id, ranks }: RunStage['workers'][number]): WorkerLoad {
  const sum = (quantity: (rank: (typeof ranks)[number]) => number) =>
    ranks.reduce((total, rank) => total + quantity(rank), 0);
  const blocks = sum(({ cache }) => cache.blocks);
  return {
    worker: id,
    waitingRequests: sum((rank) => rank.waitingRequests),
    runningRequests: sum((rank) => rank.runningRequests),
    kvUse: blocks > 0 ? sum(({ cache }) => cache.activeBlocks) / blocks : 0,
  };
}

function rankPass({ startMs, endMs, ...pass }: TrafficWindow['passes'][number]['passes'][number]): RankPass {
  return { ...pass, wallSeconds: (endMs - startMs) / 1000 };
}

function trafficOf(window: TrafficWindow): Traffic {
  const mean = ({ sum, count }: { sum: number; count: number }) => ({
    value: count > 0 ? sum / count : 0,
    count,
  });
  const { endedRequests: count, forwards } = window;
  return {
    seconds: (window.endMs - window.startMs) / 1000,
    requests: window.arrivedRequests,
    inputTokens: mean({ sum: window.inputTokens, count }),
    outputTokens: mean({ sum: window.outputTokens, count }),
    ttftMs: mean(window.ttftMs),
    itlMs: mean(window.itlMs),
    hitRate: mean(window.hitRate),
    acceptLength: forwards > 0 ? window.forwardTokens / forwards : undefined,
    forwards,
  };
}

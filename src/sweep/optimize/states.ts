import type { OptimizeSpec } from './spec.js';

/** How requests find their worker. */
export interface RouterState {
  mode: 'round_robin' | 'kv_router';
  overlapCredit: number;
  prefillLoadScale: number;
}

export interface AggregatedState {
  tp: number;
  workers: number;
  router: RouterState;
}

export interface SplitState {
  prefillTp: number;
  decodeTp: number;
  prefillWorkers: number;
  decodeWorkers: number;
  router: RouterState;
}

/** The lists of states that a search walks through, for one kind of fleet. Each depends on one state only. */
export interface StateSpace<State extends { router: RouterState }> {
  /** Why there is no first state. */
  readonly noneFits: string;
  /** One state for each tensor parallelism, with the router given. */
  parallelisms(router: RouterState): State[];
  /** The worker counts for the parallelism and the router of a state. */
  workerCounts(state: State): State[];
  /** The routers for the fleet of a state. */
  routers(state: State): State[];
  gpus(state: State): number;
  /** The columns that a state adds to its record, in their order; equal columns mean the same state. */
  columns(state: State): Record<string, number | string>;
}

const TENSOR_PARALLELISMS = [1, 2, 4, 8];
/** Systems whose fast links join so many GPUs that 16 may share a model. */
const WIDE_SYSTEMS = ['gb200', 'gb300'];
const DEFAULT_LOAD_SCALES = [0, 0.25, 0.5, 1, 2, 4];

/** Tensor parallelisms that are tried for dense models on a system. */
function tensorParallelisms(system: string): readonly number[] {
  return WIDE_SYSTEMS.includes(system) ? [...TENSOR_PARALLELISMS, 16] : TENSOR_PARALLELISMS;
}

/** The routers that a spec allows, round robin first. */
export function routerStates({
  mode,
  overlapCredits,
  prefillLoadScales,
}: OptimizeSpec['router']): RouterState[] {
  const plain: RouterState = { mode: 'round_robin', overlapCredit: 0, prefillLoadScale: 1 };
  if (mode === 'round_robin') return [plain];
  const aware = (overlapCredits ?? [1]).flatMap((overlapCredit) =>
    (prefillLoadScales ?? DEFAULT_LOAD_SCALES).map(
      (prefillLoadScale): RouterState => ({ mode: 'kv_router', overlapCredit, prefillLoadScale }),
    ),
  );
  return mode === 'both' ? [plain, ...aware] : aware;
}

/** Fleets of workers that serve requests from prompt to last token. */
export class AggregatedSpace implements StateSpace<AggregatedState> {
  readonly noneFits: string;

  constructor(
    private readonly system: string,
    private readonly totalGpus: number,
    private readonly allRouters: readonly RouterState[],
  ) {
    this.noneFits = `no tensor parallelism fits ${totalGpus} GPUs for aggregated replay`;
  }

  parallelisms(router: RouterState): AggregatedState[] {
    return tensorParallelisms(this.system)
      .map((tp) => ({ tp, workers: Math.floor(this.totalGpus / tp), router }))
      .filter(hasChoice);
  }

  workerCounts({ tp, router }: AggregatedState): AggregatedState[] {
    return upTo(this.totalGpus / tp)
      .map((workers) => ({ tp, workers, router }))
      .filter(hasChoice);
  }

  routers(state: AggregatedState): AggregatedState[] {
    return this.allRouters.map((router) => ({ ...state, router })).filter(hasChoice);
  }

  gpus({ tp, workers }: AggregatedState): number {
    return tp * workers;
  }

  columns({ tp, workers, router }: AggregatedState) {
    return {
      tp,
      workers,
      router_mode: router.mode,
      overlap_score_credit: router.overlapCredit,
      prefill_load_scale: router.prefillLoadScale,
    };
  }
}

/** A router that looks at caches needs several workers to choose from. */
function hasChoice({ workers, router }: AggregatedState): boolean {
  return router.mode === 'round_robin' ? workers >= 1 : workers > 1;
}

/** Fleets of prefill and decode workers. */
export class SplitSpace implements StateSpace<SplitState> {
  readonly noneFits: string;

  constructor(
    private readonly system: string,
    private readonly totalGpus: number,
    private readonly allRouters: readonly RouterState[],
  ) {
    this.noneFits = `no tensor parallelism fits ${totalGpus} GPUs with as many prefill as decode workers`;
  }

  parallelisms(router: RouterState): SplitState[] {
    const sizes = tensorParallelisms(this.system);
    return sizes
      .flatMap((prefillTp) =>
        sizes.map((decodeTp) => {
          const workers = Math.floor(this.totalGpus / (prefillTp + decodeTp));
          return { prefillTp, decodeTp, prefillWorkers: workers, decodeWorkers: workers, router };
        }),
      )
      .filter(({ prefillWorkers }) => prefillWorkers >= 1);
  }

  /** All splits that use as many GPUs as can be used. */
  workerCounts({ prefillTp, decodeTp, router }: SplitState): SplitState[] {
    const splits = upTo(this.totalGpus / prefillTp).flatMap((prefillWorkers) =>
      upTo(this.totalGpus / decodeTp).map((decodeWorkers) => ({
        prefillTp,
        decodeTp,
        prefillWorkers,
        decodeWorkers,
        router,
      })),
    );
    const fitting = splits.filter((state) => this.gpus(state) <= this.totalGpus);
    const most = Math.max(...fitting.map((state) => this.gpus(state)));
    return fitting.filter((state) => this.gpus(state) === most);
  }

  routers(state: SplitState): SplitState[] {
    return this.allRouters.map((router) => ({ ...state, router }));
  }

  gpus({ prefillTp, prefillWorkers, decodeTp, decodeWorkers }: SplitState): number {
    return prefillTp * prefillWorkers + decodeTp * decodeWorkers;
  }

  columns({ prefillTp, decodeTp, prefillWorkers, decodeWorkers, router }: SplitState) {
    return {
      prefill_tp: prefillTp,
      decode_tp: decodeTp,
      prefill_workers: prefillWorkers,
      decode_workers: decodeWorkers,
      overlap_score_credit: router.overlapCredit,
      router_mode: router.mode,
      prefill_load_scale: router.prefillLoadScale,
    };
  }
}

/** The whole numbers from 1 up to a bound. */
function upTo(bound: number): number[] {
  return Array.from({ length: Math.floor(bound) }, (_, index) => index + 1);
}

import type { RequestHistory, Route } from '../report/outcome.js';
import type { Placement } from '../router/router.js';

/** Where the requests of a pool of workers were sent, by slot, for records that tell of it. */
export class PoolHistory {
  private readonly routes: (Route | undefined)[] = [];
  private readonly heldSinceMs: number[] = [];

  /** @param ranks of each worker */
  constructor(
    readonly pool: Route['pool'],
    private readonly ranks: number,
  ) {}

  clear(slot: number): void {
    this.routes[slot] = undefined;
    this.heldSinceMs[slot] = Number.NaN;
  }

  /** A request is held back from now on. */
  held(slot: number, nowMs: number): void {
    this.heldSinceMs[slot] = nowMs;
  }

  /** A request leaves the router. */
  routed({ slot, target, overlapTokens, blocks }: Placement, nowMs: number): void {
    const heldSinceMs = this.heldSinceMs[slot];
    this.routes[slot] = {
      pool: this.pool,
      heldSinceMs,
      releasedMs: Number.isNaN(heldSinceMs) ? Number.NaN : nowMs,
      target,
      worker: Math.floor(target / this.ranks),
      rank: target % this.ranks,
      overlapTokens,
      blocks: blocks ?? null,
    };
  }

  routeOf(slot: number): Route | undefined {
    return this.routes[slot];
  }
}

interface ToldPool {
  history: PoolHistory | undefined;
  log: { admissionsOf(slot: number): readonly { atMs: number; reusedTokens: number }[] };
}

/**
 * What a record tells of the way of a request; null where records do not.
 * @param pools in the order in which requests run there
 * @param asked the same in the order in which their routers are asked
 */
export function historyOf(
  slot: number,
  pools: readonly ToldPool[],
  asked: readonly ToldPool[] = pools,
): RequestHistory | null {
  if (pools[0].history === undefined) return null;
  return {
    routes: asked.flatMap(({ history }) => history?.routeOf(slot) ?? []),
    admissions: pools.flatMap(({ history, log }) =>
      log.admissionsOf(slot).map((admission) => ({ pool: history!.pool, ...admission })),
    ),
  };
}

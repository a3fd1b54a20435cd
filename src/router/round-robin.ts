import type { Placement, RoutedRequest, Router, RouterKind } from './router.js';

const NONE: readonly Placement[] = [];

/** Hands requests to workers in turn, and within a worker to its ranks in turn. Positions survive scaling. */
export class RoundRobin implements Router {
  readonly use = undefined;
  readonly heldRequests = 0;
  readonly listens = false;
  /** Workers that take requests, ascending. */
  private active: number[] = [];
  private turn = 0;
  private readonly nextRank = new Map<number, number>();

  constructor(private readonly ranksPerWorker: number) {}

  addTarget(target: number): void {
    if (target % this.ranksPerWorker > 0) return;
    this.active.push(target / this.ranksPerWorker);
    this.active.sort((a, b) => a - b);
  }

  drainTarget(target: number): void {
    this.active = this.active.filter((worker) => worker * this.ranksPerWorker !== target);
  }

  removeTarget(): void {}

  topologySettled(): Placement[] {
    return [];
  }

  listenersOf(): undefined {}

  /** The target of the next request. */
  next(): number {
    const { active, ranksPerWorker } = this;
    const position = this.turn % active.length;
    this.turn = position + 1;
    const worker = active[position];
    const rank = (this.nextRank.get(worker) ?? 0) % ranksPerWorker;
    this.nextRank.set(worker, rank + 1);
    return worker * ranksPerWorker + rank;
  }

  place({ slot }: RoutedRequest): Placement {
    return { slot, target: this.next(), overlapTokens: 0 };
  }

  prefillCompleted(): readonly Placement[] {
    return NONE;
  }

  ended(): readonly Placement[] {
    return NONE;
  }
}

export const roundRobin: RouterKind = {
  name: 'round_robin',
  isBlind: true,
  // Since 1.6, ranks of prefill and decode workers count as workers of their own.
  create: (_routing, { stage, ranks, rules: { semantics } }) =>
    new RoundRobin(stage !== '' && semantics === 'dynamo-1.6' ? 1 : ranks),
};

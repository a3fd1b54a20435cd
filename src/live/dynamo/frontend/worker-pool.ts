import type { RouterSettings } from '../../../config/router-config.js';
import type { Placement, Router, RouterKind } from '../../../router/router.js';
import { BlockHashes } from '../../block-hashes.js';
import type { Prompt } from '../../serving.js';
import { Fields } from '../codec/value.js';
import type { WorkerRole } from '../discovery/card.js';
import type { Instance, ModelRecord } from '../discovery/records.js';
import { BlockNames } from './block-names.js';
import type { CacheListener } from './remote-cache.js';

/** How requests find workers. */
export interface RoutingOptions {
  kind: RouterKind;
  settings: RouterSettings;
  seed: bigint | undefined;
}

/** A worker as it was discovered. */
export interface RemoteWorker {
  instance: Instance;
  /** Its place in the pool; places are used again. */
  place: number;
  bootstrap: { host: string; port: number } | undefined;
}

const STAGES = { aggregated: '', prefill: 'prefill', decode: 'decode' } as const;

/** What a card says that routing needs. */
function shapeOf({ card }: ModelRecord): { blockTokens: number; ranks: number; maxBatchedTokens: number } {
  const fields = Fields.of(card, 'card');
  const runtime = fields.optionalFields('runtime_config');
  return {
    blockTokens: fields.count('kv_cache_block_size'),
    ranks: runtime?.optionalCount('data_parallel_size') ?? 1,
    maxBatchedTokens: runtime?.optionalCount('max_num_batched_tokens') ?? Number.POSITIVE_INFINITY,
  };
}

/** Workers of one model and role, and the router that places requests among their ranks. */
export class WorkerPool {
  private readonly workers = new Map<string, RemoteWorker>();
  private readonly names = new BlockNames();
  private readonly router: Router;
  private readonly blockTokens: number;
  readonly ranks: number;
  private readonly hashesOf = new Map<number, bigint[]>();
  private readonly freePlaces: number[] = [];
  private nextPlace = 0;
  private nextSlot = 0;
  private readonly freeSlots: number[] = [];
  /** Requests that the router holds back, by slot. */
  private readonly held = new Map<number, (placement: Placement) => void>();

  private constructor(
    readonly hashes: BlockHashes,
    role: WorkerRole,
    model: ModelRecord,
    { kind, settings, seed }: RoutingOptions,
    private readonly nowMs: () => number,
  ) {
    const shape = shapeOf(model);
    this.blockTokens = shape.blockTokens;
    this.ranks = shape.ranks;
    this.router = kind.create(
      { kind, settings, seed, estimator: undefined, eventLagMs: 0 },
      {
        ...shape,
        stage: STAGES[role],
        ...{ queuePolicy: undefined, names: undefined },
        rules: { semantics: 'dynamo-1.4.2', beyondReference: true, mendsFaults: false },
      },
    );
  }

  static async create(
    role: WorkerRole,
    model: ModelRecord,
    routing: RoutingOptions,
    nowMs: () => number,
  ): Promise<WorkerPool> {
    return new WorkerPool(await BlockHashes.create(), role, model, routing, nowMs);
  }

  get size(): number {
    return this.workers.size;
  }

  get blockNames(): BlockNames {
    return this.names;
  }

  add(key: string, instance: Instance, model: ModelRecord): void {
    const endpoint = Fields.of(model.card, 'card')
      .optionalFields('runtime_config')
      ?.optionalFields('disaggregated_endpoint');
    const bootstrap = endpoint && {
      host: endpoint.text('bootstrap_host'),
      port: endpoint.count('bootstrap_port'),
    };
    const place = this.freePlaces.pop() ?? this.nextPlace++;
    this.workers.set(key, { instance, place, bootstrap });
    for (const target of this.targetsOf(place)) this.router.addTarget(target);
    this.release(this.router.topologySettled(this.nowMs()));
  }

  remove(key: string): void {
    const worker = this.workers.get(key);
    if (!worker) return;
    this.workers.delete(key);
    for (const target of this.targetsOf(worker.place)) this.router.drainTarget(target);
    for (const target of this.targetsOf(worker.place)) this.router.removeTarget(target);
    this.freePlaces.push(worker.place);
  }

  private targetsOf(place: number): number[] {
    return Array.from({ length: this.ranks }, (_, rank) => place * this.ranks + rank);
  }

  /** Hears of what a rank caches; undefined where the router does not care, or the worker is not here. */
  listenerOf(instanceId: bigint, rank: number): CacheListener | undefined {
    const worker = [...this.workers.values()].find(({ instance }) => instance.instanceId === instanceId);
    if (!worker || rank >= this.ranks || !this.router.listens) return undefined;
    return this.router.listenersOf(worker.place * this.ranks + rank)?.gpu;
  }

  /**
   * Finds a worker and rank; at once, or when the router lets the request go.
   * @returns what to call when it is over
   * @throws {QueueLimitError} when the router takes no more
   */
  place(prompt: Prompt, start: StartRequest): PlacedRequest {
    const slot = this.freeSlots.pop() ?? this.nextSlot++;
    const hashes = this.router.listens ? this.hashes.ofPrompt(prompt.tokens, this.blockTokens) : [];
    this.hashesOf.set(slot, hashes);
    const ids = Int32Array.from(hashes, (hash) => this.names.retain(hash));
    const begin = ({ target, overlapTokens }: Placement) => {
      const place = Math.floor(target / this.ranks);
      const worker = [...this.workers.values()].find((candidate) => candidate.place === place);
      if (worker) start(worker, target % this.ranks, overlapTokens);
    };
    const request = {
      slot,
      inputTokens: prompt.tokens.length,
      priority: prompt.priority ?? 0,
      strictPriority: prompt.strictPriority ?? 0,
      policyClass: prompt.policyClass,
    };
    let placement: Placement | undefined;
    try {
      placement = this.router.place(request, ids, ids.length, this.nowMs());
    } catch (error) {
      this.forget(slot);
      throw error;
    }
    let hadToken = false;
    let isOver = false;
    // The caller has the placed request in hand before it starts.
    if (placement) queueMicrotask(() => !isOver && begin(placement));
    else this.held.set(slot, begin);
    return {
      firstToken: () => {
        if (hadToken || isOver) return;
        hadToken = true;
        this.release(this.router.prefillCompleted(slot, this.nowMs()));
      },
      over: () => {
        if (isOver) return;
        isOver = true;
        this.end(slot);
      },
    };
  }

  private end(slot: number): void {
    if (this.held.has(slot)) {
      // The router lets it go some time, and hears only then that it is over.
      this.held.set(slot, () => this.end(slot));
      return;
    }
    this.release(this.router.ended(slot, this.nowMs()));
    this.forget(slot);
  }

  private forget(slot: number): void {
    for (const hash of this.hashesOf.get(slot) ?? []) this.names.release(hash);
    this.hashesOf.delete(slot);
    this.freeSlots.push(slot);
  }

  private release(placements: readonly Placement[]): void {
    for (const placement of placements) {
      const begin = this.held.get(placement.slot);
      this.held.delete(placement.slot);
      begin?.(placement);
    }
  }
}

/** @param cachedTokens of the prompt that the worker has cached, as far as is known */
export type StartRequest = (worker: RemoteWorker, rank: number, cachedTokens: number) => void;

/** A request that a pool has placed, or will. */
export interface PlacedRequest {
  /** Its prompt is computed. */
  firstToken(): void;
  over(): void;
}

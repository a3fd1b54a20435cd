import type { EngineArgs } from '../config/engine-args.js';
import type { Overheads } from '../config/overheads.js';
import type { RouterSettings } from '../config/router-config.js';
import type { CacheUse, EngineCore } from '../engine/engine-core.js';
import type { KvEventSink } from '../engine/kv/block-pool.js';
import { KvbmPool } from '../engine/kv/kvbm-pool.js';
import { NativePool } from '../engine/kv/native-pool.js';
import { PromptBlocks } from '../engine/kv/prompt-blocks.js';
import { type GapSink, grownInts, RequestLog } from '../engine/request-log.js';
import { SchedulerRequests } from '../engine/requests.js';
import type { SglangOptions } from '../engine/sglang/options.js';
import { SglangScheduler } from '../engine/sglang/scheduler.js';
import { SharedTiers } from '../engine/tiers/shared.js';
import { Tiers } from '../engine/tiers/tiers.js';
import { Offloading } from '../engine/vllm/offloading.js';
import type { VllmOptions } from '../engine/vllm/options.js';
import { VllmScheduler } from '../engine/vllm/scheduler.js';
import { emptySample, type WorkerSample, type WorkerWatch } from '../report/worker-series.js';
import type { KvRouter, Placement, RoutedRequest } from '../router/kv-router.js';
import type { PrefillEstimator } from '../router/prefill-load.js';
import { RoundRobin } from '../router/round-robin.js';
import { PassClock } from '../timing/pass-clock.js';
import type { TimingModel } from '../timing/timing-model.js';
import type { RequestDraft, RequestSource } from '../workload/source.js';
import { createRouter } from './create-router.js';
import type { PoolUse, WorkerWork } from './pool-use.js';

export interface EnginePoolOptions {
  args: EngineArgs;
  timing: TimingModel;
  workers: number;
  /** undefined behind round robin. */
  router: RouterSettings | undefined;
  routerSeed: bigint | undefined;
  /** Makes the router's prefill load decay. */
  estimator: PrefillEstimator | undefined;
  /** Whether the router hears of what the engines cache. */
  publishesEvents: boolean;
  source: RequestSource;
  /** Whether a time cap may leave requests unfinished, whose gaps must not count. */
  isCapped: boolean;
  gaps: GapSink;
  overheads: Overheads;
  /** Told of what the workers do over time, when asked for. */
  watch?: WorkerWatch | undefined;
  /** Where engines note tokens, for an owner that hears of each. */
  log?: RequestLog | undefined;
}

/** Equal engines behind one router, and the tables that they share. Ranks are numbered over all workers. */
export class EnginePool {
  readonly cores: EngineCore[] = [];
  readonly log: RequestLog;
  /** Told of a request that is about to reach a rank. */
  beforeDispatch: ((rank: number) => void) | undefined;
  private readonly router: KvRouter | undefined;
  private readonly roundRobin: RoundRobin;
  /** Workers that take new requests, ascending. */
  private active: number[] = [];
  /** Requests that came while no worker was active. */
  private readonly unplaced: RoutedRequest[] = [];
  private readonly blocks: PromptBlocks;
  /** Names of prompts for the router, where the engines do not look at content but the router does. */
  private readonly routerNames: PromptBlocks | undefined;
  /** A pool whose names of prompts are the same. */
  private readonly twin: EnginePool | undefined;
  private readonly requests: SchedulerRequests;
  private readonly clock: PassClock;
  private sharedTiers: SharedTiers | undefined;
  /** Where requests are, by slot; -1 for those that are not with a rank. */
  private rankOf = new Int32Array(0);
  /** Prompt tokens that count for the prefill load of a rank, by slot. */
  private inPrefill = new Int32Array(0);
  /** Prompt tokens of requests in prefill, by rank. */
  private readonly prefillTokens: number[] = [];
  private readonly work: Omit<WorkerWork, 'cache' | 'loads'>[] = [];

  /** @param sibling a pool that the same requests enter before; names of equal prompts are made once then */
  constructor(
    private readonly options: EnginePoolOptions,
    sibling?: EnginePool,
  ) {
    const { args, source } = options;
    this.log = options.log ?? new RequestLog();
    const isWatched = options.router !== undefined && options.publishesEvents;
    const caches = args.prefixCaching || args.engineType === 'sglang';
    const naming = {
      hashBlockTokens: source.hashBlockTokens,
      blockTokens: args.blockTokens,
      hasTokens: source.hasTokens,
      isShared: caches || (isWatched && args.pool === 'native'),
      namesUnique: args.pool === 'kvbm' || args.engineType === 'sglang',
      pools: options.workers * args.ranks,
    };
    this.twin = sibling?.blocks.names(naming) ? sibling : undefined;
    this.blocks = new PromptBlocks(naming, this.twin?.blocks.tree);
    const hidesContent = isWatched && !caches && args.pool === 'kvbm';
    if (hidesContent) this.routerNames = new PromptBlocks({ ...naming, isShared: true, namesUnique: false });
    this.requests = new SchedulerRequests(args.maxModelTokens);
    this.router = options.router && createRouter(options.router, args, options.routerSeed, options.estimator);
    this.roundRobin = new RoundRobin(args.ranks);
    this.clock = new PassClock(
      options.timing,
      args.speedup,
      args.decodeSpeedup,
      args.blockTokens,
      args.gpuBlocks,
      options.overheads.stepMs,
      options.overheads.stepMsPerSequence,
    );
  }

  get args(): EngineArgs {
    return this.options.args;
  }

  get initialWorkers(): number {
    return this.options.workers;
  }

  // ---- Engines -----------------------------------------------------------------------------------------------

  /** Makes the initial workers, where nobody drives them as a group. */
  addInitial(): void {
    for (let worker = 0; worker < this.initialWorkers; worker++) this.addCores(worker);
  }

  /** Makes the ranks of a new worker; ids follow each other. */
  addCores(worker: number): readonly EngineCore[] {
    this.work.push({ requests: 0, inputTokens: 0, reusedTokens: 0, outputTokens: 0, busyMs: 0 });
    const { ranks } = this.args;
    for (let rank = worker * ranks; rank < (worker + 1) * ranks; rank++)
      this.cores.push(this.args.engineType === 'sglang' ? this.createSglang(rank) : this.createVllm(rank));
    return this.cores.slice(worker * ranks);
  }

  private createVllm(rank: number): EngineCore {
    const { args, source, isCapped, publishesEvents, gaps } = this.options;
    const Pool = args.pool === 'kvbm' ? KvbmPool : NativePool;
    const pool = new Pool(args.gpuBlocks, this.blocks, this.eventsOf(rank));
    const naming =
      args.pool === 'kvbm' ? 'emitted' : source.hasTokens && args.prefixCaching ? 'computed' : 'lost';
    const options: VllmOptions = {
      policy: args.engineType === 'trtllm' ? 'trtllm' : 'vllm',
      role: args.workerType,
      blockTokens: args.blockTokens,
      gpuBlocks: args.gpuBlocks,
      maxSequences: args.maxSequences,
      maxBatchedTokens: args.maxBatchedTokens,
      maxModelTokens: args.maxModelTokens,
      prefixCaching: args.prefixCaching,
      chunkedPrefill: args.chunkedPrefill,
      preemption: args.preemption,
      acceptRates: args.acceptRates,
      speculationSeed: args.speculationSeed + BigInt(rank),
      naming,
      isWatched: this.router !== undefined && publishesEvents,
      groupsDecodes: naming === 'lost' && !isCapped && args.acceptRates === undefined,
    };
    const { requests, blocks, log } = this;
    const offloading = pool instanceof KvbmPool ? this.createOffloading(rank, pool) : undefined;
    return new VllmScheduler(options, pool, this.clock, { requests, blocks, log, gaps }, offloading);
  }

  /** Connects the pool of a rank with the lower tiers, where those are simulated. */
  private createOffloading(rank: number, pool: KvbmPool): Offloading | undefined {
    const { router, blocks } = this;
    const { offload } = this.args;
    const { blockBytes } = offload;
    if (blockBytes === undefined) return undefined;
    const options = { ...offload, blockBytes };
    this.sharedTiers ??= new SharedTiers(options, blocks);
    const events = router && {
      stored: (id: number) => router.storedInHost(rank, id),
      removed: (id: number) => router.removedFromHost(rank, id),
    };
    const freeSources = (count: number) => pool.gone(count);
    const tiers = new Tiers(options, this.sharedTiers, blocks, freeSources, events);
    pool.tiers = tiers;
    return new Offloading(tiers, pool, blocks);
  }

  private createSglang(rank: number): EngineCore {
    const { args, isCapped, gaps } = this.options;
    const options: SglangOptions = {
      role: args.workerType,
      pageTokens: args.blockTokens,
      pages: args.gpuBlocks,
      maxSequences: args.maxSequences,
      ...args.sglang,
      acceptRates: args.acceptRates,
      speculationSeed: args.speculationSeed + BigInt(rank),
      plansAhead: !isCapped,
    };
    const { requests, blocks, log } = this;
    const events = this.eventsOf(rank);
    return new SglangScheduler(options, this.clock, { requests, blocks, log, gaps, events });
  }

  /** What a rank stores and removes goes to the router's index; content that occurs once is no news. */
  private eventsOf(rank: number): KvEventSink | undefined {
    const { router } = this;
    if (!router || !this.options.publishesEvents) return undefined;
    return {
      stored: (id) => {
        if (id >= 0) router.stored(rank, id);
      },
      removed: (id) => {
        if (id >= 0) router.removed(rank, id);
      },
    };
  }

  // ---- Requests ----------------------------------------------------------------------------------------------

  reserve(slots: number): void {
    this.log.reserve(slots);
    this.blocks.reserve(slots);
    this.routerNames?.reserve(slots);
    this.requests.reserve(slots);
    const rankOf = new Int32Array(slots).fill(-1);
    rankOf.set(this.rankOf);
    this.rankOf = rankOf;
    this.inPrefill = grownInts(this.inPrefill, slots);
  }

  /** Prepares a slot for a request that has arrived. */
  enter(slot: number, draft: RequestDraft, outputTokens: number): void {
    this.log.clear(slot);
    if (this.twin) this.blocks.enterLike(this.twin.blocks, slot);
    else this.blocks.enter(slot, draft);
    this.routerNames?.enter(slot, draft);
    this.requests.enter(slot, draft.inputTokens, outputTokens);
  }

  /** Forgets a request that has ended. */
  leave(slot: number): void {
    this.tally(slot);
    this.blocks.leave(slot);
    this.routerNames?.leave(slot);
  }

  /** Finds a rank for a request; undefined when it is kept back, by the router or because no worker is there. */
  place(request: RoutedRequest, nowMs: number): Placement | undefined {
    const { slot } = request;
    if (this.active.length === 0) {
      this.unplaced.push(request);
      return undefined;
    }
    if (!this.router) return { slot, target: this.roundRobin.place(this.active), overlapTokens: 0 };
    const names = this.routerNames ?? this.blocks;
    return this.router.place(request, names.ids[slot], names.counts[slot], nowMs);
  }

  dispatch(slot: number, rank: number): void {
    this.assign(slot, rank);
    this.beforeDispatch?.(rank);
    this.cores[rank].receive(slot);
  }

  /** A request belongs to a rank from now on. */
  assign(slot: number, rank: number): void {
    this.rankOf[slot] = rank;
    this.inPrefill[slot] = this.requests.promptTokens[slot];
    this.prefillTokens[rank] = (this.prefillTokens[rank] ?? 0) + this.inPrefill[slot];
  }

  /** The prompt of a request is computed. */
  promptComputed(slot: number): void {
    this.prefillTokens[this.rankOf[slot]] -= this.inPrefill[slot];
    this.inPrefill[slot] = 0;
  }

  /** Whether every worker that takes requests has more tokens in prefill than a part of one pass. */
  isBusyWithPrefill(part: number): boolean {
    const limit = part * this.args.maxBatchedTokens;
    return this.active.every((worker) => (this.prefillTokens[worker] ?? 0) > limit);
  }

  /** A rank gets a request although it is there for decoding only: it computes the prompt itself. */
  dispatchWhole(slot: number, rank: number): void {
    this.requests.computesPrompt[slot] = 1;
    this.dispatch(slot, rank);
  }

  private tally(slot: number): void {
    const rank = this.rankOf[slot];
    if (rank < 0) return;
    this.promptComputed(slot);
    this.rankOf[slot] = -1;
    const work = this.work[Math.floor(rank / this.args.ranks)];
    work.requests++;
    work.inputTokens += this.requests.promptTokens[slot];
    work.reusedTokens += this.log.reusedTokens[slot];
    work.outputTokens += this.log.emittedTokens[slot];
  }

  /** A worker was in passes from one time to another. */
  noteBusy(worker: number, startMs: number, endMs: number): void {
    this.work[worker].busyMs += endMs - startMs;
    const { watch } = this.options;
    if (watch) watch.add(worker, startMs, endMs, sampleOf(this.coresOf(worker)));
  }

  private coresOf(worker: number): EngineCore[] {
    const { ranks } = this.args;
    return this.cores.slice(worker * ranks, (worker + 1) * ranks);
  }

  get use(): PoolUse {
    const workers = this.work.map((work, worker) => ({
      ...work,
      cache: sumCaches(this.coresOf(worker)),
      loads: this.coresOf(worker).map(({ load }) => load),
    }));
    return { workers, router: this.router?.use, tiers: this.sharedTiers?.use };
  }

  /** @returns requests that the router lets go now */
  prefillCompleted(slot: number, nowMs: number): readonly Placement[] {
    return this.router?.prefillCompleted(slot, nowMs) ?? [];
  }

  /** @returns requests that the router lets go now */
  ended(slot: number, nowMs: number): readonly Placement[] {
    return this.router?.ended(slot, nowMs) ?? [];
  }

  // ---- Workers -----------------------------------------------------------------------------------------------

  /** A worker takes requests from now on. */
  enlist(worker: number): void {
    this.active.push(worker);
    this.active.sort((a, b) => a - b);
    for (const rank of this.ranksOf(worker)) this.router?.addTarget(rank);
  }

  /** A worker takes no new requests. */
  delist(worker: number): void {
    this.active = this.active.filter((id) => id !== worker);
    for (const rank of this.ranksOf(worker)) this.router?.drainTarget(rank);
  }

  /** A worker is gone. */
  dismiss(worker: number): void {
    for (const rank of this.ranksOf(worker)) this.router?.removeTarget(rank);
  }

  /** Workers have come or gone. @returns requests that may go now */
  topologySettled(nowMs: number): Placement[] {
    const placements = this.router?.topologySettled(nowMs) ?? [];
    if (this.active.length === 0) return placements;
    for (const request of this.unplaced.splice(0)) {
      const placement = this.place(request, nowMs);
      if (placement) placements.push(placement);
    }
    return placements;
  }

  private ranksOf(worker: number): number[] {
    const { ranks } = this.args;
    return Array.from({ length: ranks }, (_, index) => worker * ranks + index);
  }
}

function sampleOf(cores: readonly EngineCore[]): WorkerSample {
  const { activeBlocks, evictedBlocks } = sumCaches(cores);
  const sample = { ...emptySample(), activeBlocks, evictedBlocks };
  for (const { load } of cores) {
    sample.sequences += load.sequences;
    sample.waiting += load.waiting;
    sample.prefillTokens += load.prefillTokens;
    sample.decodeSteps += load.decodeSteps;
    sample.passes += load.passes;
    sample.sequenceSteps += load.sequenceSteps;
    sample.prefillMs += load.prefillMs;
    sample.preemptions += load.preemptions;
  }
  return sample;
}

function sumCaches(cores: readonly EngineCore[]): CacheUse {
  const sum: CacheUse = { blocks: 0, activeBlocks: 0, peakBlocks: 0, evictedBlocks: 0 };
  for (const { cache } of cores) {
    sum.blocks += cache.blocks;
    sum.activeBlocks += cache.activeBlocks;
    sum.peakBlocks += cache.peakBlocks;
    sum.evictedBlocks += cache.evictedBlocks;
  }
  return sum;
}

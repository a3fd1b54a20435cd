import type { EngineArgs, EngineTraits } from '../config/engine-type.js';
import type { Overheads } from '../config/overheads.js';
import type { Rules } from '../config/rules.js';
import type { CacheUse, FleetCore } from '../engine/engine-core.js';
import type { EngineKind, EngineMaker } from '../engine/kind.js';
import { type BlockNamer, PromptBlocks } from '../engine/kv/prompt-blocks.js';
import { type GapSink, RequestLog } from '../engine/request-log.js';
import { SchedulerRequests } from '../engine/requests.js';
import { SpanSum } from '../engine/span-sum.js';
import { emptySample, type WorkerSample, type WorkerWatch } from '../report/worker-series.js';
import { QueueLimitError } from '../router/kv-router.js';
import type { CacheListener, Placement, RoutedRequest, Router, Routing } from '../router/router.js';
import { grown } from '../structures/column.js';
import { PassClock } from '../timing/pass-clock.js';
import type { TimingModel } from '../timing/timing-model.js';
import type { RequestDraft, RequestSource } from '../workload/source.js';
import { PoolHistory } from './history.js';
import type { PoolUse, WorkerWork } from './pool-use.js';
import type { Traffic } from './traffic.js';

/** Who hears of the caches of a pool's ranks beside the router, with the tokens of what is cached. */
export interface CacheWatch {
  namer: BlockNamer;
  /** Asked once for each rank, when it is made. */
  listenerOf(rank: number): CacheListener;
}

export interface EnginePoolOptions {
  stage: '' | 'prefill' | 'decode';
  kind: EngineKind;
  args: EngineArgs;
  timing: TimingModel;
  workers: number;
  routing: Routing;
  rules: Rules;
  source: RequestSource;
  /** Whether a time cap may leave requests unfinished, whose gaps must not count. */
  isCapped: boolean;
  gaps: GapSink;
  overheads: Overheads;
  /** Whether the passes of every rank are measured. */
  metersPasses: boolean;
  /** Counts what comes and goes, where somebody asks for it. */
  traffic: Traffic | undefined;
  /** Told of what the workers do over time, when asked for. */
  watch?: WorkerWatch | undefined;
  /** Whether a request for which the router's queue has no room is refused; the run ends otherwise. */
  refuses?: boolean | undefined;
  /** Whether records tell of every decision of the router and every admission. */
  tellsHistory?: boolean | undefined;
  /** Where engines note tokens, for an owner that hears of each. */
  log?: RequestLog | undefined;
  /** For workloads that come with tokens. */
  cacheWatch?: CacheWatch | undefined;
}

/** Equal engines behind one router, and the tables that they share. Ranks are numbered over all workers. */
export class EnginePool {
  readonly cores: FleetCore[] = [];
  readonly log: RequestLog;
  /** Where requests were sent, where records tell of it. */
  readonly history: PoolHistory | undefined;
  /** Told of a request that is about to reach a rank. */
  beforeDispatch: ((rank: number) => void) | undefined;
  private readonly router: Router;
  private readonly maker: EngineMaker;
  /** Workers that take new requests, ascending. */
  private active: number[] = [];
  /** Requests that came while no worker was active. */
  private readonly unplaced: RoutedRequest[] = [];
  /** Slots of requests that the router did not take. */
  readonly refused: number[] = [];
  private readonly blocks: PromptBlocks;
  /** Names of prompts for the router, where the engines do not look at content but the router does. */
  private readonly routerNames: PromptBlocks | undefined;
  /** A pool whose names of prompts are the same. */
  private readonly twin: EnginePool | undefined;
  private readonly requests: SchedulerRequests;
  private readonly clock: PassClock;
  /** Where requests are, by slot; -1 for those that are not with a rank. */
  private rankOf = new Int32Array(0);
  /** Prompt tokens that count for the prefill load of a rank, by slot. */
  private inPrefill = new Int32Array(0);
  /** Prompt tokens of requests in prefill, by rank. */
  private readonly prefillTokens: number[] = [];
  private readonly work: Omit<WorkerWork, 'cache' | 'loads' | 'busyMs'>[] = [];
  private readonly busy: SpanSum[] = [];

  /** @param sibling a pool that the same requests enter before; names of equal prompts are made once then */
  constructor(
    private readonly options: EnginePoolOptions,
    sibling?: EnginePool,
  ) {
    const { args, kind, source, routing, rules, stage, cacheWatch } = options;
    const { ranks, blockTokens, maxBatchedTokens, routerQueuePolicy: queuePolicy } = args;
    const tellsHistory = options.tellsHistory === true;
    this.log = options.log ?? new RequestLog(tellsHistory);
    this.history = tellsHistory ? new PoolHistory(stage === '' ? 'agg' : stage, ranks) : undefined;
    const names = {
      retain: (id: number) => (this.routerNames ?? this.blocks).retain(id),
      release: (id: number) => (this.routerNames ?? this.blocks).release(id),
    };
    const routed = { stage, ranks, blockTokens, maxBatchedTokens, queuePolicy, rules, names };
    this.router = routing.kind.create(routing, routed);
    const isWatched = this.router.listens;
    const { hasRadixTree } = kind.traits;
    const caches = args.prefixCaching || hasRadixTree;
    const naming = {
      hashBlockTokens: source.hashBlockTokens,
      blockTokens: args.blockTokens,
      hasTokens: source.hasTokens,
      isShared: caches || (isWatched && args.pool === 'native'),
      namesUnique: args.pool === 'kvbm' || hasRadixTree,
      pools: options.workers * args.ranks,
    };
    this.twin = !cacheWatch && sibling?.blocks.names(naming) ? sibling : undefined;
    this.blocks = new PromptBlocks(naming, this.twin?.blocks.tree, cacheWatch?.namer);
    const hidesContent = isWatched && !caches && args.pool === 'kvbm';
    if (hidesContent) this.routerNames = new PromptBlocks({ ...naming, isShared: true, namesUnique: false });
    this.requests = new SchedulerRequests(args.maxModelTokens);
    this.clock = new PassClock(
      options.timing,
      args.speedup,
      args.decodeSpeedup,
      args.blockTokens,
      args.gpuBlocks,
      options.overheads.stepMs,
      options.overheads.stepMsPerSequence,
      options.rules.semantics === 'dynamo-1.4.2',
    );
    const { clock, requests, blocks, log } = this;
    const { gaps, isCapped } = options;
    this.maker = kind.maker({
      ...{ args, rules, clock, requests, blocks, log, gaps, isCapped, isWatched },
      hasTokens: source.hasTokens,
      listenersOf: (rank) => this.listenersOf(rank),
    });
  }

  private listenersOf(rank: number) {
    const router = this.router.listenersOf(rank);
    const watch = this.options.cacheWatch?.listenerOf(rank);
    if (!watch) return router;
    return { gpu: router ? bothOf(router.gpu, watch) : watch, host: router?.host ?? NO_LISTENER };
  }

  get args(): EngineArgs {
    return this.options.args;
  }

  get rules(): Rules {
    return this.options.rules;
  }

  get traits(): EngineTraits {
    return this.options.kind.traits;
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
  addCores(worker: number): readonly FleetCore[] {
    this.work.push({ requests: 0, inputTokens: 0, reusedTokens: 0, outputTokens: 0 });
    this.busy.push(new SpanSum());
    const { ranks } = this.args;
    for (let rank = worker * ranks; rank < (worker + 1) * ranks; rank++) {
      const core = this.maker.create(rank);
      core.meter.isOn = this.options.metersPasses;
      this.cores.push(core);
    }
    return this.cores.slice(worker * ranks);
  }

  // ---- Requests ----------------------------------------------------------------------------------------------

  growTo(slots: number): void {
    this.log.growTo(slots);
    this.blocks.growTo(slots);
    this.routerNames?.growTo(slots);
    this.requests.growTo(slots);
    const before = this.rankOf.length;
    this.rankOf = grown(this.rankOf, slots).fill(-1, before);
    this.inPrefill = grown(this.inPrefill, slots);
  }

  /** Prepares a slot for a request that has arrived. */
  enter(slot: number, draft: RequestDraft, outputTokens: number): void {
    this.log.clear(slot);
    this.history?.clear(slot);
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

  /** Finds a rank for a request; undefined when it is kept back, by the router or because no worker is there, or refused. */
  place(request: RoutedRequest, nowMs: number): Placement | undefined {
    const placement = this.tryToPlace(request, nowMs);
    if (placement) this.history?.routed(placement, nowMs);
    else this.history?.held(request.slot, nowMs);
    return placement;
  }

  private tryToPlace(request: RoutedRequest, nowMs: number): Placement | undefined {
    const { slot } = request;
    if (this.active.length === 0) {
      this.unplaced.push(request);
      return undefined;
    }
    const names = this.routerNames ?? this.blocks;
    try {
      return this.router.place(request, names.ids[slot], names.counts[slot], nowMs);
    } catch (error) {
      if (!this.options.refuses || !(error instanceof QueueLimitError)) throw error;
      this.refused.push(slot);
      return undefined;
    }
  }

  dispatch(slot: number, rank: number, nowMs: number): void {
    this.assign(slot, rank, nowMs);
    this.beforeDispatch?.(rank);
    this.cores[rank].receive(slot);
  }

  /** Counts where the router placed a request, if it knows caches. */
  notePlaced(inputTokens: number, overlapTokens: number): void {
    const { blockTokens } = this.args;
    if (this.router.use)
      this.options.traffic?.placed(overlapTokens / blockTokens, Math.ceil(inputTokens / blockTokens));
  }

  /** A request belongs to a rank from now on. */
  assign(slot: number, rank: number, nowMs: number): void {
    this.rankOf[slot] = rank;
    this.requests.receivedMs[slot] = nowMs;
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
  dispatchWhole(slot: number, rank: number, nowMs: number): void {
    this.requests.computesPrompt[slot] = 1;
    this.dispatch(slot, rank, nowMs);
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
    this.busy[worker].add(startMs, endMs);
    const { watch } = this.options;
    if (watch) watch.add(worker, startMs, endMs, sampleOf(this.coresOf(worker)));
  }

  private coresOf(worker: number): FleetCore[] {
    const { ranks } = this.args;
    return this.cores.slice(worker * ranks, (worker + 1) * ranks);
  }

  get use(): PoolUse {
    const workers = this.work.map((work, worker) => ({
      ...work,
      busyMs: this.busy[worker].totalMs,
      cache: sumCaches(this.coresOf(worker)),
      loads: this.coresOf(worker).map(({ load }) => load),
    }));
    return { workers, router: this.router.use, tiers: this.maker.tiers };
  }

  /** Notes requests that the router lets go. */
  private released(placements: readonly Placement[], nowMs: number): readonly Placement[] {
    if (this.history) for (const placement of placements) this.history.routed(placement, nowMs);
    return placements;
  }

  /** @returns requests that the router lets go now */
  prefillCompleted(slot: number, nowMs: number): readonly Placement[] {
    return this.released(this.router.prefillCompleted(slot, nowMs), nowMs);
  }

  /** @returns requests that the router lets go now */
  ended(slot: number, nowMs: number): readonly Placement[] {
    return this.released(this.router.ended(slot, nowMs), nowMs);
  }

  /** Requests that nobody has been given yet. */
  get heldRequests(): number {
    return this.unplaced.length + this.router.heldRequests;
  }

  // ---- Workers -----------------------------------------------------------------------------------------------

  /** A worker takes requests from now on. */
  enlist(worker: number): void {
    this.active.push(worker);
    this.active.sort((a, b) => a - b);
    for (const rank of this.ranksOf(worker)) this.router.addTarget(rank);
  }

  /** A worker takes no new requests. */
  delist(worker: number): void {
    this.active = this.active.filter((id) => id !== worker);
    for (const rank of this.ranksOf(worker)) this.router.drainTarget(rank);
  }

  /** A worker is gone. */
  dismiss(worker: number): void {
    for (const rank of this.ranksOf(worker)) this.router.removeTarget(rank);
  }

  /** Workers have come or gone. @returns requests that may go now */
  topologySettled(nowMs: number): Placement[] {
    const placements = [...this.released(this.router.topologySettled(nowMs), nowMs)];
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

const NO_LISTENER: CacheListener = { stored: () => {}, removed: () => {} };

function bothOf(first: CacheListener, second: CacheListener): CacheListener {
  return {
    begin: (nowMs) => {
      first.begin?.(nowMs);
      second.begin?.(nowMs);
    },
    stored: (id) => {
      first.stored(id);
      second.stored(id);
    },
    removed: (id) => {
      first.removed(id);
      second.removed(id);
    },
  };
}

function sampleOf(cores: readonly FleetCore[]): WorkerSample {
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

function sumCaches(cores: readonly FleetCore[]): CacheUse {
  const sum: CacheUse = { blocks: 0, activeBlocks: 0, peakBlocks: 0, evictedBlocks: 0 };
  for (const { cache } of cores) {
    sum.blocks += cache.blocks;
    sum.activeBlocks += cache.activeBlocks;
    sum.peakBlocks += cache.peakBlocks;
    sum.evictedBlocks += cache.evictedBlocks;
  }
  return sum;
}

import type { EngineArgs } from '../config/engine-args.js';
import type { RouterSettings } from '../config/router-config.js';
import type { EngineCore, EngineSignal } from '../engine/engine-core.js';
import type { KvEventSink } from '../engine/kv/block-pool.js';
import { KvbmPool } from '../engine/kv/kvbm-pool.js';
import { NativePool } from '../engine/kv/native-pool.js';
import { PromptBlocks } from '../engine/kv/prompt-blocks.js';
import { type GapSink, RequestLog } from '../engine/request-log.js';
import { SchedulerRequests } from '../engine/requests.js';
import { type SglangOptions, SglangScheduler } from '../engine/sglang/scheduler.js';
import { PassClock } from '../engine/timing/pass-clock.js';
import type { TimingModel } from '../engine/timing/timing-model.js';
import type { VllmOptions } from '../engine/vllm/options.js';
import { VllmScheduler } from '../engine/vllm/scheduler.js';
import type { Collector, RequestOutcome } from '../report/collector.js';
import type { KvRouter, Placement } from '../router/kv-router.js';
import { RoundRobin } from '../router/round-robin.js';
import type { EndedDraft, RequestDraft, RequestSource } from '../workload/source.js';
import { createRouter } from './create-router.js';
import { OwnGaps } from './own-gaps.js';
import { RunError } from './run-error.js';
import { RequestSlots } from './slots.js';

export interface FleetOptions {
  args: EngineArgs;
  timing: TimingModel;
  workers: number;
  /** undefined behind round robin. */
  router: RouterSettings | undefined;
  routerSeed: bigint | undefined;
  source: RequestSource;
  collector: Collector;
  /** Whether a time cap may leave requests unfinished, whose gaps must not count. */
  isCapped: boolean;
  /** Whether conservation laws are checked after every pass. */
  checks: boolean;
  /** Whether records name sessions, turns and workers, as the reference does in all runtimes but its smallest. */
  namesWorkers: boolean;
  namesSessions: boolean;
  /** Whether requests that are still in flight when the run stops are recorded. */
  recordsUnfinished: boolean;
  /** Called as requests end, with how many have. */
  onProgress: ((ended: number) => void) | undefined;
}

const PROGRESS_STEP = 256;

/** Engines that serve one workload, and the way of a request through them: accepted, dispatched, ended. */
export class Fleet {
  readonly cores: EngineCore[];
  readonly slots: RequestSlots;
  readonly log = new RequestLog();
  /** Told of a request that is about to reach a rank. */
  beforeDispatch: ((rank: number) => void) | undefined;
  private readonly router: KvRouter | undefined;
  private readonly roundRobin: RoundRobin;
  private readonly workerIds: number[];
  private readonly blocks: PromptBlocks;
  private readonly requests: SchedulerRequests;
  private readonly ownGaps: OwnGaps | undefined;
  private endedCount = 0;
  private readonly outcome: RequestOutcome;
  private readonly ended: EndedDraft = {
    row: 0,
    session: 0,
    turn: 0,
    nowMs: 0,
    rejected: false,
    emittedTokens: 0,
  };

  constructor(readonly options: FleetOptions) {
    const { args, source, isCapped, collector, workers } = options;
    this.blocks = new PromptBlocks({
      hashBlockTokens: source.hashBlockTokens,
      blockTokens: args.blockTokens,
      hasTokens: source.hasTokens,
      isShared:
        args.prefixCaching ||
        args.engineType === 'sglang' ||
        (options.router !== undefined && args.pool === 'native'),
      namesUnique: args.pool === 'kvbm' || args.engineType === 'sglang',
    });
    this.requests = new SchedulerRequests(args.maxModelTokens);
    this.slots = new RequestSlots((slots) => {
      this.log.reserve(slots);
      this.blocks.reserve(slots);
      this.requests.reserve(slots);
    });
    this.router = options.router && createRouter(options.router, args, workers, options.routerSeed);
    this.roundRobin = new RoundRobin(args.ranks);
    this.workerIds = Array.from({ length: workers }, (_, id) => id);
    this.ownGaps = isCapped ? new OwnGaps() : undefined;
    const gaps = this.ownGaps ?? collectGaps(collector);
    this.outcome = emptyOutcome();
    const clock = new PassClock(
      options.timing,
      args.speedup,
      args.decodeSpeedup,
      args.blockTokens,
      args.gpuBlocks,
    );
    this.cores = Array.from({ length: workers * args.ranks }, (_, rank) =>
      this.createCore(rank, clock, gaps),
    );
  }

  private createCore(rank: number, clock: PassClock, gaps: GapSink): EngineCore {
    const { args, source, isCapped } = this.options;
    if (args.engineType === 'sglang') return this.createSglang(rank, clock, gaps);
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
      isWatched: this.router !== undefined,
      groupsDecodes: naming === 'lost' && !isCapped && args.acceptRates === undefined,
    };
    const tables = { requests: this.requests, blocks: this.blocks, log: this.log, gaps };
    return new VllmScheduler(options, pool, clock, tables);
  }

  /** What a rank stores and removes goes to the router's index; content that occurs once is no news. */
  private eventsOf(rank: number): KvEventSink | undefined {
    const { router } = this;
    return (
      router && {
        stored: (id) => {
          if (id >= 0) router.stored(rank, id);
        },
        removed: (id) => {
          if (id >= 0) router.removed(rank, id);
        },
      }
    );
  }

  private createSglang(rank: number, clock: PassClock, gaps: GapSink): EngineCore {
    const { args } = this.options;
    const options: SglangOptions = {
      role: args.workerType,
      pageTokens: args.blockTokens,
      pages: args.gpuBlocks,
      maxSequences: args.maxSequences,
      ...args.sglang,
      acceptRates: args.acceptRates,
      speculationSeed: args.speculationSeed + BigInt(rank),
      plansAhead: !this.options.isCapped,
    };
    const tables = {
      requests: this.requests,
      blocks: this.blocks,
      log: this.log,
      gaps,
      events: this.eventsOf(rank),
    };
    return new SglangScheduler(options, clock, tables);
  }

  /** Takes in a request that has arrived. @returns its slot */
  accept(draft: RequestDraft): number {
    const { slots, log, blocks, requests } = this;
    const slot = slots.take();
    slots.row[slot] = draft.row;
    slots.session[slot] = draft.session;
    slots.turn[slot] = draft.turn;
    slots.arrivalMs[slot] = draft.arrivalMs;
    slots.inputTokens[slot] = draft.inputTokens;
    slots.requestedTokens[slot] = draft.outputTokens;
    slots.rank[slot] = -1;
    log.clear(slot);
    blocks.enter(slot, draft);
    requests.enter(slot, draft.inputTokens, draft.outputTokens);
    this.options.collector.arrived++;
    return slot;
  }

  dispatch(slot: number, rank: number): void {
    this.beforeDispatch?.(rank);
    this.slots.rank[slot] = rank;
    this.cores[rank].receive(slot);
  }

  /** Hears of requests that ended in a core's last passes: records them and tells the workload. */
  end(core: EngineCore, nowMs: number): void {
    core.publishEvents();
    for (const signal of core.signals) this.hear(signal, nowMs);
    core.signals.length = 0;
    if (this.options.checks) core.check();
  }

  private hear({ slot, kind }: EngineSignal, nowMs: number): void {
    if (kind !== 'firstToken') this.endOne(slot, kind === 'rejected', nowMs);
    else if (this.router) this.dispatchAll(this.router.prefillCompleted(slot));
  }

  /** Places a request that has arrived: dispatched at once, or kept back by the router. */
  place(slot: number, draft: RequestDraft, nowMs: number): void {
    const { router, blocks, slots } = this;
    const target = router
      ? router.place(
          {
            slot,
            inputTokens: slots.inputTokens[slot],
            ids: blocks.ids[slot],
            idCount: blocks.counts[slot],
            priority: draft.priority,
            strictPriority: draft.strictPriority,
            policyClass: draft.policyClass,
          },
          nowMs,
        )
      : this.roundRobin.place(this.workerIds);
    if (target !== undefined) this.dispatch(slot, target);
  }

  private dispatchAll(placements: readonly Placement[]): void {
    for (const { slot, target } of placements) this.dispatch(slot, target);
  }

  private endOne(slot: number, rejected: boolean, nowMs: number): void {
    const { slots, log, outcome } = this;
    const { collector, source, onProgress } = this.options;
    this.describe(slot, outcome);
    outcome.terminalMs = nowMs;
    outcome.status = rejected ? 'rejected' : 'completed';
    collector.ended(outcome);
    if (this.ownGaps) for (const gap of this.ownGaps.take(slot)) collector.gaps.add(gap, 1);
    const { ended } = this;
    ended.row = slots.row[slot];
    ended.session = slots.session[slot];
    ended.turn = slots.turn[slot];
    ended.nowMs = nowMs;
    ended.rejected = rejected;
    ended.emittedTokens = log.emittedTokens[slot];
    const released = this.router?.ended(slot);
    source.ended(ended);
    if (released) this.dispatchAll(released);
    this.blocks.leave(slot);
    slots.give(slot);
    if (++this.endedCount % PROGRESS_STEP === 0) onProgress?.(this.endedCount);
  }

  /** Records what was left unfinished when the run stopped. */
  endUnfinished(): void {
    const { slots, outcome } = this;
    for (const slot of slots.inUse()) {
      this.describe(slot, outcome);
      outcome.terminalMs = Number.NaN;
      outcome.status = 'unfinished';
      this.options.collector.ended(outcome);
    }
  }

  private describe(slot: number, outcome: RequestOutcome): void {
    const { slots, log } = this;
    const { namesWorkers, namesSessions, source, collector } = this.options;
    outcome.row = slots.row[slot];
    if (namesSessions && collector.keepsRecords) {
      outcome.session = source.sessionName(slots.session[slot]);
      outcome.turn = slots.turn[slot];
    }
    outcome.arrivalMs = slots.arrivalMs[slot];
    outcome.firstAdmitMs = log.firstAdmitMs[slot];
    outcome.firstTokenMs = log.firstTokenMs[slot];
    outcome.secondTokenMs = log.secondTokenMs[slot];
    outcome.lastTokenMs = log.lastTokenMs[slot];
    outcome.inputTokens = slots.inputTokens[slot];
    outcome.requestedTokens = slots.requestedTokens[slot];
    outcome.outputTokens = log.emittedTokens[slot];
    outcome.firstReusedTokens = log.firstReusedTokens[slot];
    outcome.reusedTokens = log.reusedTokens[slot];
    outcome.preemptions = log.preemptions[slot];
    outcome.worker = namesWorkers && slots.rank[slot] >= 0 ? slots.rank[slot] : null;
  }

  /** The error of a run in which nothing can move any more, naming what is stuck and what to change. */
  deadEnd(): RunError {
    const stuck = this.cores.flatMap((core) => core.diagnose());
    const { slots } = this;
    const [first] = stuck;
    const what = first
      ? `: request ${slots.row[first.slot] + 1} (${slots.inputTokens[first.slot]} tokens in, ${slots.requestedTokens[first.slot]} out) ${first.problem}; ${first.remedy}`
      : '';
    return new RunError(
      `the replay reached a dead end with ${slots.inFlight} in-flight requests remaining${what}`,
    );
  }
}

function collectGaps(collector: Collector): GapSink {
  const { gaps } = collector;
  return {
    addShared: (gapMs, count) => gaps.add(gapMs, count),
    addOwn: (_slot, gapMs) => gaps.add(gapMs, 1),
  };
}

function emptyOutcome(): RequestOutcome {
  return {
    row: 0,
    session: null,
    turn: null,
    arrivalMs: 0,
    firstAdmitMs: 0,
    firstTokenMs: 0,
    secondTokenMs: 0,
    lastTokenMs: 0,
    terminalMs: 0,
    inputTokens: 0,
    requestedTokens: 0,
    outputTokens: 0,
    firstReusedTokens: 0,
    reusedTokens: 0,
    preemptions: 0,
    worker: null,
    status: 'completed',
  };
}

import type { EngineArgs } from '../../../config/engine-type.js';
import type { Overheads } from '../../../config/overheads.js';
import type { Rules } from '../../../config/rules.js';
import type { EngineSignal, FleetCore } from '../../../engine/engine-core.js';
import type { EngineKind } from '../../../engine/kind.js';
import { type BlockNamer, PromptBlocks } from '../../../engine/kv/prompt-blocks.js';
import type { PassMetrics } from '../../../engine/pass-meter.js';
import { type GapSink, RequestLog } from '../../../engine/request-log.js';
import { SchedulerRequests } from '../../../engine/requests.js';
import { RequestSlots } from '../../../simulation/slots.js';
import { PassClock } from '../../../timing/pass-clock.js';
import type { TimingModel } from '../../../timing/timing-model.js';
import type { Clock } from '../../clock.js';
import { type FleetLimits, isHoldable, isServable, limitsOf } from '../../fleet-limits.js';
import type { EndKind, Prompt, Serving, Ticket, TokenSink } from '../../serving.js';

/** What a rank is made of. */
export interface RankParts {
  kind: EngineKind;
  args: EngineArgs;
  timing: TimingModel;
  rules: Rules;
  overheads: Overheads;
}

/** Hears what a rank does. Of one pass: changes of the cache, the pass, then tokens, then the load. */
export interface RankWatch {
  /** A block can be found in the cache from now on, or no longer. */
  stored(node: number): void;
  removed(node: number): void;
  /** The changes told so far belong together. */
  published(): void;
  passEnded(pass: PassMetrics): void;
  /** How much of the cache is in use. */
  loaded(activeBlocks: number): void;
}

/** Hears of a request that is handed over between a prefill and a decode worker. */
export interface HandoverSink extends TokenSink {
  /** Its prompt is computed here, and its blocks are kept until they are released. */
  held?(ticket: Ticket): void;
  /** It has its blocks, and waits for so many tokens to be transferred. */
  reserved?(ticket: Ticket, transferTokens: number): void;
}

/** A rank as requests see it. */
export interface HandoverServing extends Serving {
  submit(prompt: Prompt, sink: HandoverSink): Ticket;
  /** Takes in a request whose prompt another worker computes: it gets blocks, and runs once it is activated. */
  reserve(prompt: Prompt, sink: HandoverSink): Ticket;
  /** The prompt of a request has arrived. */
  activate(ticket: Ticket): void;
  /** The prompt of a held request has been taken over: it ends. */
  release(ticket: Ticket): void;
}

interface InService {
  ticket: Ticket;
  slot: number;
  sink: HandoverSink;
  phase: 'entered' | 'reserved' | 'running' | 'held';
}

const NO_GAPS: GapSink = { addShared: () => {}, addRun: () => {}, addOwn: () => {} };

/** Notes which requests get tokens in a pass. */
class TokenLog extends RequestLog {
  readonly told: number[] = [];

  override token(slot: number, timeMs: number, gaps: GapSink): void {
    super.token(slot, timeMs, gaps);
    this.told.push(slot);
  }
}

/**
 * One data-parallel rank of a worker in the time of a clock (`scheduler/vllm/live.rs` of the reference): it executes a
 * pass, sleeps until its end, tells what came of it, and takes in what arrived meanwhile.
 */
export class Rank implements HandoverServing {
  readonly core: FleetCore;
  private readonly slots = new RequestSlots((count) => this.reserveSlots(count));
  private readonly log = new TokenLog();
  private readonly requests: SchedulerRequests;
  private readonly blocks: PromptBlocks;
  private readonly limits: FleetLimits;
  private readonly bySlot = new Map<number, InService>();
  private readonly byTicket = new Map<Ticket, InService>();
  /** What was asked for during a pass and waits for its end. */
  private readonly commands: (() => void)[] = [];
  private signals: EngineSignal[] = [];
  private nextTicket = 1;
  private isBusy = false;
  private isPaused = false;
  private endMs = 0;
  private activeBlocks = -1;
  private readonly whenIdle: (() => void)[] = [];

  constructor(
    { kind, args, timing, rules, overheads }: RankParts,
    private readonly clock: Clock,
    private readonly watch: RankWatch,
    namer: BlockNamer | undefined,
  ) {
    const { hasRadixTree } = kind.traits;
    this.limits = limitsOf([args]);
    this.requests = new SchedulerRequests(args.maxModelTokens);
    this.blocks = new PromptBlocks(
      {
        hashBlockTokens: 1,
        blockTokens: args.blockTokens,
        hasTokens: true,
        isShared: args.prefixCaching || hasRadixTree,
        namesUnique: args.pool === 'kvbm' || hasRadixTree,
        pools: 1,
      },
      undefined,
      namer,
    );
    const passClock = new PassClock(
      timing,
      args.speedup,
      args.decodeSpeedup,
      args.blockTokens,
      args.gpuBlocks,
      overheads.stepMs,
      overheads.stepMsPerSequence,
    );
    const gpu = {
      stored: (id: number) => id >= 0 && watch.stored(id),
      removed: (id: number) => id >= 0 && watch.removed(id),
    };
    const maker = kind.maker({
      args,
      rules,
      clock: passClock,
      requests: this.requests,
      blocks: this.blocks,
      log: this.log,
      gaps: NO_GAPS,
      hasTokens: true,
      isCapped: true,
      isWatched: true,
      listenersOf: () => ({ gpu, host: { stored: () => {}, removed: () => {} } }),
    });
    this.core = maker.create(0);
    this.core.meter.isOn = true;
  }

  private reserveSlots(count: number): void {
    this.log.growTo(count);
    this.blocks.growTo(count);
    this.requests.growTo(count);
  }

  // ---- Requests ----------------------------------------------------------------------------------------------

  submit(prompt: Prompt, sink: HandoverSink): Ticket {
    const canBe = isServable(this.limits, prompt);
    return this.enter(prompt, sink, (request) => {
      if (!canBe) {
        this.end(request, 'rejected');
        return;
      }
      request.phase = 'running';
      this.core.receive(request.slot);
    });
  }

  reserve(prompt: Prompt, sink: HandoverSink): Ticket {
    const canBe = isHoldable(this.limits, prompt);
    return this.enter(prompt, sink, (request) => {
      request.phase = 'reserved';
      if (!canBe || !this.core.destinations.request(request.slot)) this.end(request, 'rejected');
    });
  }

  activate(ticket: Ticket): void {
    this.between(() => {
      const request = this.byTicket.get(ticket);
      if (request?.phase !== 'reserved') return;
      request.phase = 'running';
      this.core.destinations.activate(request.slot);
    });
  }

  release(ticket: Ticket): void {
    this.between(() => {
      const request = this.byTicket.get(ticket);
      if (request?.phase !== 'held') return;
      this.core.releaseHeld(request.slot);
      this.end(request, 'completed');
    });
  }

  cancel(ticket: Ticket): void {
    this.between(() => {
      const request = this.byTicket.get(ticket);
      if (request) this.takeOut(request);
    });
  }

  private takeOut(request: InService): void {
    const { core } = this;
    const { slot, phase } = request;
    if (phase === 'held') core.releaseHeld(slot);
    else if (phase === 'reserved') core.destinations.cancel(slot);
    else if (!core.cancel(slot)) {
      // Its blocks are on their way up from a lower tier: it can be taken out after a pass.
      this.commands.push(() => this.takeOut(request));
      return;
    }
    this.end(request, 'cancelled');
  }

  private enter(prompt: Prompt, sink: HandoverSink, start: (request: InService) => void): Ticket {
    const ticket = this.nextTicket++;
    const request: InService = { ticket, slot: -1, sink, phase: 'entered' };
    this.byTicket.set(ticket, request);
    this.between(() => {
      if (!this.byTicket.has(ticket)) return;
      const { tokens, outputTokens, output } = prompt;
      request.slot = this.slots.claim();
      this.bySlot.set(request.slot, request);
      this.log.clear(request.slot);
      this.blocks.enter(request.slot, {
        inputTokens: tokens.length,
        hashLow: NO_HASHES,
        hashHigh: NO_HASHES,
        hashCount: 0,
        sharedHashes: 0,
        tokens,
        plannedOutput: output,
      });
      this.requests.enter(request.slot, tokens.length, outputTokens);
      start(request);
    });
    return ticket;
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle.push(resolve);
      this.noteIdle();
    });
  }

  private end(request: InService, why: EndKind): void {
    const { ticket, slot, sink } = request;
    this.byTicket.delete(ticket);
    this.bySlot.delete(slot);
    this.blocks.leave(slot);
    this.slots.release(slot);
    sink.ended(ticket, why, this.clock.nowMs);
    this.noteIdle();
  }

  private noteIdle(): void {
    if (this.byTicket.size > 0) return;
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  // ---- Passes ------------------------------------------------------------------------------------------------

  /** Does something between two passes: soon, or when the pass under way has ended. */
  private between(command: () => void): void {
    this.commands.push(command);
    if (!this.isBusy) this.clock.wakeAt(this.clock.nowMs, this.wake);
  }

  /** Holds passes back until `resume`. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.between(() => {});
  }

  private readonly wake = (): void => {
    let startMs = this.clock.nowMs;
    if (this.isBusy) {
      if (startMs < this.endMs - NEAR_MS) {
        this.clock.wakeAt(this.endMs, this.wake);
        return;
      }
      // The next pass begins where this one ends, whenever the machine gets round to it.
      startMs = this.endMs;
      this.isBusy = false;
      this.endPass();
    }
    for (const command of this.commands.splice(0)) command();
    this.grantRoom();
    this.startPass(startMs);
  };

  /** Gives blocks to requests that wait for them, while there are some. */
  private grantRoom(): void {
    const { destinations } = this.core;
    for (let slot = destinations.retry(); slot >= 0; slot = destinations.retry()) {
      const request = this.bySlot.get(slot);
      request?.sink.reserved?.(request.ticket, destinations.transferTokens);
    }
    this.tellLoad();
  }

  private startPass(startMs: number): void {
    const { core } = this;
    if (this.isPaused || core.requestCount === 0) return;
    const endMs = core.execute(startMs);
    this.watch.published();
    core.settle(endMs);
    const mayGoOn = core.lockstep?.passed() ?? false;
    // A pass that could do nothing is tried again when something comes.
    if (!core.madeProgress && !mayGoOn && endMs <= startMs) return;
    this.isBusy = true;
    this.endMs = endMs;
    if (endMs > this.clock.nowMs) this.clock.wakeAt(endMs, this.wake);
    else setImmediate(this.wake);
  }

  /** Tells what came of the pass that has ended. */
  private endPass(): void {
    const { core, watch } = this;
    if (core.requestCount === 0) core.lockstep?.rested();
    core.publishEvents(this.endMs);
    watch.published();
    core.meter.end();
    watch.passEnded(core.meter.last);
    for (const slot of this.log.told.splice(0)) {
      const request = this.bySlot.get(slot);
      request?.sink.token(request.ticket, this.endMs);
    }
    this.signals = core.signals.splice(0);
    for (const { slot, kind } of this.signals) this.hear(slot, kind);
  }

  private hear(slot: number, kind: EngineSignal['kind']): void {
    const request = this.bySlot.get(slot);
    if (!request || kind === 'firstToken') return;
    if (kind !== 'held') {
      this.end(request, kind === 'rejected' ? 'rejected' : 'completed');
      return;
    }
    request.phase = 'held';
    if (request.sink.held) request.sink.held(request.ticket);
    else this.release(request.ticket);
  }

  private tellLoad(): void {
    const { activeBlocks } = this.core.cache;
    if (activeBlocks === this.activeBlocks) return;
    this.activeBlocks = activeBlocks;
    this.watch.loaded(activeBlocks);
  }
}

const NO_HASHES = new Uint32Array(0);
/** The least lag of a timer that is worth another one. */
const NEAR_MS = 0.5;

import type { PassClock } from '../../timing/pass-clock.js';
import { Destinations } from '../destinations.js';
import {
  type CacheUse,
  type EngineSignal,
  type FleetCore,
  StallError,
  type StuckRequest,
} from '../engine-core.js';
import { EngineLoad, type Lack } from '../engine-load.js';
import type { BlockPool } from '../kv/block-pool.js';
import type { EventQueue } from '../kv/event-queue.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { PassMeter } from '../pass-meter.js';
import type { GapSink, RequestLog } from '../request-log.js';
import { PREEMPTED, RUNNING, type SchedulerRequests, WAITING } from '../requests.js';
import { Admission, REJECT, WAIT } from './admission.js';
import { Bursts } from './bursts.js';
import { DecodeGroup } from './decode-group.js';
import { VllmDestinationHost } from './destination-host.js';
import { explainStuck } from './diagnosis.js';
import { Emission } from './emission.js';
import { GrowingStretch } from './growing-stretch.js';
import { Holdings } from './holdings.js';
import { BLOCKED_BY_OFFLOAD, type Offloading, PARKED } from './offloading.js';
import type { VllmOptions } from './options.js';
import { Pass } from './pass.js';
import { EvenStretch, type Stretch } from './stretch.js';
import { WaitingLine } from './waiting-line.js';

/** Outcomes of giving a request its share of a pass. */
const SCHEDULED = 0;
const BLOCKED = 1;
const SELF_PREEMPTED = 2;
/** Waits for blocks on their way to a lower tier since an earlier pass. */
const SKIPPED = 3;

/** Preemptions without a token in between after which the scheduler counts as stuck. */
const MAX_FRUITLESS_PREEMPTIONS = 10_000;

/** The tables that the schedulers of one pool share. */
export interface VllmTables {
  requests: SchedulerRequests;
  blocks: PromptBlocks;
  log: RequestLog;
  gaps: GapSink;
}

/**
 * The scheduler of vLLM and of TensorRT-LLM (guaranteed no evict), as `scheduler/vllm/core.rs` of the reference has it:
 * running requests first, in order, then the waiting queue, first in first out, under one token budget a pass.
 *
 * `running` begins with the decode group, whose members are advanced together; whoever needs them one by one (a
 * preemption, a short budget) dissolves the group first, and they join again when they have emitted.
 */
export class VllmScheduler implements FleetCore {
  madeProgress = false;

  readonly waiting: WaitingLine;
  readonly running: number[] = [];
  readonly group: DecodeGroup;
  private readonly emission: Emission;
  private readonly stretch: Stretch;
  readonly destinations: Destinations;
  private readonly bursts: Bursts | undefined;
  private readonly requests: SchedulerRequests;
  private readonly holdings: Holdings;
  private readonly admission: Admission;
  private readonly log: RequestLog;

  private readonly pass: Pass;
  private nextOrder = 0;
  private preemptedAny = false;
  /** Whether prompts must not begin in this pass, since others decode, and whether one was left over when they could. */
  private defersPrompts = false;
  private leftPrompts = false;
  private groupIsScheduled = false;
  private admissions = 0;
  private passStartMs = 0;
  private fruitlessPreemptions = 0;
  private readonly rejected: number[] = [];
  private readonly finished: number[] = [];
  /** Requests in the middle of their prompt that get nothing of this pass. */
  private readonly starved: number[] = [];
  readonly load = new EngineLoad();
  readonly meter = new PassMeter();
  private readyCount = 0;
  /** Committed passes of the stretch under way, and when the first of them began. */
  private readonly uncharged = { passes: 0, sinceMs: 0 };

  constructor(
    readonly options: VllmOptions,
    readonly pool: BlockPool,
    readonly clock: PassClock,
    tables: VllmTables,
    private readonly offloading?: Offloading,
    /** What the pool tells, kept back until the end of the pass; the pool's own listener where it is told at once. */
    private readonly events?: EventQueue,
  ) {
    this.requests = tables.requests;
    this.pass = new Pass(
      tables.requests,
      options.workerType === 'decode',
      options.workerType === 'aggregated' && options.rules.promptsEmit(options.acceptRates !== undefined),
    );
    this.holdings = new Holdings(options, pool, tables.requests, tables.blocks);
    this.admission = new Admission(options, pool, tables.requests, tables.blocks, this.holdings);
    this.log = tables.log;
    this.waiting = new WaitingLine(
      tables.requests,
      this.holdings,
      offloading,
      options.workerType === 'decode',
    );
    this.destinations = new Destinations(
      new VllmDestinationHost(
        options,
        pool,
        tables.requests,
        this.holdings,
        this.admission,
        this.waiting,
        () => this.hasRoom(),
      ),
    );
    this.group = new DecodeGroup(options.blockTokens);
    this.emission = new Emission(this, tables.requests, this.holdings, tables.log, tables.gaps);
    const { rules } = options;
    this.stretch = rules.passesDiffer
      ? new GrowingStretch(this, pool, clock, tables.gaps, !options.isWatched)
      : new EvenStretch(this, pool, clock, tables.gaps, !options.isWatched, options.workerType === 'prefill');
    options.turns?.join(this);
    if (options.acceptRates)
      this.bursts = new Bursts(
        this,
        options,
        options.acceptRates,
        pool,
        clock,
        this.requests,
        this.holdings,
        this.log,
        tables.gaps,
        this.emission,
        this.pass,
      );
  }

  get signals(): EngineSignal[] {
    return this.emission.signals;
  }

  get cache(): CacheUse {
    const { capacity, active, peak, evicted } = this.pool;
    return { blocks: capacity, activeBlocks: active, peakBlocks: peak, evictedBlocks: evicted };
  }

  get lockstep() {
    return this.options.turns;
  }

  get requestCount(): number {
    return this.waiting.size + this.running.length + (this.offloading?.parked ?? 0);
  }

  get waitingCount(): number {
    return this.waiting.size + (this.offloading?.parked ?? 0);
  }

  get keptCount(): number {
    return this.emission.heldCount + this.destinations.pending + this.destinations.reserved;
  }

  receive(slot: number): void {
    this.admission.clampOutput(slot);
    this.offloading?.enter(slot);
    this.waiting.enter(slot);
    this.waiting.pushBack(slot);
  }

  get wantsArrivals(): boolean {
    return this.waiting.size === 0 && this.running.length < this.options.maxSequences;
  }

  cachedTokens(slot: number): number {
    return this.admission.leadingHits(slot) * this.options.blockTokens;
  }

  /** Whether another request may run at all. */
  private hasRoom(): boolean {
    return this.running.length + (this.offloading?.parked ?? 0) < this.options.maxSequences;
  }

  cancel(slot: number): boolean {
    const { waiting, running, holdings } = this;
    this.stretch.drop();
    if (waiting.has(slot)) {
      waiting.remove(slot);
      if (!this.hasPrompt(slot)) return true;
      this.keepPromise(slot);
      holdings.begin(slot);
    } else {
      if (!running.includes(slot)) return false;
      this.groupIsScheduled = false;
      this.dissolveGroup();
      running.splice(running.indexOf(slot), 1);
    }
    holdings.release(slot);
    this.released();
    return true;
  }

  releaseHeld(slot: number): void {
    this.emission.heldCount--;
    this.holdings.free(slot);
    this.released();
  }

  private nextWaiting(): number {
    return this.waiting.next(this.destinations.pending > 0);
  }

  /** Whether a waiting request came with its prompt computed. */
  private hasPrompt(slot: number): boolean {
    return this.requests.computed[slot] > 0;
  }

  // ---- Uneventful passes -------------------------------------------------------------------------------------

  get lastStartMs(): number {
    return this.stretch.lastStartMs;
  }

  plan(nowMs: number, limitMs: number): number {
    const { group, running, waiting, options } = this;
    const isSteady =
      group.size > 0 &&
      group.size === running.length &&
      group.size < options.maxBatchedTokens &&
      (waiting.size === 0 || running.length >= options.maxSequences || this.nextWaiting() < 0);
    return isSteady ? this.stretch.plan(nowMs, limitMs) : -1;
  }

  shorten(limitMs: number): number {
    return this.stretch.shorten(limitMs);
  }

  commit(untilMs: number): number {
    const { stretch, emission, load, group } = this;
    const { firstEndMs, startMs: sinceMs } = stretch;
    const passes = stretch.commit(untilMs);
    this.chargeWait(passes, sinceMs);
    if (passes === 0) return 0;
    emission.markSecondTokens(firstEndMs);
    load.passes += passes;
    load.sequences = this.running.length;
    load.decodeSteps += passes * group.size;
    load.sequenceSteps += passes * group.size;
    if (this.meter.isOn) this.measureStretch(passes);
    this.madeProgress = true;
    emission.lastEmitMs = stretch.startMs;
    emission.endGroupMembers(stretch.startMs);
    return passes;
  }

  /** Charges what requests wait during a stretch when all of it has happened, in however many pieces. */
  private chargeWait(passes: number, sinceMs: number): void {
    const { stretch, load, waitingCount, uncharged } = this;
    if (uncharged.passes === 0) uncharged.sinceMs = sinceMs;
    uncharged.passes += passes;
    if (stretch.passes > 0 || uncharged.passes === 0) return;
    if (load.waiting + waitingCount > 0) {
      const lack = this.lackOfHead(uncharged.passes);
      load.noteWait(lack, uncharged.passes, stretch.startMs - uncharged.sinceMs, waitingCount);
    }
    uncharged.passes = 0;
  }

  private measureStretch(passes: number): void {
    const { group, meter, stretch, waiting } = this;
    const { last } = meter;
    meter.addRun(passes, group.size);
    last.startMs = stretch.lastCommittedMs;
    last.endMs = stretch.startMs;
    last.prefillRequests = 0;
    last.prefillTokens = 0;
    last.prefillCachedTokens = 0;
    last.decodeRequests = group.size;
    last.decodeTokens = group.lengthSum - group.size;
    waiting.measure(last, last.startMs);
    this.destinations.measure(last, this.requests.receivedMs, last.startMs);
  }

  /** What the head of the queue lacks to run, in some passes. */
  private lackOfHead(passes: number): Lack {
    if (!this.hasRoom()) return 'sequences';
    const { options, pool, waiting } = this;
    const freeTokens = (options.gpuBlocks - pool.active) * options.blockTokens;
    if (waiting.hasShorterThan(freeTokens)) this.load.blockedHeads += passes;
    return 'blocks';
  }

  /** Blocks taken by the group outside `execute`. */
  noteGroupBlocks(blocks: number): void {
    this.holdings.held += blocks;
  }

  // ---- One pass ----------------------------------------------------------------------------------------------

  execute(nowMs: number): number {
    this.stretch.drop();
    this.passStartMs = nowMs;
    this.pass.begin(this.options.maxBatchedTokens);
    this.admissions = 0;
    this.preemptedAny = false;
    this.groupIsScheduled = false;
    if (this.offloading) this.welcomeOnboarded(this.offloading.advance(nowMs));
    this.defersPrompts = this.mustDeferPrompts();
    const goesOn = this.scheduleRunning();
    const lack = goesOn && !this.preemptedAny ? this.admitWaiting(nowMs) : 'blocks';
    if (!this.defersPrompts && !this.preemptedAny) this.leftPrompts = this.waiting.size > 0;
    const prefillMs = this.pass.prefillMs(this.clock);
    const decodeStart = nowMs + prefillMs;
    const { load } = this;
    load.lastCommittedTokens = this.pass.committedTokens;
    load.committedTokens += load.lastCommittedTokens;
    const end = this.decodeFrom(decodeStart);
    load.passes++;
    load.sequences = this.running.length;
    load.decodeSteps += this.readyCount;
    load.sequenceSteps += this.running.length;
    load.prefillMs += prefillMs;
    load.prefillTokens += this.pass.newPromptTokens;
    load.waiting = this.waitingCount;
    if (lack && this.waiting.size > 0) load.noteWait(lack, 1, end - nowMs, load.waiting);
    this.madeProgress =
      end > nowMs ||
      this.admissions > 0 ||
      this.pass.any ||
      this.readyCount > 0 ||
      this.rejected.length > 0 ||
      this.finished.length > 0;
    if (this.meter.isOn) this.measure(nowMs);
    if (this.madeProgress || !this.offloading) return end;
    return this.awaitTransfer(nowMs, this.offloading.nextMs);
  }

  private measure(nowMs: number): void {
    const { meter, pass, group, running, requests } = this;
    const { current } = meter;
    meter.begin();
    current.startMs = nowMs;
    current.prefillRequests = 0;
    current.prefillTokens = 0;
    current.prefillCachedTokens = 0;
    current.decodeRequests = this.groupIsScheduled ? group.size : 0;
    current.decodeTokens = this.groupIsScheduled ? group.lengthSum : 0;
    for (let i = group.size; i < running.length; i++) pass.measure(running[i], current);
    this.waiting.measure(current, nowMs);
    this.destinations.measure(current, requests.receivedMs, nowMs);
  }

  /** Requests whose blocks have come up from lower tiers are admitted before all others. */
  private welcomeOnboarded(slots: readonly number[]): void {
    for (const slot of slots.toReversed()) this.waiting.pushFront(slot);
  }

  /** A pass that finds nothing to do waits for the next transfer between tiers. */
  private awaitTransfer(nowMs: number, nextMs: number): number {
    if (nextMs === Number.POSITIVE_INFINITY) return nowMs;
    this.madeProgress = true;
    return Math.max(nowMs, nextMs);
  }

  /** Whether it is not the turn of prompts, none was left over, and something else can run. */
  private mustDeferPrompts(): boolean {
    const { turns } = this.options;
    if (!turns || turns.isOpen || this.leftPrompts) return false;
    return this.group.size > 0 || this.running.some((slot) => this.isPastPrompt(slot));
  }

  private isPastPrompt(slot: number): boolean {
    const { computed, allocated, promptTokens } = this.requests;
    return computed[slot] >= promptTokens[slot] && allocated[slot] >= promptTokens[slot];
  }

  /** @returns false when a request is blocked by blocks on their way to a lower tier */
  private scheduleRunning(): boolean {
    const { group, pool, running } = this;
    let i = 0;
    if (group.size > 0) {
      const due = group.blocksDue;
      if (group.size <= this.pass.budget && due <= pool.headroom) {
        pool.take(due);
        this.holdings.held += due;
        this.pass.budget -= group.size;
        this.groupIsScheduled = true;
        this.pass.any = true;
        i = group.size;
      } else this.dissolveGroup();
    }
    while (i < running.length && this.pass.budget > 0) {
      if (this.defersPrompts && !this.isPastPrompt(running[i])) {
        i++;
        continue;
      }
      const outcome = this.schedule(running[i], false, 0);
      if (outcome === SCHEDULED || outcome === SKIPPED) i++;
      else if (outcome === BLOCKED) return !pool.isBlocked;
    }
    for (; i < running.length; i++) if (this.isInPrompt(running[i])) this.starved.push(running[i]);
    return true;
  }

  /** Whether a running request has no token yet since its prompt is not all computed. */
  private isInPrompt(slot: number): boolean {
    const { requests, log } = this;
    return requests.computed[slot] < requests.promptTokens[slot] && log.emittedTokens[slot] === 0;
  }

  /** @returns what the first one lacks that has to wait on */
  private admitWaiting(nowMs: number): Lack | undefined {
    const { waiting } = this;
    while (!this.preemptedAny && waiting.size > 0) {
      const slot = this.hasRoom() ? this.nextWaiting() : -1;
      if (slot < 0) return this.lackOfHead(1);
      const decision = this.admission.decide(slot);
      if (decision === REJECT) {
        this.reject(slot);
        continue;
      }
      if (decision === WAIT) {
        const lack = this.lackOfHead(1);
        waiting.makeHeadWait();
        return lack;
      }
      if (this.defersPrompts && this.hasPromptToCompute(slot)) return 'tokens';
      const onboarding = this.onboard(slot);
      if (onboarding === BLOCKED_BY_OFFLOAD) return 'blocks';
      if (onboarding === PARKED) continue;
      const cached = this.admission.hitTokens;
      const before = this.pass.budget;
      const outcome = this.schedule(slot, true, cached);
      if (outcome !== SCHEDULED) return 'tokens';
      this.admissions++;
      this.log.admitted(slot, nowMs, cached);
      if (this.pass.budget === before && this.pass.budget === 0) return 'tokens';
    }
    return this.preemptedAny ? 'blocks' : undefined;
  }

  /** Whether more of a waiting request is left to compute than its last token. */
  private hasPromptToCompute(slot: number): boolean {
    const { length, computed } = this.requests;
    return length[slot] - computed[slot] - this.admission.hitTokens > 1;
  }

  /** Brings up what lower tiers have of a request that has not run yet. */
  private onboard(slot: number): number {
    const { offloading, requests, waiting } = this;
    if (!offloading || requests.status[slot] !== WAITING || this.hasPrompt(slot)) return 0;
    const outcome = offloading.onboard(slot, this.admission.leadingHits(slot));
    if (outcome === PARKED) waiting.remove(slot);
    return outcome;
  }

  private reject(slot: number): void {
    this.waiting.remove(slot);
    this.rejected.push(slot);
    if (!this.hasPrompt(slot)) return;
    this.holdings.free(slot);
    this.destinations.capacityChanged();
  }

  /** Gives a request tokens of this pass and the blocks for them, preempting others where it must. */
  private schedule(slot: number, fromWaiting: boolean, cachedTokens: number): number {
    const { requests, options } = this;
    const { blockTokens } = options;
    if (this.offloading?.mustWait(slot)) return SKIPPED;
    const length = requests.length[slot];
    const prompt = requests.promptTokens[slot];
    let cached = cachedTokens;
    if (!fromWaiting && requests.computed[slot] === 0) {
      this.admission.lookUp(slot, requests.remaining(slot));
      cached = this.admission.hitTokens;
    }
    const cameWithPrompt = fromWaiting && this.hasPrompt(slot);
    const before = requests.computed[slot] + cached;
    const promptBefore = Math.min(before, prompt);
    const promptLeft = prompt - promptBefore;
    const known = Math.max(0, length - before);
    if (promptLeft > 0 && !options.chunkedPrefill && promptLeft > this.pass.budget) return BLOCKED;
    const want = Math.min(known, this.pass.budget);
    if (want === 0 && known > 0) return BLOCKED;
    let after = before + want;
    while (after > requests.allocated[slot]) {
      if (this.holdings.allocate(slot, after, cached / blockTokens)) break;
      if (this.pool.isBlocked) {
        this.offloading?.note(slot);
        return BLOCKED;
      }
      const victim = this.preempt();
      if (victim < 0) {
        after = before;
        break;
      }
      if (victim === slot) return SELF_PREEMPTED;
    }
    const used = after - before;
    if (used === 0 && after < length) return BLOCKED;
    requests.computed[slot] = after;
    this.holdings.publishComputed(slot, before, after);
    this.pass.record(slot, used, promptBefore, Math.max(0, Math.min(after, prompt) - promptBefore));
    if (cameWithPrompt) this.keepPromise(slot);
    if (fromWaiting) this.startRunning(slot);
    this.pass.budget -= used;
    return SCHEDULED;
  }

  private startRunning(slot: number): void {
    const { requests } = this;
    this.waiting.remove(slot);
    requests.status[slot] = RUNNING;
    requests.order[slot] = this.nextOrder++;
    this.running.push(slot);
    this.holdings.begin(slot);
  }

  /** A request that came with its prompt takes what it was promised. */
  private keepPromise(slot: number): void {
    if (this.options.policy === 'trtllm') this.holdings.promised -= this.holdings.growth(slot);
  }

  /** Takes the blocks of a running request away. @returns the victim, or -1 where nobody may be preempted */
  preempt(): number {
    if (this.options.policy === 'trtllm') return -1;
    this.dissolveGroup();
    const { running, requests } = this;
    if (running.length === 0) return -1;
    const victim = this.options.preemption === 'lifo' ? running.pop()! : running.shift()!;
    this.pass.undo(victim);
    this.holdings.nameLost(victim);
    this.holdings.release(victim);
    requests.computed[victim] = 0;
    requests.allocated[victim] = 0;
    requests.status[victim] = PREEMPTED;
    this.log.preempted(victim, this.passStartMs);
    this.load.preemptions++;
    this.waiting.pushFront(victim);
    if (++this.fruitlessPreemptions > MAX_FRUITLESS_PREEMPTIONS) throw new StallError();
    this.destinations.capacityChanged();
    this.preemptedAny = true;
    return victim;
  }

  /** Makes every member of the group a request like any other again. */
  private dissolveGroup(): void {
    const { group, requests, log } = this;
    if (group.size === 0) return;
    const wasScheduled = this.groupIsScheduled;
    const { lastEmitMs } = this.emission;
    group.dissolve(requests.length, (slot, length) => {
      requests.length[slot] = length;
      requests.computed[slot] = wasScheduled ? length : length - 1;
      requests.allocated[slot] = requests.computed[slot];
      log.lastTokenMs[slot] = lastEmitMs;
      log.emittedTokens[slot] = length - requests.promptTokens[slot];
      if (!wasScheduled) return;
      this.pass.note(slot, 1, 0, 0);
    });
    this.groupIsScheduled = false;
  }

  // ---- Emission ----------------------------------------------------------------------------------------------

  /** Finds who emits in this pass, ends requests that want no token, and adds the decode time. */
  private decodeFrom(startMs: number): number {
    this.endTokenless();
    const { requests, running, group, options } = this;
    const overheadMs = this.clock.overheadMs(running.length);
    if (this.bursts) {
      const end = this.bursts.prepare(startMs);
      this.readyCount = this.bursts.ready.length;
      return end > this.passStartMs ? end + overheadMs : end;
    }
    let ready = this.groupIsScheduled ? group.size : 0;
    let tokens = this.groupIsScheduled ? group.lengthSum : 0;
    let decoding = ready;
    /** Requests that decode although their prompt ends in this pass. */
    let firsts = 0;
    for (let i = group.size; i < running.length; i++) {
      const slot = running[i];
      const length = requests.length[slot];
      if (requests.computed[slot] < length) continue;
      ready++;
      if (this.pass.emits(slot)) continue;
      decoding++;
      tokens += length;
      if (this.clock.isFused && this.pass.endsPrompt(slot)) firsts++;
    }
    this.readyCount = ready;
    if (decoding === 0 || options.workerType === 'prefill')
      return startMs > this.passStartMs ? startMs + overheadMs : startMs;
    const decodeMs =
      this.clock.isFused && this.pass.hasPrompts
        ? this.pass.decodeBesideMs(this.clock, decoding - firsts, Math.floor(tokens / decoding))
        : options.rules.decodeMs(this.clock, decoding, tokens, this.pool.active);
    return startMs + (decodeMs + overheadMs);
  }

  private endTokenless(): void {
    const { requests, running, finished } = this;
    for (let i = this.group.size; i < running.length; i++) {
      const slot = running[i];
      if (requests.computed[slot] >= requests.length[slot] && requests.remaining(slot) === 0)
        finished.push(slot);
    }
    for (const slot of finished) {
      this.emission.letGo(slot);
      running.splice(running.indexOf(slot), 1);
    }
  }

  settle(endMs: number): void {
    const { emission, bursts } = this;
    let tokens = this.readyCount;
    if (this.starved.length > 0) this.noteStarved(endMs);
    emission.endTokenless(this.finished);
    if (this.readyCount > 0) {
      this.fruitlessPreemptions = 0;
      if (this.groupIsScheduled) emission.emitGroup(endMs);
      if (bursts) {
        const endedBefore = emission.signals.length;
        tokens = bursts.emit(endMs);
        emission.dropEnded(endedBefore);
      } else emission.emitSingles(endMs);
      emission.lastEmitMs = endMs;
    }
    emission.reject(this.rejected);
    this.meter.decided(endMs, this.readyCount, tokens);
  }

  private noteStarved(endMs: number): void {
    const { starved, requests, log } = this;
    for (const slot of starved)
      if (requests.status[slot] === RUNNING) log.chunkWaitMs[slot] += endMs - this.passStartMs;
    starved.length = 0;
  }

  /** Blocks of a request became free. */
  released(): void {
    this.destinations.capacityChanged();
  }

  // ---- Diagnosis ---------------------------------------------------------------------------------------------

  publishEvents(nowMs: number): void {
    this.events?.publish(nowMs);
  }

  diagnose(): StuckRequest[] {
    const { waiting, running, destinations } = this;
    const slots = [...running, ...waiting.slots, ...destinations.waitingSlots()];
    return slots.map((slot) => ({ slot, ...explainStuck(slot, this.requests, this.options) }));
  }

  check(): void {
    this.pool.check();
    const { running, group, pool, holdings } = this;
    if (group.size > running.length) throw new Error('the decode group is larger than the running list');
    if (holdings.held < 0) throw new Error(`requests hold ${holdings.held} blocks`);
    this.offloading?.check();
    if (this.requestCount + this.keptCount === 0 && pool.active !== pool.leaving)
      throw new Error(`${pool.active} blocks are in use though no request is there`);
  }
}

import type { PassClock } from '../../timing/pass-clock.js';
import { type DestinationHost, Destinations } from '../destinations.js';
import type { CacheUse, EngineSignal, FleetCore, StuckRequest } from '../engine-core.js';
import { EngineLoad } from '../engine-load.js';
import type { KvEventSink } from '../kv/block-pool.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { PassMeter, type PassMetrics } from '../pass-meter.js';
import type { GapSink, RequestLog } from '../request-log.js';
import { PREEMPTED, RUNNING, type SchedulerRequests } from '../requests.js';
import { Speculation } from '../speculation.js';
import { SglangAdmission } from './admission.js';
import { DecodeStep } from './decode-step.js';
import { explainStuck } from './diagnosis.js';
import { FirstTokens, type TokenSignals } from './first-tokens.js';
import { Leases } from './leases.js';
import type { SglangOptions } from './options.js';
import { longestPrefixFirst } from './policy.js';
import { DecodeStretch } from './stretch.js';
import { Tokens } from './tokens.js';

export interface SglangTables {
  requests: SchedulerRequests;
  blocks: PromptBlocks;
  log: RequestLog;
  gaps: GapSink;
  events: KvEventSink | undefined;
}

/** Idle passes in a row that count as effects because they lower the ratio. */
const MAX_IDLE_PASSES = 1023;

/**
 * The scheduler of SGLang (`scheduler/sglang/core.rs` of the reference): each pass prefills what its budgets admit.
 * Then it decodes one step for everything that runs, what was just prefilled included; or, by other rules, it gives
 * what was prefilled its first tokens, and only decodes when nothing was.
 */
export class SglangScheduler implements FleetCore, DestinationHost, TokenSignals {
  readonly signals: EngineSignal[] = [];
  madeProgress = false;
  private waiting: number[] = [];
  private running: number[] = [];
  /** Requests that came with their prompt computed and have not run yet. */
  private prebuilt: number[] = [];
  readonly destinations = new Destinations(this);
  /** Ended requests that keep their pages until those are released. */
  private heldCount = 0;
  private readonly leases: Leases;
  private readonly admission: SglangAdmission;
  private readonly stretch: DecodeStretch;
  private readonly speculation: Speculation | undefined;
  private readonly decodeStep: DecodeStep;
  private readonly firstTokens: FirstTokens;
  private readonly requests: SchedulerRequests;
  private readonly log: RequestLog;

  private readonly retracted: number[] = [];
  private readonly rejected: number[] = [];
  /** Requests that end with this pass. */
  private readonly done: number[] = [];
  /** Whether this pass gives first tokens only, and what it would be but for that: a decode step that emits. */
  private prefills = false;
  private emits = false;
  /** The ratio after the retractions of this pass, where it does not begin again. */
  private nextRatio: number | undefined;
  /** Waiting requests that are too long for the model, and idle passes in a row. */
  private tooLong = 0;
  private idlePasses = 0;
  private passStartMs = 0;
  /** A request in the middle of its prompt that gets nothing of this pass, or -1. */
  private starved = -1;
  /** The one that has got nothing since a time, or -1, and how long it had waited before. */
  private starving = -1;
  private starvedSinceMs = 0;
  private starvedMs = 0;
  readonly load = new EngineLoad();
  readonly meter = new PassMeter();
  /** Committed passes of the stretch under way, and when the first of them began. */
  private readonly uncharged = { passes: 0, sinceMs: 0 };

  constructor(
    private readonly options: SglangOptions,
    private readonly clock: PassClock,
    private readonly tables: SglangTables,
  ) {
    this.requests = tables.requests;
    this.log = tables.log;
    this.leases = new Leases(
      options.pageTokens,
      options.pages,
      tables.requests,
      tables.blocks,
      tables.events,
      options.prefixCaching,
    );
    const { requests, log, gaps } = tables;
    this.admission = new SglangAdmission(options, requests, log, this.leases, this.load);
    this.stretch = new DecodeStretch(requests, log, gaps, this.leases, clock, options.pageTokens);
    if (options.acceptRates)
      this.speculation = new Speculation(
        options.acceptRates,
        options.speculationSeed,
        options.workerType === 'prefill',
      );
    const tokens = new Tokens(requests, this.leases, log, gaps, options.pageTokens);
    this.firstTokens = new FirstTokens(requests, this.leases, tokens, this);
    options.pause?.join(this);
    this.decodeStep = new DecodeStep(requests, this.leases, tokens, clock, this.speculation, this, (slot) =>
      this.retract(slot),
    );
  }

  get cache(): CacheUse {
    const { active, peak, evicted } = this.leases;
    return { blocks: this.options.pages, activeBlocks: active, peakBlocks: peak, evictedBlocks: evicted };
  }

  get lockstep() {
    return this.options.pause;
  }

  get ratio() {
    return this.admission.ratio;
  }

  get isDecoding(): boolean {
    return this.running.length > 0;
  }

  get requestCount(): number {
    return this.waiting.length + this.prebuilt.length + this.running.length;
  }

  get waitingCount(): number {
    return this.waiting.length + this.prebuilt.length;
  }

  get keptCount(): number {
    return this.heldCount + this.destinations.pending + this.destinations.reserved;
  }

  receive(slot: number): void {
    this.limitOutput(slot);
    if (this.isTooLong(slot)) this.tooLong++;
    this.waiting.push(slot);
  }

  private isTooLong(slot: number): boolean {
    const { maxModelTokens } = this.options;
    const isTooLong = maxModelTokens !== undefined && this.requests.promptTokens[slot] >= maxModelTokens;
    return isTooLong || this.outgrows(slot);
  }

  /** Whether a request can never be served, and is to be refused for that; a page may be begun for its last token. */
  private outgrows(slot: number): boolean {
    const { rules, pages, pageTokens } = this.options;
    if (!rules.refusesOutgrowing) return false;
    const { promptTokens, maxOutputTokens } = this.requests;
    return promptTokens[slot] + maxOutputTokens[slot] + pageTokens > pages * pageTokens;
  }

  /** A request wants no more than the model can give. */
  private limitOutput(slot: number): void {
    const { promptTokens, maxOutputTokens } = this.requests;
    const { maxModelTokens } = this.options;
    if (maxModelTokens === undefined) return;
    maxOutputTokens[slot] = Math.min(maxOutputTokens[slot], Math.max(0, maxModelTokens - promptTokens[slot]));
  }

  cachedTokens(slot: number): number {
    const { blocks } = this.tables;
    return this.leases.cachedTokens(slot, blocks.counts[slot] * this.options.pageTokens);
  }

  fits(slot: number): boolean {
    this.limitOutput(slot);
    if (this.isTooLong(slot)) return false;
    return (
      this.leases.pageUp(this.requests.promptTokens[slot]) <= this.options.pages * this.options.pageTokens
    );
  }

  promptTokens(slot: number): number {
    return this.requests.promptTokens[slot];
  }

  hasRoom(): boolean {
    return true;
  }

  reserve(slot: number): number {
    const { requests, leases } = this;
    const prompt = requests.promptTokens[slot];
    const cached = leases.begin(slot, prompt, prompt);
    if (cached < 0) return -1;
    requests.allocated[slot] = this.leases.pageUp(prompt);
    return requests.allocated[slot] - cached;
  }

  activate(slot: number): boolean {
    const { requests, leases } = this;
    const availableBefore = leases.availableTokens;
    requests.computed[slot] = requests.promptTokens[slot];
    leases.cachePrefix(slot, requests.computed[slot]);
    this.prebuilt.push(slot);
    return leases.availableTokens > availableBefore;
  }

  giveUp(slot: number): void {
    this.leases.retract(slot);
  }

  cancel(slot: number): boolean {
    const { requests, leases } = this;
    const isOther = (other: number) => other !== slot;
    this.stretch.drop();
    this.waiting = this.waiting.filter(isOther);
    this.running = this.running.filter(isOther);
    this.prebuilt = this.prebuilt.filter(isOther);
    if (requests.computed[slot] > 0) {
      leases.cachePrefix(slot, requests.computed[slot]);
      leases.retract(slot);
    }
    this.destinations.capacityChanged();
    return true;
  }

  releaseHeld(slot: number): void {
    this.heldCount--;
    this.leases.finish(slot);
    this.destinations.capacityChanged();
  }

  get lastStartMs(): number {
    return this.stretch.lastStartMs;
  }

  get wantsArrivals(): boolean {
    return this.waiting.length === 0 || this.options.maxModelTokens !== undefined;
  }

  /** Whether requests that need prefill may be admitted. */
  private get mayPrefill(): boolean {
    return this.prebuilt.length === 0 && this.destinations.pending === 0 && this.pausedPasses === 0;
  }

  /** Passes from the next on in which nothing is prefilled. */
  private get pausedPasses(): number {
    return this.options.pause?.left ?? 0;
  }

  plan(nowMs: number, limitMs: number): number {
    const { options, running, waiting, prebuilt } = this;
    const isFull = running.length >= options.maxSequences;
    const isSteady = isFull || (prebuilt.length === 0 && (waiting.length === 0 || !this.mayPrefill));
    if (!options.plansAhead || running.length === 0 || this.speculation || this.tooLong > 0) return -1;
    if (!isSteady) return -1;
    // The router must hear of pages pass by pass, and the order of a queue may hang on the cache at each.
    const changesPages =
      this.tables.events === undefined && (waiting.length === 0 || !options.longestPrefixFirst);
    const most = waiting.length > 0 && !isFull && this.pausedPasses > 0 ? this.pausedPasses : Infinity;
    return this.stretch.plan(running, nowMs, { limitMs, most, changesPages });
  }

  shorten(limitMs: number): number {
    return this.stretch.shorten(limitMs);
  }

  commit(untilMs: number): number {
    const { stretch, running, options } = this;
    const sinceMs = stretch.startMs;
    const passes = stretch.commit(running, untilMs);
    this.chargeWait(passes, sinceMs);
    if (passes === 0) return 0;
    this.admission.ratio.lower(passes);
    options.pause?.decoded(passes);
    this.noteStretch(passes);
    this.noteStarved(this.begunInQueue(), sinceMs, stretch.startMs);
    this.madeProgress = true;
    return passes;
  }

  /** Charges what requests wait during a stretch when all of it has happened, in however many pieces. */
  private chargeWait(passes: number, sinceMs: number): void {
    const { stretch, load, waiting, uncharged } = this;
    if (uncharged.passes === 0) uncharged.sinceMs = sinceMs;
    uncharged.passes += passes;
    if (stretch.passes > 0 || uncharged.passes === 0) return;
    if (load.waiting + waiting.length > 0)
      load.noteWait('sequences', uncharged.passes, stretch.startMs - uncharged.sinceMs, waiting.length);
    uncharged.passes = 0;
  }

  private noteStretch(passes: number): void {
    const { running, load, meter, stretch } = this;
    load.passes += passes;
    load.sequences = running.length;
    load.decodeSteps += passes * running.length;
    load.sequenceSteps += passes * running.length;
    if (!meter.isOn) return;
    const { last } = meter;
    meter.addRun(passes, running.length);
    last.startMs = stretch.lastCommittedMs;
    last.endMs = stretch.startMs;
    last.prefillRequests = 0;
    last.prefillTokens = 0;
    last.prefillCachedTokens = 0;
    last.decodeRequests = running.length;
    last.decodeTokens = stretch.startTokens - running.length;
    this.measureQueue(last, last.startMs);
  }

  /** Sets what is queued, but for requests that came after a time. */
  private measureQueue(metrics: PassMetrics, untilMs: number): void {
    const { requests, tables, waiting, prebuilt, retracted } = this;
    metrics.queuedPrefillRequests = 0;
    metrics.queuedPrefillTokens = 0;
    metrics.queuedDecodeRequests = 0;
    metrics.queuedDecodeTokens = 0;
    for (const slot of waiting) {
      if (requests.receivedMs[slot] > untilMs) continue;
      if (tables.log.emittedTokens[slot] === 0) {
        metrics.queuedPrefillRequests++;
        metrics.queuedPrefillTokens += requests.promptTokens[slot];
      } else {
        metrics.queuedDecodeRequests++;
        metrics.queuedDecodeTokens += requests.length[slot];
      }
    }
    for (const slots of [prebuilt, retracted])
      for (const slot of slots) {
        metrics.queuedDecodeRequests++;
        metrics.queuedDecodeTokens += requests.length[slot];
      }
    this.destinations.measure(metrics, requests.receivedMs, untilMs);
  }

  /** A request, or -1 for none, got nothing of passes from one time to another; passes that follow count as one. */
  private noteStarved(slot: number, startMs: number, endMs: number): void {
    if (slot !== this.starving) {
      this.starving = slot;
      this.starvedMs = slot < 0 ? 0 : this.log.chunkWaitMs[slot];
      this.starvedSinceMs = startMs;
    }
    if (slot >= 0) this.log.chunkWaitMs[slot] = this.starvedMs + (endMs - this.starvedSinceMs);
  }

  /** The request at the head of the queue if it has no token yet but a part of its prompt, or -1. */
  private begunInQueue(): number {
    const { waiting, requests, log } = this;
    if (waiting.length === 0) return -1;
    const slot = waiting[0];
    return requests.computed[slot] > 0 && log.emittedTokens[slot] === 0 ? slot : -1;
  }

  execute(nowMs: number): number {
    this.stretch.drop();
    this.passStartMs = nowMs;
    this.done.length = 0;
    if (this.tooLong > 0) this.rejectTooLong();
    const promoted = this.promote(nowMs);
    if (this.options.longestPrefixFirst) this.orderByPrefix();
    const most = this.mayPrefill ? Math.max(0, this.options.maxSequences - this.running.length) : 0;
    const {
      slots: admitted,
      inputTokens,
      prefixTokens,
    } = this.admission.admit(this.waiting, this.running, most, nowMs);
    const prefillMs = this.prefillTime(admitted.length, inputTokens, prefixTokens);
    const decodeStart = nowMs + prefillMs;
    this.load.prefillMs += prefillMs;
    this.starved = this.begunInQueue();
    const runningBefore = this.running.length;
    for (const slot of admitted) this.place(slot);
    this.prefills = this.options.rules.prefillsApart && admitted.length > 0;
    const end = this.prefills
      ? this.prepareFirst(decodeStart, runningBefore, admitted.length)
      : this.prepareDecode(decodeStart, admitted.length);
    this.options.pause?.note(inputTokens > prefixTokens, this.emits);
    this.notePass(inputTokens - prefixTokens, end - nowMs);
    this.madeProgress =
      end > nowMs ||
      promoted + admitted.length > 0 ||
      this.done.length > 0 ||
      this.rejected.length > 0 ||
      this.emits;
    if (this.meter.isOn) this.measure(nowMs, admitted.length, inputTokens, prefixTokens);
    return end;
  }

  /** Counts what decodes, before any of it is retracted. */
  private measureDecode(slots: readonly number[]): void {
    const { requests, meter } = this;
    meter.current.decodeRequests = slots.length;
    meter.current.decodeTokens = 0;
    for (const slot of slots) meter.current.decodeTokens += requests.length[slot];
  }

  private measure(nowMs: number, prefills: number, inputTokens: number, prefixTokens: number): void {
    const { current } = this.meter;
    this.meter.begin();
    current.startMs = nowMs;
    current.prefillRequests = prefills;
    current.prefillTokens = inputTokens - prefixTokens;
    current.prefillCachedTokens = prefixTokens;
    this.measureQueue(current, nowMs);
  }

  /** Takes requests out of the queue whose prompt is too long for the model. */
  private rejectTooLong(): void {
    this.rejected.push(...this.waiting.filter((slot) => this.isTooLong(slot)));
    this.waiting = this.waiting.filter((slot) => !this.isTooLong(slot));
    this.tooLong = 0;
  }

  private notePass(promptTokens: number, lastsMs: number): void {
    const { load, running } = this;
    load.passes++;
    load.sequences = running.length;
    load.sequenceSteps += running.length;
    if (this.emits && !this.prefills) load.decodeSteps += running.length;
    load.prefillTokens += promptTokens;
    load.lastCommittedTokens = promptTokens;
    load.committedTokens += promptTokens;
    load.waiting = this.waiting.length;
    if (this.waiting.length === 0) return;
    const isFull = running.length >= this.options.maxSequences;
    load.noteWait(
      this.admission.lacksPages ? 'blocks' : isFull ? 'sequences' : 'tokens',
      1,
      lastsMs,
      load.waiting,
    );
  }

  /** Requests that came with their prompt begin to run. @returns how many */
  private promote(nowMs: number): number {
    const { running, prebuilt, requests, options } = this;
    const count = Math.min(prebuilt.length, options.maxSequences - running.length);
    for (const slot of prebuilt.splice(0, Math.max(0, count))) {
      requests.status[slot] = RUNNING;
      running.push(slot);
      this.log.admitted(slot, nowMs, 0);
    }
    return Math.max(0, count);
  }

  private orderByPrefix(): void {
    const { requests, tables, options, leases } = this;
    if (!options.prefixCaching) return;
    this.waiting = longestPrefixFirst(this.waiting, requests, tables.blocks, leases.tree, options.pageTokens);
  }

  private prefillTime(batch: number, inputTokens: number, prefixTokens: number): number {
    if (batch === 0 || this.options.workerType === 'decode') return 0;
    return this.clock.prefillMs(batch, Math.floor(inputTokens / batch), Math.floor(prefixTokens / batch));
  }

  /** A request whose prompt is complete runs; one in the middle of it goes back to the front of the queue. */
  private place(slot: number): void {
    const { requests, leases } = this;
    if (requests.computed[slot] < requests.length[slot]) {
      leases.cachePrefix(slot, requests.computed[slot]);
      this.waiting.unshift(slot);
    } else {
      requests.status[slot] = RUNNING;
      this.running.push(slot);
    }
  }

  /** Prepares a pass that gives first tokens only. @returns its end */
  private prepareFirst(startMs: number, runningBefore: number, prompts: number): number {
    const placed = this.running.slice(runningBefore);
    this.endTokenless(placed);
    if (this.meter.isOn) this.measureDecode([]);
    this.firstTokens.prepare(placed);
    this.emits = this.firstTokens.count > 0;
    return this.withOverhead(startMs, prompts);
  }

  /** Prepares a decode step for all that runs. @returns its end */
  private prepareDecode(startMs: number, prompts: number): number {
    this.endTokenless(this.running);
    if (this.meter.isOn) this.measureDecode(this.running);
    const end = this.decodeStep.prepare(startMs, this.running);
    this.emits = this.decodeStep.any;
    if (this.retracted.length > 0) this.nextRatio = this.ratioOfSurvivors();
    return this.emits ? end : this.withOverhead(end, prompts);
  }

  /** Adds the scheduler's own time to the end of a pass that only prefills; that of others has it already. */
  private withOverhead(endMs: number, prompts: number): number {
    return endMs > this.passStartMs ? endMs + this.clock.overheadMs(prompts) : endMs;
  }

  /** Ends requests that want no token at all. */
  private endTokenless(slots: readonly number[]): void {
    const { requests, done } = this;
    for (const slot of slots) if (requests.remaining(slot) === 0) done.push(slot);
    if (done.length > 0) this.running = this.running.filter((slot) => requests.remaining(slot) > 0);
  }

  /** Sends a request back to the queue. */
  private retract(slot: number): void {
    const { requests } = this;
    this.leases.retract(slot);
    requests.computed[slot] = 0;
    requests.allocated[slot] = 0;
    requests.status[slot] = PREEMPTED;
    this.log.preempted(slot, this.passStartMs);
    this.load.preemptions++;
    this.destinations.capacityChanged();
    this.retracted.push(slot);
  }

  private ratioOfSurvivors(): number | undefined {
    const { requests, running } = this;
    let outputTokens = 0;
    let maxOutputTokens = 0;
    for (const slot of running) {
      outputTokens += requests.length[slot] - requests.promptTokens[slot];
      maxOutputTokens += requests.maxOutputTokens[slot];
    }
    return this.options.rules.ratioAfterRetraction({ count: running.length, outputTokens, maxOutputTokens });
  }

  settle(endMs: number): void {
    const { requests, leases, options, done, rejected } = this;
    this.noteStarved(this.starved, this.passStartMs, endMs);
    for (const slot of done) this.signals.push({ slot, kind: this.endKind });
    const emitting = this.prefills ? this.firstTokens.count : this.emits ? this.running.length : 0;
    const tokens = emitting > 0 ? this.emit(endMs) : 0;
    if (options.workerType === 'prefill') this.heldCount += done.length;
    else for (const slot of done) leases.finish(slot);
    if (done.length > 0) {
      this.destinations.capacityChanged();
      this.running = this.running.filter((slot) => requests.remaining(slot) > 0);
    }
    if (rejected.length > 0)
      for (const slot of rejected.splice(0)) this.signals.push({ slot, kind: 'rejected' });
    this.settleRatio();
    this.meter.decided(endMs, emitting, tokens);
  }

  /** Emits the tokens of this pass. @returns how many */
  private emit(endMs: number): number {
    if (this.prefills) return this.firstTokens.settle(endMs);
    return this.decodeStep.settle(endMs, this.running);
  }

  /** Sends retracted requests back to the queue, and lets the ratio follow the pass. */
  private settleRatio(): void {
    const { retracted, admission, options } = this;
    const { ratio } = admission;
    if (retracted.length > 0) {
      options.rules.requeue(this.waiting, retracted);
      retracted.length = 0;
      if (this.nextRatio !== undefined) {
        ratio.value = this.nextRatio;
        return;
      }
      ratio.reset();
    }
    if (this.prefills || (this.pausedPasses > 0 && !this.emits)) return;
    const isLower = ratio.lower(1);
    this.idlePasses = this.madeProgress ? 0 : this.idlePasses + 1;
    if (options.rules.idlesToFloor && isLower && this.idlePasses <= MAX_IDLE_PASSES) this.madeProgress = true;
  }

  private get endKind(): 'held' | 'ended' {
    return this.options.workerType === 'prefill' ? 'held' : 'ended';
  }

  isSilent(slot: number): boolean {
    return this.log.emittedTokens[slot] === 0;
  }

  ended(slot: number): void {
    this.done.push(slot);
    this.signals.push({ slot, kind: this.endKind });
  }

  continued(slot: number, wasSilent: boolean): void {
    if (wasSilent) this.signals.push({ slot, kind: 'firstToken' });
  }

  publishEvents(nowMs: number): void {
    this.leases.publishEvents(nowMs);
  }

  diagnose(): StuckRequest[] {
    const slots = [...this.running, ...this.prebuilt, ...this.waiting, ...this.destinations.waitingSlots()];
    return slots.map((slot) => ({ slot, ...explainStuck(slot, this.requests, this.leases, this.options) }));
  }

  check(): void {
    this.leases.check();
  }
}

import type { EngineSignal } from '../engine-core.js';
import type { GapSink, RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';
import type { DecodeGroup } from './decode-group.js';
import type { Holdings } from './holdings.js';
import type { VllmOptions } from './options.js';

/** What emission needs of the scheduler. */
interface EmissionOwner {
  readonly options: VllmOptions;
  readonly group: DecodeGroup;
  readonly running: number[];
  /** Blocks of a request became free. */
  released(): void;
}

/** Tokens and ends of requests: of the decode group as a whole, of the others one by one. */
export class Emission {
  readonly signals: EngineSignal[] = [];
  /** When the last token of the group was emitted. */
  lastEmitMs = 0;
  /** Ended requests that keep their blocks until those are released. */
  heldCount = 0;
  private readonly endKind: 'held' | 'ended';

  constructor(
    private readonly owner: EmissionOwner,
    private readonly requests: SchedulerRequests,
    private readonly holdings: Holdings,
    private readonly log: RequestLog,
    private readonly gaps: GapSink,
  ) {
    this.endKind = owner.options.workerType === 'prefill' ? 'held' : 'ended';
  }

  emitGroup(endMs: number): void {
    const { group } = this.owner;
    this.gaps.addShared(Math.max(0, endMs - this.lastEmitMs), group.size);
    this.markSecondTokens(endMs);
    group.advance(1);
    this.endGroupMembers(endMs);
  }

  markSecondTokens(timeMs: number): void {
    const { awaitingSecond } = this.owner.group;
    if (awaitingSecond.length === 0) return;
    for (const slot of awaitingSecond) this.log.secondTokenMs[slot] = timeMs;
    awaitingSecond.length = 0;
  }

  endGroupMembers(endMs: number): void {
    const { requests, log } = this;
    const { group } = this.owner;
    const before = this.signals.length;
    for (let slot = group.popEnded(requests.length); slot >= 0; slot = group.popEnded(requests.length)) {
      requests.computed[slot] = requests.length[slot] - 1;
      requests.allocated[slot] = requests.computed[slot];
      log.lastTokenMs[slot] = endMs;
      log.emittedTokens[slot] = requests.length[slot] - requests.promptTokens[slot];
      this.finish(slot);
    }
    this.dropEnded(before);
  }

  /** Takes the requests out that ended since a place in the signals. */
  dropEnded(from: number): void {
    const { signals, owner } = this;
    const { running } = owner;
    for (let i = from; i < signals.length; i++)
      if (signals[i].kind === this.endKind) running.splice(running.indexOf(signals[i].slot), 1);
  }

  /** A request has all its tokens: its blocks are given back, or held where a decode worker will take them over. */
  finish(slot: number): void {
    this.letGo(slot);
    this.signals.push({ slot, kind: this.endKind });
  }

  letGo(slot: number): void {
    if (this.endKind === 'held') {
      this.heldCount++;
      this.holdings.retire(slot);
    } else this.holdings.release(slot);
    this.owner.released();
  }

  noteFirstToken(slot: number): void {
    this.signals.push({ slot, kind: 'firstToken' });
  }

  emitSingles(endMs: number): void {
    const { requests, log } = this;
    const { running, group, options } = this.owner;
    const endedBefore = this.signals.length;
    const end = running.length;
    let joins = options.groupsDecodes;
    for (let i = group.size; i < end; i++) {
      const slot = running[i];
      if (requests.computed[slot] < requests.length[slot]) {
        joins = false;
        continue;
      }
      log.token(slot, endMs, this.gaps);
      const length = ++requests.length[slot];
      const remaining = requests.remaining(slot);
      if (options.naming === 'emitted') this.holdings.nameEmitted(slot, length);
      if (remaining === 0) {
        this.finish(slot);
        continue;
      }
      if (log.emittedTokens[slot] === 1) this.noteFirstToken(slot);
      if (!joins) continue;
      if (log.emittedTokens[slot] === 1) group.awaitingSecond.push(slot);
      group.join(slot, length, remaining, requests.order[slot]);
      requests.length[slot] = length + remaining;
    }
    this.dropEnded(endedBefore);
  }

  /** Ends requests that wanted no token at all. */
  endTokenless(slots: number[]): void {
    if (slots.length === 0) return;
    for (const slot of slots) this.signals.push({ slot, kind: this.endKind });
    slots.length = 0;
  }

  reject(slots: number[]): void {
    if (slots.length === 0) return;
    for (const slot of slots) this.signals.push({ slot, kind: 'rejected' });
    slots.length = 0;
  }
}

import type { EngineLoad } from '../engine-load.js';
import type { RequestLog } from '../request-log.js';
import type { SchedulerRequests } from '../requests.js';
import type { Leases } from './leases.js';
import type { SglangOptions } from './options.js';
import { NewTokenRatio } from './ratio.js';

/** Requests behind the head of the queue that are looked at for one that would fit. */
const BEHIND_HEAD = 8;

interface Admitted {
  slots: number[];
  /** Tokens of their prompts up to the end of what this pass computes, and those of them that need no computing. */
  inputTokens: number;
  prefixTokens: number;
}

/** Which waiting requests a pass prefills, and the part of outstanding output that it keeps room for. */
export class SglangAdmission {
  /** Whether the head of the queue found too few pages in the last pass. */
  lacksPages = false;
  readonly ratio: NewTokenRatio;

  constructor(
    private readonly options: SglangOptions,
    private readonly requests: SchedulerRequests,
    private readonly log: RequestLog,
    private readonly leases: Leases,
    private readonly load: EngineLoad,
  ) {
    this.ratio = new NewTokenRatio(options.conservativeness);
  }

  /** Takes from the front of the queue what the budgets allow, at most `most` requests and one of them in part. */
  admit(waiting: number[], running: readonly number[], most: number, nowMs: number): Admitted {
    const { options, requests, leases } = this;
    const { chunkedPrefillTokens, clipMaxNewTokens, pageTokens, rules } = options;
    const slots: number[] = [];
    let inputTokens = 0;
    let prefixTokens = 0;
    let total = leases.availableTokens + leases.evictableTokens - this.reservedOutput(running);
    let prefillBudget = options.maxPrefillTokens;
    const chunkBudget = { left: chunkedPrefillTokens, full: chunkedPrefillTokens };
    this.lacksPages = false;
    while (slots.length < most && waiting.length > 0) {
      const slot = waiting[0];
      const begun = requests.computed[slot];
      const start = begun === 0 && rules.hitsAreFree ? this.cachedStart(slot) : begun;
      const rest = Math.max(0, requests.length[slot] - start);
      if (rest === 0 && begun > 0) break;
      const chunk = rules.chunk(rest, chunkBudget, pageTokens);
      if (chunk < 0) break;
      const charge = leases.pageUp(chunk);
      const output = chunk < rest ? 0 : Math.min(requests.remaining(slot), clipMaxNewTokens);
      if (charge + output >= total) {
        this.noteShortage(waiting, total);
        break;
      }
      if (charge > prefillBudget || charge > chunkBudget.left) break;
      const prefix = this.lease(slot, start, start + chunk);
      if (prefix < 0) {
        this.noteShortage(waiting, 0);
        break;
      }
      waiting.shift();
      if (begun === 0 || rules.chunksAreAdmissions) this.log.admitted(slot, nowMs, prefix);
      inputTokens += requests.computed[slot];
      prefixTokens += prefix;
      total -= charge + output;
      prefillBudget -= charge;
      chunkBudget.left -= charge;
      slots.push(slot);
      if (chunkBudget.left <= 0) break;
    }
    return { slots, inputTokens, prefixTokens };
  }

  /** Output tokens that running requests may still need, scaled by the ratio. */
  private reservedOutput(running: readonly number[]): number {
    const { requests, options } = this;
    let reserve = 0;
    for (const slot of running)
      reserve += Math.min(requests.remaining(slot), options.clipMaxNewTokens) * this.ratio.value;
    return reserve;
  }

  /** Tokens of a request that the cache has, but for the last one, which a request that wants output computes. */
  private cachedStart(slot: number): number {
    const { requests, leases } = this;
    const length = requests.length[slot];
    return leases.cachedTokens(slot, requests.maxOutputTokens[slot] === 0 ? length : length - 1);
  }

  /**
   * Gets pages up to `end` tokens.
   * @param start where the chunk begins
   * @returns tokens that need no computing, or -1 when pages are short
   */
  private lease(slot: number, start: number, end: number): number {
    const { requests, leases, options } = this;
    const known = requests.computed[slot];
    let prefix = known;
    if (known > 0) {
      const pages = Math.max(0, leases.pageUp(end) - requests.allocated[slot]) / options.pageTokens;
      if (!leases.extend(slot, pages, end)) return -1;
    } else {
      prefix = leases.allocate(slot, end, options.rules.hitsAreFree ? start : end);
      if (prefix < 0) return -1;
    }
    requests.computed[slot] = end;
    requests.allocated[slot] = leases.pageUp(end);
    return prefix;
  }

  /** The head of the queue needs more than these tokens of the pool. */
  private noteShortage(waiting: readonly number[], tokens: number): void {
    const { requests, leases, load } = this;
    this.lacksPages = true;
    for (let i = 1; i < Math.min(waiting.length, BEHIND_HEAD + 1); i++)
      if (leases.pageUp(requests.length[waiting[i]]) + requests.remaining(waiting[i]) < tokens) {
        load.blockedHeads++;
        return;
      }
  }
}

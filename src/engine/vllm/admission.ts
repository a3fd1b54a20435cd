import type { BlockPool } from '../kv/block-pool.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { type SchedulerRequests, WAITING } from '../requests.js';
import type { Holdings } from './holdings.js';
import type { VllmOptions } from './options.js';

/** Outcomes of looking at the head of the waiting queue. */
const ADMIT = 0;
export const WAIT = 1;
export const REJECT = 2;

/** Decides whether the head of the queue may run, and finds what the cache holds of a request. Counts are tokens. */
export class Admission {
  /** Leading tokens that the last `lookUp` found in the cache, and those in blocks in use. */
  hitTokens = 0;
  private activeHitTokens = 0;

  constructor(
    private readonly options: VllmOptions,
    private readonly pool: BlockPool,
    private readonly requests: SchedulerRequests,
    private readonly blocks: PromptBlocks,
    private readonly holdings: Holdings,
  ) {}

  /**
   * Decides about the head of the queue, leaving its cache hits in `hitTokens`. A request that came with its prompt
   * computed has its blocks already.
   */
  decide(slot: number): number {
    const { options, requests, pool } = this;
    const { blockTokens, gpuBlocks } = options;
    const prompt = requests.promptTokens[slot];
    const length = requests.length[slot];
    const isVllm = options.policy === 'vllm';
    if (options.maxModelTokens !== undefined && prompt >= options.maxModelTokens) return REJECT;
    if (requests.computed[slot] > 0) {
      this.hitTokens = 0;
      return ADMIT;
    }
    if (requests.status[slot] === WAITING && this.outgrows(slot)) return REJECT;
    const wanted = isVllm ? length : prompt + requests.maxOutputTokens[slot];
    if (requests.status[slot] === WAITING && Math.ceil(wanted / blockTokens) > gpuBlocks) return REJECT;
    this.lookUp(slot, requests.maxOutputTokens[slot] - (length - prompt));
    const activeHits = this.activeHitTokens / blockTokens;
    if (isVllm) {
      const needed = Math.max(0, Math.ceil(length / blockTokens) - activeHits);
      return needed > gpuBlocks - pool.active ? WAIT : ADMIT;
    }
    return Math.ceil(wanted / blockTokens) - activeHits > this.uncommittedBlocks ? WAIT : ADMIT;
  }

  /** Whether a request can never be served, and is to be refused for that: all its tokens but the last need room. */
  outgrows(slot: number): boolean {
    const { rules, acceptRates, blockTokens, gpuBlocks, chunkedPrefill, maxBatchedTokens } = this.options;
    if (!rules.refusesOutgrowing) return false;
    const { promptTokens, maxOutputTokens } = this.requests;
    const prompt = promptTokens[slot];
    // Blocks of a burst are taken for its last token too.
    const tokens = prompt + maxOutputTokens[slot] - (acceptRates ? 0 : 1);
    return Math.ceil(tokens / blockTokens) > gpuBlocks || (!chunkedPrefill && prompt > maxBatchedTokens);
  }

  /** TensorRT-LLM lets a request generate as much as the model and the pool could hold. */
  clampOutput(slot: number): void {
    const { policy, gpuBlocks, blockTokens, maxModelTokens } = this.options;
    if (policy !== 'trtllm') return;
    const { promptTokens, maxOutputTokens } = this.requests;
    if (maxModelTokens !== undefined)
      maxOutputTokens[slot] = Math.min(
        maxOutputTokens[slot],
        Math.max(0, maxModelTokens - promptTokens[slot]),
      );
    const room = gpuBlocks * blockTokens - promptTokens[slot];
    if (room > 0 && maxOutputTokens[slot] > room) maxOutputTokens[slot] = room;
  }

  /** Blocks that nobody has or will have. */
  get uncommittedBlocks(): number {
    const { holdings, pool, options } = this;
    const committed = holdings.final - holdings.held + holdings.promised;
    return Math.max(0, Math.max(0, options.gpuBlocks - pool.active) - committed);
  }

  /** Leading blocks of a prompt that are cached. */
  leadingHits(slot: number): number {
    if (!this.options.prefixCaching) return 0;
    this.pool.probe(this.blocks.ids[slot], this.blocks.counts[slot]);
    return this.pool.hits;
  }

  /**
   * Finds cached leading blocks of a request. vLLM computes the last block of a fully cached context again, and with
   * speculation one block more, so that there is something to compute.
   * @param remaining output tokens that the request still wants
   */
  lookUp(slot: number, remaining: number): void {
    const { options, pool, blocks } = this;
    const { blockTokens } = options;
    if (!options.prefixCaching) {
      this.hitTokens = 0;
      this.activeHitTokens = 0;
      return;
    }
    pool.probe(blocks.ids[slot], blocks.counts[slot]);
    let cached = pool.hits * blockTokens;
    let active = pool.activeHits * blockTokens;
    if (remaining > 0 && options.policy === 'vllm') {
      const cap = Math.max(0, Math.floor((this.requests.length[slot] - 1) / blockTokens)) * blockTokens;
      if (cached > cap) {
        cached = cap;
        active = Math.min(active, cap);
      }
      if (options.acceptRates && cached >= blockTokens) {
        cached -= blockTokens;
        active = Math.min(active, cached);
      }
    }
    this.hitTokens = cached;
    this.activeHitTokens = active;
  }
}

import type { BlockPool } from '../kv/block-pool.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { RUNNING, type SchedulerRequests } from '../requests.js';
import type { VllmOptions } from './options.js';

/** The blocks that requests of one scheduler hold: taken, made findable, named, given back. Counts are blocks. */
export class Holdings {
  /** What running requests hold, and will hold at their end. */
  held = 0;
  final = 0;
  /** What requests that came with their prompt, and do not run yet, will take beyond it. */
  promised = 0;
  /** Set when blocks become free or findable, which may change what a waiting request can get. */
  hasChanged = false;

  constructor(
    private readonly options: VllmOptions,
    private readonly pool: BlockPool,
    private readonly requests: SchedulerRequests,
    private readonly blocks: PromptBlocks,
  ) {}

  /** A request begins to run with the blocks that it has. */
  begin(slot: number): void {
    this.held += Math.ceil(this.requests.allocated[slot] / this.options.blockTokens);
    this.final += this.blocksAtEnd(slot);
  }

  /** Blocks that a request takes beyond its prompt. */
  growth(slot: number): number {
    return this.blocksAtEnd(slot) - Math.ceil(this.requests.promptTokens[slot] / this.options.blockTokens);
  }

  private blocksAtEnd(slot: number): number {
    const { promptTokens, maxOutputTokens } = this.requests;
    return Math.ceil((promptTokens[slot] + maxOutputTokens[slot]) / this.options.blockTokens);
  }

  /** Takes the blocks up to `target` tokens, the first `hits` of them from the cache; all or none. */
  allocate(slot: number, target: number, hits: number): boolean {
    const { requests, blocks, pool } = this;
    const { blockTokens } = this.options;
    const from = Math.ceil(requests.allocated[slot] / blockTokens);
    const to = Math.ceil(target / blockTokens);
    if (to > from) {
      const named = blocks.counts[slot];
      const own = requests.ownedBlocks(slot, Math.min(named, to));
      if (!pool.allocate(own, blocks.ids[slot], named, from, to, hits)) return false;
      if (requests.status[slot] === RUNNING) this.held += to - from;
    }
    requests.allocated[slot] = target;
    return true;
  }

  /** Makes the named blocks findable that are complete now, and names a generated one where that happens here. */
  publishComputed(slot: number, before: number, after: number): void {
    const { requests, blocks, pool, options } = this;
    const { blockTokens } = options;
    if (!options.prefixCaching) return;
    const from = Math.floor(before / blockTokens);
    const to = Math.min(Math.floor(after / blockTokens), blocks.counts[slot]);
    if (to > from) {
      pool.publish(requests.own[slot], blocks.ids[slot], from, to);
      this.hasChanged = true;
    }
    if (options.naming === 'computed' && after === requests.length[slot] && after % blockTokens === 0)
      this.nameTail(slot, after);
  }

  /** A token was emitted: the block before it may get its name now. */
  nameEmitted(slot: number, length: number): void {
    if (this.options.naming === 'lost' || length % this.options.blockTokens !== 1) return;
    this.nameTail(slot, length - 1);
  }

  /** Names the last block of a request, complete at `tokens`, unless it has a name. */
  private nameTail(slot: number, tokens: number): void {
    const { blocks, requests, pool } = this;
    const index = tokens / this.options.blockTokens - 1;
    if (blocks.counts[slot] !== index) return;
    const id = blocks.nameGenerated(slot);
    const own = requests.ownedBlocks(slot, index + 1);
    own[index] = pool.adopt(id, index > 0 ? blocks.ids[slot][index - 1] : undefined);
    this.hasChanged = true;
  }

  /** Names the computed blocks of a request that loses them, so that it can find them again. */
  nameLost(slot: number): void {
    const { requests, blocks, pool, options } = this;
    if (options.naming === 'emitted' || !options.prefixCaching) return;
    const complete = Math.floor(requests.computed[slot] / options.blockTokens);
    const own = requests.ownedBlocks(slot, complete);
    for (let index = blocks.counts[slot]; index < complete; index++)
      own[index] = pool.adopt(blocks.nameGenerated(slot), undefined);
  }

  /** A request runs no more, but keeps its blocks. */
  retire(slot: number): void {
    this.held -= Math.ceil(this.requests.allocated[slot] / this.options.blockTokens);
    this.final -= this.blocksAtEnd(slot);
    this.hasChanged = true;
  }

  /** Gives back all blocks of a running request. */
  release(slot: number): void {
    this.retire(slot);
    this.free(slot);
  }

  /** Gives back all blocks of a request that does not run, last to first. */
  free(slot: number): void {
    const { requests, blocks, pool, options } = this;
    const { blockTokens } = options;
    const owned = Math.ceil(requests.allocated[slot] / blockTokens);
    const named = Math.min(blocks.counts[slot], owned);
    const complete = options.prefixCaching ? Math.floor(requests.computed[slot] / blockTokens) : 0;
    const cached = Math.max(0, complete - named);
    if (owned > named) pool.releasePlain(cached, owned - named - cached);
    pool.releaseNamed(requests.own[slot], named);
    this.hasChanged = true;
  }
}

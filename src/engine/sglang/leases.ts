import type { KvEventSink } from '../kv/block-pool.js';
import { EventQueue } from '../kv/event-queue.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { type RadixNode, RadixTree } from '../kv/radix-tree.js';
import type { SchedulerRequests } from '../requests.js';
import { PageEvents } from './page-events.js';

/** What a request holds: pages that the tree knows, up to the node where they end, and pages of its own behind them. */
interface Lease {
  cached: number;
  own: number;
  /** Pages, from the first on, whose content has been told to the router or was there already. */
  told: number;
  last: RadixNode;
}

/**
 * Pages and prefix cache of one SGLang rank (`kv_manager/sglang_backend.rs` of the reference). Pages are alike, so that
 * they are only counted; what they hold is known by their place in a request or in the tree.
 */
export class Leases {
  readonly tree: RadixTree;
  /** The most pages that were in use at once, and those evicted so far. */
  peak = 0;
  evicted = 0;
  private available: number;
  private readonly leases: (Lease | undefined)[] = [];
  private leased = 0;
  private readonly events: PageEvents | undefined;

  constructor(
    private readonly pageTokens: number,
    private readonly capacity: number,
    private readonly requests: SchedulerRequests,
    private readonly blocks: PromptBlocks,
    events: KvEventSink | undefined,
    /** Whether pages of one request may serve another. */
    private readonly caches: boolean,
  ) {
    this.events = events && caches ? new PageEvents(new EventQueue(events, blocks)) : undefined;
    this.tree = new RadixTree(blocks);
    this.available = capacity;
  }

  /** Tokens of as many pages as it takes to hold some. */
  pageUp(tokens: number): number {
    return Math.ceil(tokens / this.pageTokens) * this.pageTokens;
  }

  get active(): number {
    return this.capacity - this.available - this.tree.evictable;
  }

  get availableTokens(): number {
    return this.available * this.pageTokens;
  }

  get evictableTokens(): number {
    return this.tree.evictable * this.pageTokens;
  }

  /** Identities of the first `count` pages of a request, generated ones included. */
  private keysOf(slot: number, count: number): Int32Array {
    const { blocks } = this;
    while (blocks.counts[slot] < count) blocks.nameGenerated(slot);
    return blocks.ids[slot];
  }

  /** Frees cached pages until `count` are available, as far as there are any. */
  private makeRoom(count: number): void {
    const { events } = this;
    if (count <= this.available) return;
    const evicted = this.tree.evict(
      count - this.available,
      events && ((keys, from, to) => events.freed(keys, from, to)),
    );
    this.available += evicted;
    this.evicted += evicted;
  }

  publishEvents(nowMs: number): void {
    this.events?.publish(nowMs);
  }

  /** The full pages among the first tokens of a request have, or will have, their content. */
  private tellFilled(slot: number, tokens: number): void {
    if (!this.caches) return;
    const full = Math.floor(tokens / this.pageTokens);
    this.tell(this.leases[slot]!, this.keysOf(slot, full), full);
  }

  /** The first `full` pages of a request have their content now. */
  private tell(lease: Lease, keys: Int32Array, full: number): void {
    if (full <= lease.told) return;
    this.events?.filled(keys, lease.told, full);
    lease.told = full;
  }

  /** Leading tokens of a request, at most `most`, that are cached; nothing is marked as used. */
  cachedTokens(slot: number, most: number): number {
    if (!this.caches) return 0;
    const pages = Math.floor(most / this.pageTokens);
    return this.tree.matchLength(this.keysOf(slot, pages), pages) * this.pageTokens;
  }

  /**
   * Begins a lease on the first `tokens` of a request.
   * @param matchTokens how many of them are looked for in the cache
   * @returns cached tokens among them, or -1 when it does not fit
   */
  allocate(slot: number, tokens: number, matchTokens: number): number {
    const matched = this.begin(slot, tokens, matchTokens);
    if (matched >= 0) this.tellFilled(slot, tokens);
    return matched;
  }

  /** As `allocate`, for content that is still to arrive. */
  begin(slot: number, tokens: number, matchTokens: number): number {
    const { tree, pageTokens } = this;
    const full = this.caches ? Math.floor(matchTokens / pageTokens) : 0;
    tree.match(this.keysOf(slot, full), full);
    const { matched, matchedNode } = tree;
    tree.lock(matchedNode);
    const needed = Math.ceil((tokens - matched * pageTokens) / pageTokens);
    if (needed > this.available + tree.evictable) {
      tree.unlock(matchedNode);
      return -1;
    }
    this.reserve(needed);
    this.leases[slot] = { cached: matched, own: needed, told: matched, last: matchedNode };
    this.leased++;
    return matched * pageTokens;
  }

  /** Adds pages to a lease, evicting for them. @returns false when there are not so many */
  extend(slot: number, count: number, endTokens: number): boolean {
    if (!this.reserve(count)) return false;
    this.addPages(slot, count);
    this.tellFilled(slot, endTokens);
    return true;
  }

  /** Takes pages, evicting for them. @returns false when there are not so many */
  reserve(count: number): boolean {
    this.makeRoom(count);
    if (count > this.available) return false;
    this.available -= count;
    this.peak = Math.max(this.peak, this.active);
    return true;
  }

  /** Gives back reserved pages that no request got. */
  giveBack(count: number): void {
    this.available += count;
  }

  /** Reserved pages go to a request. */
  addPages(slot: number, count: number): void {
    this.leases[slot]!.own += count;
  }

  /** Enters the full pages among the first `tokens` of a request into the tree; pages that it has twice are freed. */
  cachePrefix(slot: number, tokens: number): void {
    const lease = this.leases[slot]!;
    const full = Math.floor(tokens / this.pageTokens);
    if (!this.caches || full === 0 || full <= lease.cached) return;
    const { tree } = this;
    const before = lease.last;
    const node = this.enter(slot, lease, full);
    if (node === before) return;
    tree.lock(node);
    tree.unlock(before);
    lease.last = node;
  }

  /** Hands pages over to the tree. @returns the node where they end */
  private enter(slot: number, lease: Lease, full: number): RadixNode {
    const { tree } = this;
    const keys = this.keysOf(slot, full);
    const from = lease.cached;
    this.tell(lease, keys, full);
    const node = tree.insert(lease.last, keys, from, full);
    this.available += tree.doubled;
    this.events?.freed(keys, from, from + tree.doubled);
    lease.own -= full - from;
    lease.cached = full;
    return node;
  }

  /** Ends the lease of a request that is done; its full pages stay in the tree. */
  finish(slot: number): void {
    const lease = this.take(slot);
    const { length, computed } = this.requests;
    const filled = this.caches ? Math.min(length[slot], computed[slot]) : 0;
    const full = Math.min(Math.floor(filled / this.pageTokens), lease.cached + lease.own);
    this.freeOwn(slot, lease, full);
    if (full > lease.cached) this.enter(slot, lease, full);
    this.tree.unlock(lease.last);
  }

  /** Ends the lease of a request that must come back; what the tree knows of it stays there. */
  retract(slot: number): void {
    const lease = this.take(slot);
    this.freeOwn(slot, lease, lease.cached);
    this.tree.unlock(lease.last);
  }

  /** Frees the pages of a request behind the first `kept`. */
  private freeOwn(slot: number, lease: Lease, kept: number): void {
    const count = lease.cached + lease.own - kept;
    this.available += count;
    lease.own -= count;
    this.events?.freed(this.blocks.ids[slot], kept, lease.told);
  }

  private take(slot: number): Lease {
    const lease = this.leases[slot]!;
    this.leases[slot] = undefined;
    this.leased--;
    return lease;
  }

  check(): void {
    const { tree, available, capacity } = this;
    let own = 0;
    for (const lease of this.leases) own += lease?.own ?? 0;
    if (available + tree.evictable + tree.protected + own !== capacity)
      throw new Error(
        `${available} free, ${tree.evictable} cached, ${tree.protected} locked and ${own} held pages are not ${capacity}`,
      );
    if (this.leased === 0 && tree.protected !== 0)
      throw new Error('pages are locked though no request holds any');
  }
}

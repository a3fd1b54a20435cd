import type { KvEventSink } from '../kv/block-pool.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import { type RadixNode, RadixTree } from '../kv/radix-tree.js';
import type { SchedulerRequests } from '../requests.js';
import { PageEvents } from './page-events.js';
import { PagePool } from './page-pool.js';

/** What a request holds: its pages in order, how many of them the tree knows, and the tree node where those end. */
interface Lease {
  pages: number[];
  cached: number;
  last: RadixNode;
}

/**
 * Pages and prefix cache of one SGLang rank (`kv_manager/sglang_backend.rs` of the reference). Counts are pages unless
 * named otherwise.
 */
export class Leases {
  readonly tree: RadixTree;
  readonly pool: PagePool;
  private readonly leases: (Lease | undefined)[] = [];
  private leased = 0;
  private readonly events: PageEvents | undefined;

  constructor(
    private readonly pageTokens: number,
    capacity: number,
    private readonly requests: SchedulerRequests,
    private readonly blocks: PromptBlocks,
    events: KvEventSink | undefined,
  ) {
    this.events = events && new PageEvents(events, blocks);
    this.tree = new RadixTree(blocks);
    this.pool = new PagePool(capacity);
  }

  get availableTokens(): number {
    return this.pool.available * this.pageTokens;
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

  private evict(count: number): void {
    if (count > 0) this.free(this.tree.evict(count));
  }

  private free(pages: number[]): void {
    this.events?.freed(pages);
    this.pool.give(pages);
  }

  publishEvents(): void {
    this.events?.publish();
  }

  /** Begins a lease on the first `tokens` of a request. @returns cached tokens among them, or -1 when it does not fit */
  allocate(slot: number, tokens: number): number {
    const matched = this.begin(slot, tokens);
    const { pages, cached } = this.leases[slot] ?? { pages: [], cached: 0 };
    if (matched >= 0)
      this.events?.filled(pages, this.blocks.ids[slot], cached, Math.floor(tokens / this.pageTokens));
    return matched;
  }

  /** As `allocate`, for content that is still to arrive. */
  begin(slot: number, tokens: number): number {
    const { tree, pool, pageTokens } = this;
    const full = Math.floor(tokens / pageTokens);
    tree.match(this.keysOf(slot, full), full);
    const { matched, matchedNode } = tree;
    tree.lock(matchedNode);
    const needed = Math.ceil((tokens - matched * pageTokens) / pageTokens);
    if (needed > pool.available + tree.evictable) {
      tree.unlock(matchedNode);
      return -1;
    }
    this.evict(needed - pool.available);
    this.leases[slot] = {
      pages: [...pathPages(matchedNode), ...pool.take(needed)!],
      cached: matched,
      last: matchedNode,
    };
    this.leased++;
    return matched * pageTokens;
  }

  /** Adds pages to a lease, evicting for them. @returns false when there are not so many */
  extend(slot: number, count: number, endTokens: number): boolean {
    const pages = this.reserve(count);
    if (!pages) return false;
    const lease = this.leases[slot]!;
    for (const page of pages) lease.pages.push(page);
    const full = Math.floor(endTokens / this.pageTokens);
    this.events?.filled(lease.pages, this.keysOf(slot, full), lease.cached, full);
    return true;
  }

  /** Takes pages for the tokens of a decode step, evicting for them; undefined when there are not so many. */
  reserve(count: number): number[] | undefined {
    this.evict(count - this.pool.available);
    return this.pool.take(count);
  }

  addPage(slot: number, page: number): void {
    this.leases[slot]!.pages.push(page);
  }

  /** Enters the computed full pages of a request into the tree; pages that it has twice are freed. */
  cachePrefix(slot: number): void {
    const lease = this.leases[slot]!;
    const full = Math.floor(this.requests.computed[slot] / this.pageTokens);
    if (full === 0 || full <= lease.cached) return;
    const { tree } = this;
    const before = lease.last;
    const keys = this.keysOf(slot, full);
    this.events?.filled(lease.pages, keys, lease.cached, full);
    const node = tree.insert(before, keys, lease.pages, lease.cached, full);
    if (node !== before) tree.lock(node);
    this.free(this.adoptTreePages(lease, node, full));
    if (node !== before) tree.unlock(before);
    lease.last = node;
    lease.cached = full;
  }

  /** Replaces own pages by the tree's where they differ. @returns the own ones, those of the deepest node first */
  private adoptTreePages(lease: Lease, node: RadixNode, end: number): number[] {
    const doubled: number[] = [];
    let to = end;
    for (let at = node; to > lease.cached; at = at.parent!) {
      const from = to - at.keys.length;
      for (let i = Math.max(from, lease.cached); i < to; i++) {
        const page = at.pages[i - from];
        if (lease.pages[i] === page) continue;
        doubled.push(lease.pages[i]);
        lease.pages[i] = page;
      }
      to = from;
    }
    return doubled;
  }

  /** Ends the lease of a request that is done; its full pages stay in the tree. */
  finish(slot: number): void {
    const lease = this.take(slot);
    const { tree } = this;
    const full = Math.min(Math.floor(this.requests.length[slot] / this.pageTokens), lease.pages.length);
    this.free(lease.pages.splice(full));
    if (full > 0) {
      const keys = this.keysOf(slot, full);
      this.events?.filled(lease.pages, keys, lease.cached, full);
      const node = tree.insert(lease.last, keys, lease.pages, lease.cached, full);
      this.free(this.adoptTreePages(lease, node, full));
    }
    tree.unlock(lease.last);
  }

  /** Ends the lease of a request that must come back; what the tree knows of it stays there. */
  retract(slot: number): void {
    const lease = this.take(slot);
    this.free(lease.pages.splice(lease.cached));
    this.tree.unlock(lease.last);
  }

  private take(slot: number): Lease {
    const lease = this.leases[slot]!;
    this.leases[slot] = undefined;
    this.leased--;
    return lease;
  }

  check(): void {
    const { tree, pool } = this;
    const held = new Set<number>();
    for (const lease of this.leases) for (const page of lease?.pages ?? []) held.add(page);
    if (pool.available + tree.evictable + held.size !== pool.capacity)
      throw new Error(
        `${pool.available} free, ${tree.evictable} cached and ${held.size} held pages are not ${pool.capacity}`,
      );
    if (this.leased === 0 && tree.protected !== 0)
      throw new Error('pages are locked though no request holds any');
  }
}

function pathPages(node: RadixNode): number[] {
  const nodes: RadixNode[] = [];
  for (let at: RadixNode | undefined = node; at; at = at.parent) nodes.push(at);
  return nodes.reverse().flatMap((at) => at.pages);
}

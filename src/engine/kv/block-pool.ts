import { growColumns } from '../../structures/column.js';

/** Hears which identities a pool can serve; calls come in the order in which they happen. */
export interface KvEventSink {
  /** What follows became known at a time; for those to whom that matters, where events are told at the end of a pass. */
  begin?(nowMs: number): void;
  stored(id: number): void;
  removed(id: number): void;
}

/**
 * KV blocks of one rank. Blocks with an identity are *named* and have an entry each; other blocks of a request are
 * *plain* and only counted. Counts are blocks.
 */
export interface BlockPool {
  readonly capacity: number;
  /** Blocks in use or promised. */
  readonly active: number;
  /** Blocks that `take` could hand out, evicting what is cached and idle. */
  readonly headroom: number;
  /** Blocks that hold nothing. */
  readonly unused: number;
  /** Result of the last `probe`: leading blocks that are cached, and how many of them are in use. */
  readonly hits: number;
  readonly activeHits: number;
  /** Whether the last allocation or promise failed only because blocks are on their way to a lower tier. */
  readonly isBlocked: boolean;
  /** Blocks that were evicted and are still needed by a transfer; they count as active. */
  readonly leaving: number;
  /** The most blocks that were in use at once, and those evicted so far. */
  readonly peak: number;
  readonly evicted: number;
  /** Walks the first `count` identities while they are cached. */
  probe(ids: Int32Array, count: number): void;
  /**
   * Gives a request its blocks `from` to `to` (all or none), the first `hits` of which come from the cache and those
   * below `named` get entries in `own`.
   */
  allocate(own: Int32Array, ids: Int32Array, named: number, from: number, to: number, hits: number): boolean;
  /** Makes named blocks findable, `from` to `to` of a request. */
  publish(own: Int32Array, ids: Int32Array, from: number, to: number): void;
  /** Turns one plain block into a named one that can be found. Returns its entry. */
  adopt(id: number, parentId: number | undefined): number;
  /** Gives back the first `count` blocks of a request, last to first. */
  releaseNamed(own: Int32Array, count: number): void;
  /** Gives back plain blocks: `cached` of them stay as evictable content that nobody will ask for. */
  releasePlain(cached: number, dropped: number): void;
  /** Takes plain blocks that `headroom` covers. */
  take(blocks: number): void;
  /** Promises blocks, so that they count as active; `unreserve` takes back what was not used. */
  reserve(blocks: number): boolean;
  unreserve(blocks: number): void;
  /** Turns promised blocks into plain ones. */
  commitReserved(blocks: number): void;
  /** @throws when a conservation law is broken */
  check(): void;
}

/** Growable columns of pool entries linked into one list, oldest first. */
export class EntryList {
  previous = new Int32Array(64);
  next = new Int32Array(64);
  head = -1;
  tail = -1;

  resize(length: number): void {
    growColumns(this, length);
  }

  append(entry: number): void {
    this.previous[entry] = this.tail;
    this.next[entry] = -1;
    if (this.tail >= 0) this.next[this.tail] = entry;
    else this.head = entry;
    this.tail = entry;
  }

  remove(entry: number): void {
    const before = this.previous[entry];
    const after = this.next[entry];
    if (before >= 0) this.next[before] = after;
    else this.head = after;
    if (after >= 0) this.previous[after] = before;
    else this.tail = before;
  }
}

import { growColumns } from '../../structures/column.js';
import { type BlockPool, EntryList, type KvEventSink } from './block-pool.js';
import { createIdTable, type IdTable } from './id-table.js';
import type { PromptBlocks } from './prompt-blocks.js';

/** Identity of an entry that is owned but cannot be found yet. */
const PRIVATE = -1;

/**
 * The pool of vLLM and TensorRT-LLM (`cache/vllm_block_pool.rs` of the reference). Several copies of one identity may
 * exist; the oldest represents it. Idle copies wait in one LRU list. Idle plain blocks of an ended request share one
 * list entry, since they are evicted one after the other and never found.
 */
export class NativePool implements BlockPool {
  hits = 0;
  activeHits = 0;
  readonly isBlocked = false;
  readonly leaving = 0;
  peak = 0;
  evicted = 0;
  private copies = 0;
  private inactive = 0;
  private reserved = 0;
  private readonly lru = new EntryList();
  private ids = new Int32Array(64);
  private refs = new Int32Array(64);
  /** Blocks of an entry: 1, or those of an idle run of plain blocks. */
  private sizes = new Int32Array(64);
  /** Next copy of the same identity, by age. */
  private duplicates = new Int32Array(64);
  private used = 0;
  private firstFree = -1;
  private readonly byId: IdTable;

  constructor(
    readonly capacity: number,
    blocks: PromptBlocks,
    private readonly events: KvEventSink | undefined,
  ) {
    this.byId = createIdTable(blocks, capacity);
  }

  get active(): number {
    return this.copies - this.inactive + this.reserved;
  }

  get unused(): number {
    return this.capacity - this.copies - this.reserved;
  }

  get headroom(): number {
    return this.capacity - this.copies - this.reserved + this.inactive;
  }

  probe(ids: Int32Array, count: number): void {
    const { byId, refs } = this;
    let active = 0;
    let index = 0;
    for (; index < count; index++) {
      const entry = byId.get(ids[index]);
      if (entry < 0) break;
      if (refs[entry] > 0) active++;
    }
    this.hits = index;
    this.activeHits = active;
  }

  allocate(own: Int32Array, ids: Int32Array, named: number, from: number, to: number, hits: number): boolean {
    const fresh = to - from - hits;
    const shortfall = fresh - (this.capacity - this.copies - this.reserved);
    for (let i = 0; i < hits; i++) own[i] = this.byId.get(ids[i]);
    if (shortfall > 0) {
      let idle = this.inactive;
      for (let i = 0; i < hits; i++) if (this.refs[own[i]] === 0) idle--;
      if (shortfall > idle) return false;
    }
    for (let i = 0; i < hits; i++) {
      const entry = own[i];
      if (this.refs[entry]++ === 0) {
        this.lru.remove(entry);
        this.inactive--;
      }
    }
    if (shortfall > 0) this.evict(shortfall);
    for (let i = from + hits; i < to && i < named; i++) own[i] = this.create();
    this.copies += fresh;
    this.notePeak();
    return true;
  }

  publish(own: Int32Array, ids: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) if (this.ids[own[i]] === PRIVATE) this.name(own[i], ids[i]);
  }

  private name(entry: number, id: number): void {
    this.ids[entry] = id;
    this.duplicates[entry] = -1;
    let copy = this.byId.getOrSet(id, entry);
    if (copy < 0) {
      this.events?.stored(id);
      return;
    }
    while (this.duplicates[copy] >= 0) copy = this.duplicates[copy];
    this.duplicates[copy] = entry;
  }

  adopt(id: number): number {
    const entry = this.create();
    this.name(entry, id);
    return entry;
  }

  releaseNamed(own: Int32Array, count: number): void {
    const { ids, refs, lru } = this;
    const { next, previous } = lru;
    let { tail } = lru;
    let idle = 0;
    for (let i = count - 1; i >= 0; i--) {
      const entry = own[i];
      if (ids[entry] === PRIVATE) {
        this.copies--;
        this.free(entry);
      } else if (--refs[entry] === 0) {
        previous[entry] = tail;
        if (tail >= 0) next[tail] = entry;
        else lru.head = entry;
        tail = entry;
        idle++;
      }
    }
    if (idle === 0) return;
    next[tail] = -1;
    lru.tail = tail;
    this.inactive += idle;
  }

  releasePlain(cached: number, dropped: number): void {
    this.copies -= dropped;
    if (cached === 0) return;
    const entry = this.create();
    this.refs[entry] = 0;
    this.sizes[entry] = cached;
    this.lru.append(entry);
    this.inactive += cached;
  }

  take(blocks: number): void {
    const shortfall = blocks - (this.capacity - this.copies - this.reserved);
    if (shortfall > 0) this.evict(shortfall);
    this.copies += blocks;
    this.notePeak();
  }

  private notePeak(): void {
    const { active } = this;
    if (active > this.peak) this.peak = active;
  }

  reserve(blocks: number): boolean {
    const shortfall = blocks - (this.capacity - this.copies - this.reserved);
    if (shortfall > this.inactive) return false;
    if (shortfall > 0) this.evict(shortfall);
    this.reserved += blocks;
    this.notePeak();
    return true;
  }

  unreserve(blocks: number): void {
    this.reserved -= blocks;
  }

  commitReserved(blocks: number): void {
    this.reserved -= blocks;
    this.copies += blocks;
  }

  /** Takes idle blocks from the cache, those idle longest first. */
  private evict(blocks: number): void {
    const { lru, sizes, ids } = this;
    const { next, previous } = lru;
    let left = blocks;
    let entry = lru.head;
    for (;;) {
      const taken = Math.min(left, sizes[entry]);
      left -= taken;
      sizes[entry] -= taken;
      if (sizes[entry] > 0) break;
      const after = next[entry];
      if (ids[entry] !== PRIVATE) this.forget(entry);
      next[entry] = this.firstFree;
      this.firstFree = entry;
      entry = after;
      if (left === 0) break;
    }
    lru.head = entry;
    if (entry >= 0) previous[entry] = -1;
    else lru.tail = -1;
    this.inactive -= blocks;
    this.copies -= blocks;
    this.evicted += blocks;
  }

  /** Takes a copy out of the list of its identity. */
  private forget(entry: number): void {
    const id = this.ids[entry];
    const after = this.duplicates[entry];
    if (after < 0 && this.byId.drop(id, entry)) {
      this.events?.removed(id);
      return;
    }
    let copy = this.byId.get(id);
    if (copy === entry) {
      this.byId.set(id, after);
      return;
    }
    while (this.duplicates[copy] !== entry) copy = this.duplicates[copy];
    this.duplicates[copy] = after;
  }

  private create(): number {
    let entry = this.firstFree;
    if (entry >= 0) this.firstFree = this.lru.next[entry];
    else {
      if (this.used === this.ids.length) this.grow();
      entry = this.used++;
    }
    this.ids[entry] = PRIVATE;
    this.refs[entry] = 1;
    this.sizes[entry] = 1;
    return entry;
  }

  private free(entry: number): void {
    this.lru.next[entry] = this.firstFree;
    this.firstFree = entry;
  }

  private grow(): void {
    const length = this.ids.length * 2;
    growColumns(this, length);
    this.lru.resize(length);
  }

  check(): void {
    let idle = 0;
    for (let entry = this.lru.head; entry >= 0; entry = this.lru.next[entry]) {
      if (this.ids[entry] !== PRIVATE && this.refs[entry] !== 0)
        throw new Error('a block in use is on the idle list');
      idle += this.sizes[entry];
    }
    if (idle !== this.inactive)
      throw new Error(`${idle} idle blocks are listed, ${this.inactive} are counted`);
    if (this.copies + this.reserved > this.capacity)
      throw new Error(
        `${this.copies} blocks and ${this.reserved} promised exceed the pool of ${this.capacity}`,
      );
    if (this.inactive > this.copies || this.reserved < 0) throw new Error('block counts are out of range');
  }
}

import type { BlockPool, KvEventSink } from './block-pool.js';
import { createIdTable, type IdTable } from './id-table.js';
import { Lineage } from './lineage.js';
import type { PromptBlocks } from './prompt-blocks.js';

/** A block by name, and the one before it in its sequence. */
export interface NamedBlock {
  id: number;
  parentId: number;
}

/** Takes the blocks that a pool evicts; their slots count as leaving until the transfer is over. */
export interface LowerTiers {
  /** A block is about to be evicted, and its name must live on until it is offloaded. */
  keepName(id: number): void;
  offload(blocks: readonly NamedBlock[]): void;
}

/**
 * The KV block manager's device pool (`kv_manager/kvbm_backend.rs` of the reference): one block per identity, findable
 * from the moment it is allocated, idle blocks evicted leaf first along their lineage.
 */
export class KvbmPool implements BlockPool {
  hits = 0;
  activeHits = 0;
  isBlocked = false;
  leaving = 0;
  peak = 0;
  evicted = 0;
  /** Where evicted blocks go; undefined where they are dropped. */
  tiers: LowerTiers | undefined;
  private plain = 0;
  private inactive = 0;
  private named = 0;
  private reserved = 0;
  private readonly byId: IdTable;
  private readonly lineage = new Lineage();
  private readonly ids: number[] = [];
  private readonly refs: number[] = [];
  private readonly parents: number[] = [];
  private readonly freeEntries: number[] = [];

  constructor(
    readonly capacity: number,
    blocks: PromptBlocks,
    private readonly events: KvEventSink | undefined,
  ) {
    this.byId = createIdTable(blocks, capacity);
  }

  get active(): number {
    return this.named + this.plain - this.inactive + this.reserved + this.leaving;
  }

  get headroom(): number {
    return this.capacity - this.active;
  }

  get unused(): number {
    return this.capacity - this.named - this.plain - this.reserved - this.leaving;
  }

  probe(ids: Int32Array, count: number): void {
    let active = 0;
    let index = 0;
    for (; index < count; index++) {
      const entry = this.byId.get(ids[index]);
      if (entry < 0) break;
      if (this.refs[entry] > 0) active++;
    }
    this.hits = index;
    this.activeHits = active;
  }

  allocate(own: Int32Array, ids: Int32Array, named: number, from: number, to: number): boolean {
    this.isBlocked = false;
    const namedEnd = Math.max(from, Math.min(to, named));
    const woken: number[] = [];
    let fresh = to - namedEnd;
    for (let i = from; i < namedEnd; i++) {
      const entry = this.byId.get(ids[i]);
      own[i] = entry;
      if (entry < 0) fresh++;
      else if (this.refs[entry] === 0) {
        this.lineage.remove(ids[i]);
        woken.push(entry);
      }
    }
    this.inactive -= woken.length;
    if (!this.makeRoom(fresh)) {
      for (const entry of woken) this.lineage.insert(this.ids[entry], this.parents[entry]);
      this.inactive += woken.length;
      return false;
    }
    const shortfall = fresh - this.unused;
    const evicted: number[] = [];
    for (let left = shortfall; left > 0; left--) evicted.push(this.evict());
    for (let i = from; i < namedEnd; i++)
      if (own[i] >= 0) this.refs[own[i]]++;
      else own[i] = this.register(ids[i], i > 0 ? ids[i - 1] : undefined);
    for (const id of evicted) this.drop(id);
    this.plain += to - namedEnd;
    this.notePeak();
    return true;
  }

  /** Whether there will be room for blocks once idle ones are evicted; with lower tiers those must have left first. */
  private makeRoom(blocks: number): boolean {
    const { tiers } = this;
    if (this.unused + this.inactive < blocks) {
      this.isBlocked = this.leaving > 0;
      return false;
    }
    if (!tiers || this.unused >= blocks) return true;
    const evicted: NamedBlock[] = [];
    for (let left = blocks - this.unused; left > 0; left--) {
      const id = this.lineage.victim();
      evicted.push({ id, parentId: this.parents[this.byId.get(id)] });
      tiers.keepName(id);
      this.evict();
    }
    this.leaving += evicted.length;
    tiers.offload(evicted);
    for (const { id } of evicted) this.drop(id);
    this.isBlocked = this.unused < blocks;
    return !this.isBlocked;
  }

  private register(id: number, parentId: number | undefined): number {
    const entry = this.freeEntries.pop() ?? this.ids.length;
    this.ids[entry] = id;
    this.refs[entry] = 1;
    this.parents[entry] = parentId ?? Lineage.NO_PARENT;
    this.byId.set(id, entry);
    this.named++;
    this.events?.stored(id);
    return entry;
  }

  private evict(): number {
    const id = this.lineage.evict();
    const entry = this.byId.get(id);
    this.byId.drop(id, entry);
    this.freeEntries.push(entry);
    this.named--;
    this.inactive--;
    this.evicted++;
    return id;
  }

  private notePeak(): void {
    const { active } = this;
    if (active > this.peak) this.peak = active;
  }

  private drop(id: number): void {
    if (this.byId.get(id) < 0) this.events?.removed(id);
  }

  publish(): void {
    // Registered when it was allocated.
  }

  adopt(id: number, parentId: number | undefined): number {
    this.plain--;
    const entry = this.byId.get(id);
    if (entry < 0) return this.register(id, parentId);
    if (this.refs[entry]++ === 0) {
      this.lineage.remove(id);
      this.inactive--;
    }
    return entry;
  }

  releaseNamed(own: Int32Array, count: number): void {
    for (let i = count - 1; i >= 0; i--) this.release(own[i]);
  }

  releasePlain(cached: number, dropped: number): void {
    this.plain -= cached + dropped;
  }

  take(blocks: number): void {
    for (let left = blocks - this.unused; left > 0; left--) this.drop(this.evict());
    this.plain += blocks;
    this.notePeak();
  }

  reserve(blocks: number): boolean {
    this.isBlocked = false;
    if (!this.makeRoom(blocks)) return false;
    for (let left = blocks - this.unused; left > 0; left--) this.drop(this.evict());
    this.reserved += blocks;
    this.notePeak();
    return true;
  }

  unreserve(blocks: number): void {
    this.reserved -= blocks;
  }

  commitReserved(blocks: number): void {
    this.reserved -= blocks;
    this.plain += blocks;
  }

  /** Evicted blocks have left, so that their slots are free. */
  gone(count: number): void {
    this.leaving -= count;
  }

  // ---- Blocks from lower tiers -------------------------------------------------------------------------------

  /** Keeps the first `count` blocks of a request, all of them cached, from being evicted. */
  hold(ids: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const entry = this.byId.get(ids[i]);
      if (this.refs[entry]++ > 0) continue;
      this.lineage.remove(ids[i]);
      this.inactive--;
    }
  }

  letGo(ids: Int32Array, count: number): void {
    for (let i = count - 1; i >= 0; i--) this.release(this.byId.get(ids[i]));
  }

  /** Blocks `from` to `to` of a request have arrived in promised blocks and can be found. */
  arrive(ids: Int32Array, from: number, to: number): void {
    this.reserved -= to - from;
    for (let i = from; i < to; i++)
      if (this.byId.get(ids[i]) < 0) this.release(this.register(ids[i], i > 0 ? ids[i - 1] : undefined));
  }

  private release(entry: number): void {
    if (--this.refs[entry] > 0) return;
    this.lineage.insert(this.ids[entry], this.parents[entry]);
    this.inactive++;
  }

  check(): void {
    if (this.lineage.size !== this.inactive)
      throw new Error(`${this.lineage.size} idle blocks are linked, ${this.inactive} are counted`);
    if (this.unused < 0)
      throw new Error(`the pool of ${this.capacity} blocks is overdrawn by ${-this.unused}`);
  }
}

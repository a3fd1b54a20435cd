import type { KvEventSink } from '../kv/block-pool.js';
import type { NamedBlock } from '../kv/kvbm-pool.js';
import { Lineage } from '../kv/lineage.js';

/** Keeps the names of blocks alive. */
export interface BlockNames {
  retain(id: number): void;
  release(id: number): void;
}

interface Entry extends NamedBlock {
  pins: number;
}

/**
 * The blocks of a lower tier, one each. Blocks that are not pinned are evicted along their lineage when others come; a
 * block on its way in has its room from the start. Counts are blocks.
 */
export class TierStore {
  static readonly NO_PARENT = Lineage.NO_PARENT;
  /** Room kept for blocks on their way in. */
  arriving = 0;
  private readonly entries = new Map<number, Entry>();
  private readonly lineage = new Lineage();

  /** @param events told of what comes and goes, where somebody wants to know */
  constructor(
    readonly capacity: number,
    private readonly names: BlockNames,
    private readonly events?: KvEventSink,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** Blocks for which room can be made. */
  get available(): number {
    return this.capacity - this.arriving - (this.entries.size - this.lineage.size);
  }

  has(id: number): boolean {
    return this.entries.has(id);
  }

  /** Whether a block is there and could be evicted. */
  isIdle(id: number): boolean {
    return this.entries.get(id)?.pins === 0;
  }

  /** Makes room for blocks that `available` covers, evicting for them. */
  makeRoom(blocks: number): void {
    this.arriving += blocks;
    while (this.entries.size + this.arriving > this.capacity) this.evict();
  }

  private evict(): void {
    const id = this.lineage.evict();
    this.entries.delete(id);
    this.names.release(id);
    this.events?.removed(id);
  }

  /** A block has arrived. One that is there already leaves its room free. */
  arrive({ id, parentId }: NamedBlock): void {
    this.arriving--;
    if (this.entries.has(id)) return;
    this.entries.set(id, { id, parentId, pins: 0 });
    this.names.retain(id);
    this.lineage.insert(id, parentId);
    this.events?.stored(id);
  }

  /** Keeps a block that is there from being evicted. */
  pin(id: number): void {
    const entry = this.entries.get(id)!;
    if (entry.pins++ === 0) this.lineage.remove(id);
  }

  unpin(id: number): void {
    const entry = this.entries.get(id)!;
    if (--entry.pins === 0) this.lineage.insert(id, entry.parentId);
  }

  /** @throws when a conservation law is broken */
  check(tier: string): void {
    if (this.arriving < 0 || this.size + this.arriving > this.capacity)
      throw new Error(
        `${tier} holds ${this.size} blocks and expects ${this.arriving}, it has ${this.capacity}`,
      );
    let idle = 0;
    for (const { pins } of this.entries.values()) if (pins === 0) idle++;
    if (idle !== this.lineage.size)
      throw new Error(`${tier}: ${this.lineage.size} idle blocks are linked, ${idle} are counted`);
  }
}

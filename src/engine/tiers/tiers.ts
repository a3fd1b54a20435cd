import type { KvEventSink } from '../kv/block-pool.js';
import type { LowerTiers, NamedBlock } from '../kv/kvbm-pool.js';
import { Copies } from './copies.js';
import type { Link } from './link.js';
import type { SharedTiers, TierOptions } from './shared.js';
import { type BlockNames, TierStore } from './store.js';

/** Blocks that left G1 together; done when `left` is 0. */
export interface OffloadGroup {
  left: number;
}

/** Where the blocks of a request are that follow its prefix in G1: a run in G2, then one in G3, then one in G4. */
export interface LowerHit {
  g2: number;
  g3: number;
  g4: number;
}

/**
 * The lower tiers as one rank sees them (`kvbm_offload/*` of the reference): blocks that its G1 evicts move to its G2
 * in batches and on to the shared tiers, blocks that a request wants come back. Counts are blocks.
 */
export class Tiers implements LowerTiers {
  readonly g2: TierStore;
  nowMs = 0;
  /** Blocks under way from G1, by name. */
  private readonly leaving = new Set<number>();
  private readonly batches: { blocks: NamedBlock[]; group: OffloadGroup }[] = [];
  private running = 0;
  private lastGroup: OffloadGroup = { left: 0 };
  private readonly down: Link;
  private readonly up: Link;
  private readonly copies: Copies;

  /**
   * @param freeSources told when slots of G1 are free again whose blocks were evicted
   * @param events told of what G2 has
   */
  constructor(
    private readonly options: TierOptions,
    private readonly shared: SharedTiers,
    private readonly names: BlockNames,
    private readonly freeSources: (count: number) => void,
    events: KvEventSink | undefined,
  ) {
    this.g2 = new TierStore(options.g2Blocks, names, events);
    this.down = shared.addLink('g1_to_g2', options.g1ToG2);
    this.up = shared.addLink('g2_to_g1', options.g2ToG1);
    this.copies = new Copies(this.g2, shared, options.batchBlocks, options.blockBytes);
  }

  advance(nowMs: number): void {
    this.nowMs = nowMs;
    this.shared.links.advance(nowMs);
  }

  /** When the next transfer completes; Infinity when none is under way. */
  get nextMs(): number {
    return this.shared.links.nextMs;
  }

  /** The last group of blocks that is still under way, if any. */
  get openGroup(): OffloadGroup | undefined {
    return this.lastGroup.left > 0 ? this.lastGroup : undefined;
  }

  keepName(id: number): void {
    this.names.retain(id);
  }

  /** Takes blocks that G1 evicts, whose names are kept; their slots stay taken until `freeSources` is told. */
  offload(blocks: readonly NamedBlock[]): void {
    const { g2, leaving, options, names } = this;
    const { use } = this.shared;
    const missing = blocks.filter(({ id }) => !g2.has(id) && !leaving.has(id));
    const moved = missing.slice(0, Math.max(0, g2.available));
    use.knownBlocks += blocks.length - missing.length;
    use.crowdedOutBlocks += missing.length - moved.length;
    g2.makeRoom(moved.length);
    for (const { id } of moved) leaving.add(id);
    const staying = new Set(moved);
    for (const block of blocks) if (!staying.has(block)) names.release(block.id);
    if (moved.length > 0) this.lastGroup = { left: moved.length };
    for (let from = 0; from < moved.length; from += options.batchBlocks)
      this.batches.push({ blocks: moved.slice(from, from + options.batchBlocks), group: this.lastGroup });
    this.startBatches(this.nowMs);
    if (moved.length < blocks.length) this.freeSources(blocks.length - moved.length);
    this.shared.links.advance(this.nowMs);
  }

  private startBatches(nowMs: number): void {
    const { batches, options } = this;
    while (this.running < options.batchBlocks && batches.length > 0) {
      const { blocks, group } = batches.shift()!;
      this.running++;
      this.down.start(nowMs, blocks.length * options.blockBytes, (doneMs) => {
        this.running--;
        group.left -= blocks.length;
        this.shared.use.offloadedBlocks += blocks.length;
        for (const block of blocks) {
          this.leaving.delete(block.id);
          this.g2.arrive(block);
          this.names.release(block.id);
        }
        this.freeSources(blocks.length);
        this.copies.add(blocks, doneMs);
        this.startBatches(doneMs);
      });
    }
  }

  /** Finds blocks `from` to `to` of a request below G1. */
  find(ids: Int32Array, from: number, to: number): LowerHit {
    const { g3, g4 } = this.shared;
    let at = from;
    const run = (has: (id: number) => boolean): number => {
      const start = at;
      while (at < to && has(ids[at])) at++;
      return at - start;
    };
    const found: LowerHit = { g2: run((id) => this.g2.has(id)), g3: 0, g4: 0 };
    if (g3) found.g3 = run((id) => g3.store.has(id));
    if (g4) found.g4 = run((id) => g4.objects.has(id));
    let pinned = 0;
    for (let i = from; i < from + found.g2; i++) if (this.g2.isIdle(ids[i])) pinned++;
    return found.g3 + found.g4 > this.g2.available - pinned ? { ...found, g3: 0, g4: 0 } : found;
  }

  /** Keeps found blocks where they are until they have been brought up, or are let go. */
  hold(ids: Int32Array, from: number, { g2, g3, g4 }: LowerHit): void {
    for (let i = from; i < from + g2 + g3 + g4; i++) this.names.retain(ids[i]);
    for (let i = from; i < from + g2; i++) this.g2.pin(ids[i]);
    for (let i = from + g2; i < from + g2 + g3; i++) this.shared.g3!.store.pin(ids[i]);
    this.g2.makeRoom(g3 + g4);
  }

  letGo(ids: Int32Array, from: number, { g2, g3, g4 }: LowerHit): void {
    for (let i = from; i < from + g2; i++) this.g2.unpin(ids[i]);
    for (let i = from + g2; i < from + g2 + g3; i++) this.shared.g3!.store.unpin(ids[i]);
    for (let i = from; i < from + g2 + g3 + g4; i++) this.names.release(ids[i]);
    this.g2.arriving -= g3 + g4;
  }

  /** Brings blocks that are held to G1: those of G3 and G4 over G2, then all of them at once. */
  onboard(ids: Int32Array, from: number, { g2, g3, g4 }: LowerHit, done: () => void): void {
    const { shared, options, names } = this;
    const ofSlice = (start: number, count: number): NamedBlock[] =>
      Array.from({ length: count }, (_, i) => ({
        id: ids[start + i],
        parentId: start + i > 0 ? ids[start + i - 1] : TierStore.NO_PARENT,
      }));
    const inG2 = ofSlice(from, g2);
    const inG3 = ofSlice(from + g2, g3);
    const inG4 = ofSlice(from + g2 + g3, g4);
    const all = [...inG2, ...inG3, ...inG4];
    let staging = 0;
    const lift = (nowMs: number) =>
      this.up.start(nowMs, all.length * options.blockBytes, () => {
        for (const { id } of all) {
          this.g2.unpin(id);
          names.release(id);
        }
        shared.use.onboardedBlocks.g2 += g2;
        shared.use.onboardedBlocks.g3 += g3;
        shared.use.onboardedBlocks.g4 += g4;
        done();
      });
    const stage = (blocks: readonly NamedBlock[], link: Link, release: (id: number) => void) => {
      if (blocks.length === 0) return;
      staging++;
      link.start(this.nowMs, blocks.length * options.blockBytes, (doneMs) => {
        for (const block of blocks) {
          release(block.id);
          this.g2.arrive(block);
          this.g2.pin(block.id);
        }
        if (--staging === 0) lift(doneMs);
      });
    };
    if (shared.g3) stage(inG3, shared.g3.read, (id) => shared.g3!.store.unpin(id));
    if (shared.g4) stage(inG4, shared.g4.read, () => {});
    if (staging === 0) lift(this.nowMs);
    shared.links.advance(this.nowMs);
  }

  /** @throws when a conservation law is broken */
  check(): void {
    this.g2.check('G2');
    this.shared.g3?.store.check('G3');
  }
}

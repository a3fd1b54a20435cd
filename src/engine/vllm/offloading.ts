import type { KvbmPool } from '../kv/kvbm-pool.js';
import type { PromptBlocks } from '../kv/prompt-blocks.js';
import type { OffloadGroup, Tiers } from '../tiers/tiers.js';

/** Outcomes of looking for a request's blocks below G1. */
const STAYS = 0;
export const PARKED = 1;
export const BLOCKED_BY_OFFLOAD = 2;

/**
 * Requests of one scheduler that wait for the lower tiers: for blocks on their way up, or for slots whose evicted
 * blocks are on their way down (`scheduler/vllm/core.rs` of the reference).
 */
export class Offloading {
  /** Requests that are out of the queue while their blocks come up. */
  parked = 0;
  private readonly arrived: number[] = [];
  private readonly waitsFor = new Map<number, OffloadGroup>();
  /** Requests that have had their blocks brought up; it is done once, so that two cannot chase each other's forever. */
  private readonly served = new Set<number>();

  constructor(
    private readonly tiers: Tiers,
    private readonly pool: KvbmPool,
    private readonly blocks: PromptBlocks,
  ) {}

  /** A request comes to this scheduler. */
  enter(slot: number): void {
    this.served.delete(slot);
    this.waitsFor.delete(slot);
  }

  /** @returns parked requests whose blocks have come up by now, in order */
  advance(nowMs: number): number[] {
    this.tiers.advance(nowMs);
    this.parked -= this.arrived.length;
    return this.arrived.splice(0);
  }

  get nextMs(): number {
    return this.tiers.nextMs;
  }

  /** A request could not get blocks because evicted ones are on their way. */
  note(slot: number): void {
    const group = this.tiers.openGroup;
    if (group) this.waitsFor.set(slot, group);
  }

  mustWait(slot: number): boolean {
    const group = this.waitsFor.get(slot);
    if (!group) return false;
    if (group.left > 0) return true;
    this.waitsFor.delete(slot);
    return false;
  }

  /** Brings up what follows the `hits` blocks of a request that G1 has. */
  onboard(slot: number, hits: number): number {
    const { tiers, pool, blocks, served } = this;
    const ids = blocks.ids[slot];
    const count = blocks.counts[slot];
    if (hits >= count || served.has(slot)) return STAYS;
    const found = tiers.find(ids, hits, count);
    const total = found.g2 + found.g3 + found.g4;
    if (total === 0) return STAYS;
    pool.hold(ids, hits);
    tiers.hold(ids, hits, found);
    if (!pool.reserve(total)) {
      tiers.letGo(ids, hits, found);
      pool.letGo(ids, hits);
      if (!pool.isBlocked) return STAYS;
      this.note(slot);
      return BLOCKED_BY_OFFLOAD;
    }
    served.add(slot);
    this.parked++;
    tiers.onboard(ids, hits, found, () => {
      pool.arrive(ids, hits, hits + total);
      pool.letGo(ids, hits);
      this.arrived.push(slot);
    });
    return PARKED;
  }

  check(): void {
    this.tiers.check();
  }
}

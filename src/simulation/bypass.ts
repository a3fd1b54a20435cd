import type { BypassSettings } from '../config/router-config.js';
import type { Placement } from '../router/router.js';
import { OVER } from './handoffs.js';
import type { SplitFleet } from './split-fleet.js';

/**
 * Conditional disaggregation: the decode worker of a request is chosen when it arrives, and a request whose prompt is
 * short there, or that would wait for busy prefill workers, is computed by that worker from its first token to its
 * last. The reference reads these settings and ignores them offline.
 */
export class Bypass {
  /** Decode workers of requests that go through prefill all the same. */
  private readonly placements = new Map<number, Placement>();

  constructor(
    private readonly settings: BypassSettings,
    private readonly fleet: SplitFleet,
  ) {}

  /** Sends a request that has arrived to its decode worker, unless it has to go through prefill. */
  takes(slot: number, nowMs: number): boolean {
    const { fleet, placements } = this;
    const { decode, handoffs } = fleet;
    const placement = decode.place(fleet.traits[slot], nowMs);
    if (!placement) return false;
    const { target } = placement;
    if (!this.applies(slot, target)) {
      placements.set(slot, placement);
      return false;
    }
    fleet.bypassed++;
    handoffs.decodeRank[slot] = target;
    handoffs.note(slot, OVER);
    decode.dispatchWhole(slot, target, nowMs);
    return true;
  }

  /** The decode worker that was chosen for a request when it arrived. */
  placementOf(slot: number): Placement | undefined {
    const placement = this.placements.get(slot);
    this.placements.delete(slot);
    return placement;
  }

  private applies(slot: number, target: number): boolean {
    const { policy, decodeBusy } = this.settings;
    if (decodeBusy !== undefined && this.isFull(slot, target, decodeBusy)) return false;
    if (policy !== 'prefill_load' && this.isShort(slot, target)) return true;
    return policy !== 'isl_bounding' && this.isPrefillBusy();
  }

  private isShort(slot: number, target: number): boolean {
    const { mostTokens, mostPart } = this.settings;
    const { decode, traits } = this.fleet;
    const { inputTokens } = traits[slot];
    const uncached = inputTokens - Math.min(inputTokens, decode.cores[target].cachedTokens(slot));
    return uncached <= mostTokens && uncached <= mostPart * inputTokens;
  }

  private isPrefillBusy(): boolean {
    const { prefillBusy } = this.settings;
    return prefillBusy !== undefined && this.fleet.prefill.isBusyWithPrefill(prefillBusy);
  }

  /** Whether the worker would have more than a part of its blocks in use with the prompt of a request. */
  private isFull(slot: number, target: number, part: number): boolean {
    const { decode, traits } = this.fleet;
    const { blocks, activeBlocks } = decode.cores[target].cache;
    return activeBlocks + Math.ceil(traits[slot].inputTokens / decode.args.blockTokens) > part * blocks;
  }
}

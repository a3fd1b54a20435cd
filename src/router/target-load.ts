import { PrefillLoad } from './prefill-load.js';
import type { PrefixIndex } from './prefix-index.js';

/** What a request routed to a target adds to its load. */
interface Share {
  /** Prompt blocks with an identity from the first on, and how many have none. */
  ids: Int32Array;
  otherBlocks: number;
}

/**
 * The load of one target, as the router accounts it: blocks of prompts in service, and prompt tokens in prefill.
 *
 * The blocks in service form a tree. One is in service while it has owners: requests that end with it, and blocks in
 * service right behind it. Only places where prompts part have more than one, so that a request costs its own blocks.
 */
export class TargetLoad {
  requests = 0;
  readonly prefill: PrefillLoad;
  /** Distinct prompt blocks of the requests in service. */
  blocks = 0;
  /** Owners of a block beyond the first. */
  private readonly moreOwners = new Map<number, number>();
  private readonly shares = new Map<number, Share>();

  /**
   * @param inService told of the blocks that some request in service has
   * @param isModelled whether prefill decays by estimates
   */
  constructor(
    private readonly target: number,
    private readonly inService: PrefixIndex,
    isModelled: boolean,
  ) {
    this.prefill = new PrefillLoad(isModelled);
  }

  /** @param known leading blocks of the share that are in service here */
  add(request: number, share: Share, known: number): void {
    const { inService, target, moreOwners } = this;
    const { ids, otherBlocks } = share;
    this.requests++;
    if (known > 0) {
      const last = ids[known - 1];
      moreOwners.set(last, (moreOwners.get(last) ?? 0) + 1);
    }
    for (let i = known; i < ids.length; i++) inService.stored(target, ids[i]);
    this.blocks += ids.length - known + otherBlocks;
    this.shares.set(request, share);
  }

  ended(request: number, nowMs: number): void {
    const { inService, target, moreOwners } = this;
    this.prefill.remove(request, nowMs);
    const { ids, otherBlocks } = this.shares.get(request)!;
    this.shares.delete(request);
    this.requests--;
    this.blocks -= otherBlocks;
    for (let i = ids.length - 1; i >= 0; i--) {
      const more = moreOwners.size > 0 ? moreOwners.get(ids[i]) : undefined;
      if (more !== undefined) {
        if (more === 1) moreOwners.delete(ids[i]);
        else moreOwners.set(ids[i], more - 1);
        return;
      }
      this.blocks--;
      inService.removed(target, ids[i]);
    }
  }
}

import { PrefillLoad } from './prefill-load.js';
import type { PrefixIndex } from './prefix-index.js';

/** What a request routed to a target adds to its load. */
interface Share {
  /** Prompt blocks with an identity, and how many have none. */
  ids: Int32Array;
  otherBlocks: number;
}

/** The load of one target, as the router accounts it: blocks of prompts in service, and prompt tokens in prefill. */
export class TargetLoad {
  requests = 0;
  readonly prefill: PrefillLoad;
  /** Distinct prompt blocks of the requests in service. */
  blocks = 0;
  /** Requests that have a block beyond the first that has it. */
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

  add(request: number, share: Share): void {
    const { inService, target, moreOwners } = this;
    this.requests++;
    for (const id of share.ids) {
      if (inService.has(target, id)) moreOwners.set(id, (moreOwners.get(id) ?? 0) + 1);
      else {
        this.blocks++;
        inService.stored(target, id);
      }
    }
    this.blocks += share.otherBlocks;
    this.shares.set(request, share);
  }

  ended(request: number, nowMs: number): void {
    const { inService, target, moreOwners } = this;
    this.prefill.remove(request, nowMs);
    const share = this.shares.get(request)!;
    this.shares.delete(request);
    this.requests--;
    this.blocks -= share.otherBlocks;
    for (const id of share.ids) {
      const more = moreOwners.get(id);
      if (more === undefined) {
        this.blocks--;
        inService.removed(target, id);
      } else if (more === 1) moreOwners.delete(id);
      else moreOwners.set(id, more - 1);
    }
  }
}

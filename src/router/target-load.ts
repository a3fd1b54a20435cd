/** What a request routed to a target adds to its load. */
interface Share {
  ids: Int32Array;
  namedBlocks: number;
  otherBlocks: number;
  prefillTokens: number;
}

/** The load of one target, as the router accounts it: blocks of prompts in service, and prompt tokens in prefill. */
export class TargetLoad {
  requests = 0;
  /** Prompt tokens of requests that have not had their first token. */
  prefillTokens = 0;
  /** Distinct prompt blocks of the requests in service. */
  blocks = 0;
  private readonly owners = new Map<number, number>();
  private readonly shares = new Map<number, Share>();

  /** Blocks among the first `count` identities that no request in service has. */
  newBlocks(ids: Int32Array, count: number): number {
    let shared = 0;
    while (shared < count && this.owners.has(ids[shared])) shared++;
    return count - shared;
  }

  add(request: number, share: Share): void {
    this.requests++;
    this.prefillTokens += share.prefillTokens;
    for (let i = 0; i < share.namedBlocks; i++) {
      const owners = this.owners.get(share.ids[i]) ?? 0;
      this.owners.set(share.ids[i], owners + 1);
      if (owners === 0) this.blocks++;
    }
    this.blocks += share.otherBlocks;
    this.shares.set(request, share);
  }

  prefillCompleted(request: number): void {
    const share = this.shares.get(request);
    if (!share) return;
    this.prefillTokens -= share.prefillTokens;
    share.prefillTokens = 0;
  }

  ended(request: number): void {
    this.prefillCompleted(request);
    const share = this.shares.get(request)!;
    this.shares.delete(request);
    this.requests--;
    this.blocks -= share.otherBlocks;
    for (let i = 0; i < share.namedBlocks; i++) {
      const owners = this.owners.get(share.ids[i])! - 1;
      if (owners > 0) this.owners.set(share.ids[i], owners);
      else {
        this.owners.delete(share.ids[i]);
        this.blocks--;
      }
    }
  }
}

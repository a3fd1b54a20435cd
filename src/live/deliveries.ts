interface Batch {
  endMs: number;
  tickets: number[];
}

/**
 * Tokens that are decided and not delivered: those of passes that are under way. A pass is one batch, so there are no
 * more of them than ranks.
 */
export class Deliveries {
  /** By end, the next last. */
  private readonly batches: Batch[] = [];
  private newest: Batch | undefined;

  add(ticket: number, endMs: number): void {
    if (this.newest?.endMs !== endMs) this.newest = this.open(endMs);
    this.newest.tickets.push(ticket);
  }

  private open(endMs: number): Batch {
    const { batches } = this;
    let at = batches.length;
    while (at > 0 && batches[at - 1].endMs < endMs) at--;
    if (at > 0 && batches[at - 1].endMs === endMs) return batches[at - 1];
    const batch = { endMs, tickets: [] };
    batches.splice(at, 0, batch);
    return batch;
  }

  /** Hands out the tokens whose time has come, in order. */
  deliver(nowMs: number, token: (ticket: number, atMs: number) => void): void {
    const { batches } = this;
    for (let next = batches.at(-1); next !== undefined && next.endMs <= nowMs; next = batches.at(-1)) {
      batches.pop();
      if (next === this.newest) this.newest = undefined;
      for (const ticket of next.tickets) token(ticket, next.endMs);
    }
  }
}

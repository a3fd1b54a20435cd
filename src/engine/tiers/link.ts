/** Milliseconds by which a completion may be booked early. */
const SLACK_MS = 1e-9;

interface Transfer {
  remainingBytes: number;
  bytes: number;
  startMs: number;
  done: (nowMs: number) => void;
}

/** What went over a link. Times in milliseconds; a transfer queues for as long as others slow it down. */
export interface LinkUse {
  bytes: number;
  transfers: number;
  /** Time with at least one transfer on the link. */
  busyMs: number;
  queueMs: number;
  maxQueueMs: number;
}

/**
 * A link whose bandwidth is shared evenly by the transfers on it (`kvbm_offload/bandwidth.rs` of the reference):
 * processor sharing, advanced from one completion to the next.
 */
export class Link {
  private readonly bytesPerMs: number;
  private readonly transfers: Transfer[] = [];
  private lastMs = 0;

  /** @param gigabytesPerSecond 10^9 bytes a second; 0 for a link that takes no time */
  constructor(
    gigabytesPerSecond: number,
    private readonly use: LinkUse,
  ) {
    this.bytesPerMs = gigabytesPerSecond > 0 ? gigabytesPerSecond * 1e6 : Number.POSITIVE_INFINITY;
  }

  get size(): number {
    return this.transfers.length;
  }

  /** When the next transfer completes, if nothing else starts; Infinity on an idle link. */
  get nextMs(): number {
    const { transfers } = this;
    if (transfers.length === 0) return Number.POSITIVE_INFINITY;
    return this.lastMs + this.timeOf(transfers[this.leastIndex()].remainingBytes);
  }

  /** Starts a transfer; the link has been advanced to `nowMs`. */
  start(nowMs: number, bytes: number, done: (nowMs: number) => void): void {
    this.passTime(Math.max(nowMs, this.lastMs));
    const remainingBytes = this.bytesPerMs === Number.POSITIVE_INFINITY ? 0 : bytes;
    this.transfers.push({ remainingBytes, bytes, startMs: this.lastMs, done });
    this.use.bytes += bytes;
    this.use.transfers++;
  }

  /** Whether a transfer completes by `nowMs`. */
  isDue(nowMs: number): boolean {
    return this.nextMs <= nowMs + SLACK_MS;
  }

  /** Completes the next transfer, which is due. */
  completeNext(): void {
    const { transfers, use } = this;
    const index = this.leastIndex();
    this.passTime(this.nextMs);
    const done = transfers[index];
    transfers[index] = transfers[transfers.length - 1];
    transfers.pop();
    const queueMs = Math.max(0, this.lastMs - done.startMs - done.bytes / this.bytesPerMs);
    use.queueMs += queueMs;
    use.maxQueueMs = Math.max(use.maxQueueMs, queueMs);
    done.done(this.lastMs);
  }

  /** Time that `bytes` take at the rate of now. */
  private timeOf(bytes: number): number {
    return bytes === 0 ? 0 : bytes / (this.bytesPerMs / this.transfers.length);
  }

  private passTime(nowMs: number): void {
    const { transfers, bytesPerMs } = this;
    const elapsedMs = nowMs - this.lastMs;
    if (elapsedMs <= 0) return;
    if (transfers.length > 0) {
      this.use.busyMs += elapsedMs;
      const moved = elapsedMs * (bytesPerMs / transfers.length);
      for (const transfer of transfers)
        transfer.remainingBytes = Math.max(transfer.remainingBytes - moved, 0);
    }
    this.lastMs = nowMs;
  }

  /** The transfer with the least left, the first of several. */
  private leastIndex(): number {
    const { transfers } = this;
    let least = 0;
    for (let i = 1; i < transfers.length; i++)
      if (transfers[i].remainingBytes < transfers[least].remainingBytes) least = i;
    return least;
  }
}

/** Links that run on one clock: their transfers complete in the order of time, whoever looks first. */
export class Links {
  private readonly links: Link[] = [];

  add(gigabytesPerSecond: number, use: LinkUse): Link {
    const link = new Link(gigabytesPerSecond, use);
    this.links.push(link);
    return link;
  }

  /** When the next transfer on any link completes. */
  get nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const link of this.links) next = Math.min(next, link.nextMs);
    return next;
  }

  /** Completes everything that is done by `nowMs`, and what follows from it. */
  advance(nowMs: number): void {
    for (;;) {
      let first: Link | undefined;
      for (const link of this.links)
        if (link.size > 0 && link.isDue(nowMs) && (!first || link.nextMs < first.nextMs)) first = link;
      if (!first) return;
      first.completeNext();
    }
  }
}

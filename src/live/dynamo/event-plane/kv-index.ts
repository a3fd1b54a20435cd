import type { KvChange, KvEvent, StoredBlock } from './kv-events.js';

/** Events that a router can catch up on one by one. */
const KEPT_EVENTS = 1024;

interface Entry extends StoredBlock {
  parentHash: bigint | undefined;
}

/** What a router asks for: events from a number on, or all that is cached. */
export interface KvQuery {
  start: bigint | undefined;
  end: bigint | undefined;
}

export type KvAnswer =
  | { kind: 'dump'; events: KvEvent[]; lastEventId: bigint }
  | { kind: 'events'; events: KvEvent[]; lastEventId: bigint }
  | { kind: 'tooNew'; start: bigint; end: bigint | undefined; newest: bigint }
  | { kind: 'invalid'; start: bigint; end: bigint };

/** What a rank has cached by what it has published, for routers that come late or have missed something. */
export class KvIndex {
  private readonly blocks = new Map<bigint, Entry>();
  private readonly recent: KvEvent[] = [];
  private lastEventId = 0n;

  constructor(
    private readonly workerId: bigint,
    private readonly rank: number,
  ) {}

  add(event: KvEvent): void {
    this.recent.push(event);
    if (this.recent.length > KEPT_EVENTS) this.recent.shift();
    this.lastEventId = event.eventId;
    if (event.tier === 'device') this.apply(event.change);
  }

  private apply(change: KvChange): void {
    if (change.kind === 'cleared') this.blocks.clear();
    else if (change.kind === 'removed') for (const hash of change.blockHashes) this.blocks.delete(hash);
    else {
      let { parentHash } = change;
      for (const block of change.blocks) {
        this.blocks.set(block.blockHash, { ...block, parentHash });
        parentHash = block.blockHash;
      }
    }
  }

  answer({ start, end }: KvQuery): KvAnswer {
    if (start !== undefined && end !== undefined && end < start) return { kind: 'invalid', start, end };
    const oldest = this.recent[0]?.eventId;
    if (start === undefined || oldest === undefined || start < oldest) return this.dump();
    if (start > this.lastEventId) return { kind: 'tooNew', start, end, newest: this.lastEventId };
    const events = this.recent.filter(
      ({ eventId }) => eventId >= start && (end === undefined || eventId <= end),
    );
    return { kind: 'events', events, lastEventId: this.lastEventId };
  }

  /** All that is cached, a block an event, each after its parent. */
  private dump(): KvAnswer {
    const events: KvEvent[] = [];
    const told = new Set<bigint>();
    const chain: Entry[] = [];
    for (const block of this.blocks.values()) {
      let at: Entry | undefined = block;
      while (at && !told.has(at.blockHash)) {
        chain.push(at);
        told.add(at.blockHash);
        at = at.parentHash === undefined ? undefined : this.blocks.get(at.parentHash);
      }
      while (chain.length > 0) events.push(this.stored(chain.pop()!, BigInt(events.length)));
    }
    return { kind: 'dump', events, lastEventId: this.lastEventId };
  }

  private stored({ parentHash, blockHash, tokensHash }: Entry, eventId: bigint): KvEvent {
    const change: KvChange = { kind: 'stored', parentHash, blocks: [{ blockHash, tokensHash }] };
    return { workerId: this.workerId, rank: this.rank, tier: 'device', eventId, change };
  }
}

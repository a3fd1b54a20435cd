import type { BlockHashes } from '../../block-hashes.js';
import { Fields, type WireValue } from '../codec/value.js';
import { type KvChange, type KvEvent, readKvEvent } from '../event-plane/kv-events.js';
import type { BlockNames } from './block-names.js';

/** Hears what a rank caches, by the numbers of blocks. */
export interface CacheListener {
  stored(id: number): void;
  removed(id: number): void;
}

/** Asks the worker what it has cached, from an event on, or all of it. */
export type AskWorker = (startEventId: bigint | undefined, answer: (value: WireValue) => void) => void;

/**
 * What a rank of a worker has cached, by its events. Whoever comes late, or has missed an event, asks the worker; events
 * that come meanwhile wait.
 */
export class RemoteCache {
  /** Identity of each block by what the worker calls it: engines have hashes of their own. */
  private readonly blocks = new Map<bigint, bigint>();
  private readonly waiting: KvEvent[] = [];
  private lastEventId = 0n;
  private isAsking = false;

  constructor(
    private readonly hashes: BlockHashes,
    private readonly names: BlockNames,
    private readonly listener: CacheListener,
    /** undefined for a worker that cannot be asked. */
    private readonly ask: AskWorker | undefined,
  ) {
    this.recover(undefined);
  }

  hear(events: readonly KvEvent[]): void {
    this.waiting.push(...events.filter(({ tier }) => tier === 'device'));
    this.catchUp();
  }

  private recover(start: bigint | undefined): void {
    if (!this.ask || this.isAsking) return;
    this.isAsking = true;
    this.ask(start, (value) => {
      this.isAsking = false;
      this.take(value);
      this.catchUp();
    });
  }

  /** An answer is a map of one member, whose name says what it is. */
  private take(value: WireValue): void {
    const [kind, body] = value instanceof Map ? ([...value][0] ?? ['', null]) : ['', null];
    if (kind !== 'TreeDump' && kind !== 'Events') return;
    const fields = Fields.of(body, kind);
    if (kind === 'TreeDump') this.clear();
    for (const event of fields.list('events').map(readKvEvent)) this.apply(event.change);
    this.lastEventId = fields.u64('last_event_id');
  }

  private catchUp(): void {
    while (!this.isAsking && this.waiting.length > 0) {
      const { eventId, change } = this.waiting[0];
      if (this.ask && eventId > this.lastEventId + 1n && this.lastEventId > 0n) {
        // Something was missed. What the worker does not tell either is given up.
        this.lastEventId = eventId - 1n;
        this.recover(undefined);
        return;
      }
      this.waiting.shift();
      if (eventId <= this.lastEventId) continue;
      this.lastEventId = eventId;
      this.apply(change);
    }
  }

  private apply(change: KvChange): void {
    if (change.kind === 'cleared') this.clear();
    else if (change.kind === 'removed') for (const hash of change.blockHashes) this.remove(hash);
    else this.store(change);
  }

  private store({ parentHash, blocks }: Extract<KvChange, { kind: 'stored' }>): void {
    let parent = parentHash === undefined ? undefined : this.blocks.get(parentHash);
    // A block whose beginning is unknown cannot be matched.
    if (parentHash !== undefined && parent === undefined) return;
    for (const { blockHash, tokensHash } of blocks) {
      const identity = this.hashes.child(parent, tokensHash);
      parent = identity;
      if (this.blocks.has(blockHash)) continue;
      this.blocks.set(blockHash, identity);
      this.listener.stored(this.names.retain(identity));
    }
  }

  private remove(blockHash: bigint): void {
    const identity = this.blocks.get(blockHash);
    if (identity === undefined) return;
    this.blocks.delete(blockHash);
    const id = this.names.retain(identity);
    this.listener.removed(id);
    this.names.release(identity);
    this.names.release(identity);
  }

  /** Forgets everything. */
  clear(): void {
    for (const hash of [...this.blocks.keys()]) this.remove(hash);
  }
}

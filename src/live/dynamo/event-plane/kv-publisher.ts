import type { BlockHashes } from '../../block-hashes.js';
import { encodeKvEvents, type KvChange, type KvEvent } from './kv-events.js';
import type { KvIndex } from './kv-index.js';
import type { Publisher } from './plane.js';
import { MAX_JOINED_BLOCKS, VllmPublisher } from './vllm-publisher.js';
import type { RawEventPort } from './zmq.js';

/** Most events, and blocks, of one message. */
const MAX_EVENTS = 128;
const MAX_BLOCKS = 8192;

/** Where the KV events of a rank go. */
export interface KvOutlets {
  publisher: Publisher;
  index: KvIndex;
  raw: RawEventPort | undefined;
}

/** Turns what happens in the cache of a rank into events: joined where they continue each other, numbered, published. */
export class KvPublisher {
  private readonly pending: KvChange[] = [];
  /** The same in vLLM's layout, where it is wanted. */
  private readonly raw: VllmPublisher | undefined;
  private nextEventId = 1n;

  constructor(
    private readonly workerId: bigint,
    private readonly rank: number,
    blockTokens: number,
    private readonly hashes: BlockHashes,
    private readonly outlets: KvOutlets,
    unixMs: () => number,
  ) {
    const { raw } = outlets;
    this.raw = raw && new VllmPublisher(rank, blockTokens, hashes, (batch) => raw.send(batch), unixMs);
  }

  stored(node: number): void {
    const { hashes, pending } = this;
    const block = { blockHash: hashes.blockHash(node), tokensHash: hashes.tokensHash(node) };
    const parentHash = hashes.parentHash(node);
    const last = pending.at(-1);
    const continues =
      last?.kind === 'stored' &&
      last.blocks.length < MAX_JOINED_BLOCKS &&
      last.blocks.at(-1)!.blockHash === parentHash;
    if (continues) last.blocks.push(block);
    else pending.push({ kind: 'stored', parentHash, blocks: [block] });
    this.raw?.stored(node);
  }

  removed(node: number): void {
    const blockHash = this.hashes.blockHash(node);
    const last = this.pending.at(-1);
    if (last?.kind === 'removed' && last.blockHashes.length < MAX_JOINED_BLOCKS)
      last.blockHashes.push(blockHash);
    else this.pending.push({ kind: 'removed', blockHashes: [blockHash] });
    this.raw?.removed(node);
  }

  /** Publishes what has happened since the last time. */
  publish(): void {
    if (this.pending.length === 0) return;
    const { workerId, rank, outlets } = this;
    const events = this.pending.splice(0).map((change): KvEvent => {
      const event: KvEvent = { workerId, rank, tier: 'device', eventId: this.nextEventId++, change };
      outlets.index.add(event);
      return event;
    });
    for (const message of messagesOf(events)) outlets.publisher.publish(encodeKvEvents(message));
    this.raw?.publish();
  }
}

/** Cuts events into messages of bounded size. */
function messagesOf(events: readonly KvEvent[]): KvEvent[][] {
  const messages: KvEvent[][] = [];
  let message: KvEvent[] = [];
  let blocks = 0;
  for (const event of events) {
    const size = blocksOf(event.change);
    if (message.length > 0 && (message.length === MAX_EVENTS || blocks + size > MAX_BLOCKS)) {
      messages.push(message);
      message = [];
      blocks = 0;
    }
    message.push(event);
    blocks += size;
  }
  if (message.length > 0) messages.push(message);
  return messages;
}

function blocksOf(change: KvChange): number {
  if (change.kind === 'stored') return change.blocks.length;
  return change.kind === 'removed' ? change.blockHashes.length : 0;
}

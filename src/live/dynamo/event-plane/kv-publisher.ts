import type { BlockHashes } from '../../block-hashes.js';
import { encodeKvEvents, type KvChange, type KvEvent } from './kv-events.js';
import type { KvIndex } from './kv-index.js';
import type { Publisher } from './plane.js';
import { encodeVllmBatch, type VllmEvent } from './vllm-events.js';
import type { RawEventPort } from './zmq.js';

/** Most events, and blocks, of one message. */
const MAX_EVENTS = 128;
const MAX_BLOCKS = 8192;
/** Changes are joined up to so many blocks. */
const MAX_JOINED_BLOCKS = 128;

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
  private readonly pendingRaw: VllmEvent[] = [];
  private nextEventId = 1n;

  constructor(
    private readonly workerId: bigint,
    private readonly rank: number,
    private readonly blockTokens: number,
    private readonly hashes: BlockHashes,
    private readonly outlets: KvOutlets,
    private readonly unixMs: () => number,
  ) {}

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
    if (this.outlets.raw) this.storedRaw(node, block.blockHash, parentHash, continues);
  }

  private storedRaw(
    node: number,
    blockHash: bigint,
    parentHash: bigint | undefined,
    continues: boolean,
  ): void {
    const tokens = [...this.hashes.tokensOf(node)];
    const last = this.pendingRaw.at(-1);
    if (continues && last?.kind === 'stored') {
      last.blockHashes.push(blockHash);
      last.tokens.push(...tokens);
      return;
    }
    const { blockTokens } = this;
    this.pendingRaw.push({ kind: 'stored', blockHashes: [blockHash], parentHash, tokens, blockTokens });
  }

  removed(node: number): void {
    const blockHash = this.hashes.blockHash(node);
    for (const list of [this.pending, this.outlets.raw ? this.pendingRaw : undefined]) {
      const last = list?.at(-1);
      if (last?.kind === 'removed' && last.blockHashes.length < MAX_JOINED_BLOCKS)
        last.blockHashes.push(blockHash);
      else list?.push({ kind: 'removed', blockHashes: [blockHash] });
    }
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
    if (!outlets.raw) return;
    const batch = { timeSeconds: this.unixMs() / 1000, events: this.pendingRaw.splice(0), rank };
    outlets.raw.send(encodeVllmBatch(batch));
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

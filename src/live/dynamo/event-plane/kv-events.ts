import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import { Fields, WireError, type WireValue, type Writable } from '../codec/value.js';

type StorageTier = 'device' | 'host_pinned' | 'disk' | 'external';

/** A cached block: its identity (a hash of all content up to its end) and the hash of its own tokens. */
export interface StoredBlock {
  blockHash: bigint;
  tokensHash: bigint;
}

/** Something that happened in the KV cache of a rank. */
export type KvChange =
  | {
      kind: 'stored';
      parentHash: bigint | undefined;
      startPosition?: number | undefined;
      blocks: StoredBlock[];
    }
  | { kind: 'removed'; blockHashes: bigint[] }
  | { kind: 'cleared' };

/** A change as routers hear of it; ids count from 1 for each publisher. */
export interface KvEvent {
  workerId: bigint;
  rank: number;
  tier: StorageTier;
  eventId: bigint;
  change: KvChange;
}

export function kvEventValue({ workerId, rank, tier, eventId, change }: KvEvent): Writable {
  return {
    worker_id: workerId,
    storage_tier: tier,
    event: { event_id: eventId, data: changeValue(change), dp_rank: rank },
  };
}

function changeValue(change: KvChange): Writable {
  if (change.kind === 'cleared') return 'cleared';
  if (change.kind === 'removed') return { removed: { block_hashes: change.blockHashes } };
  return {
    stored: {
      parent_hash: change.parentHash ?? null,
      start_position: change.startPosition ?? null,
      blocks: change.blocks.map(({ blockHash, tokensHash }) => ({
        block_hash: blockHash,
        tokens_hash: tokensHash,
        mm_extra_info: null,
      })),
    },
  };
}

/** @throws {WireError} */
export function readKvEvent(value: WireValue): KvEvent {
  const fields = Fields.of(value, 'router event');
  const event = fields.fields('event');
  return {
    workerId: fields.u64('worker_id'),
    rank: event.count('dp_rank'),
    tier: (fields.optionalText('storage_tier') ?? 'device') as StorageTier,
    eventId: event.u64('event_id'),
    change: readChange(event.get('data')),
  };
}

function readChange(value: WireValue | undefined): KvChange {
  if (value === 'cleared') return { kind: 'cleared' };
  const data = Fields.of(value, 'event.data');
  const removed = data.optionalFields('removed');
  if (removed) return { kind: 'removed', blockHashes: removed.list('block_hashes').map(hash) };
  const stored = data.fields('stored');
  return {
    kind: 'stored',
    parentHash: stored.optionalU64('parent_hash'),
    startPosition: stored.optionalCount('start_position'),
    blocks: stored.list('blocks').map((block) => {
      const fields = Fields.of(block, 'block');
      return { blockHash: fields.u64('block_hash'), tokensHash: fields.u64('tokens_hash') };
    }),
  };
}

function hash(value: WireValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(value);
  throw new WireError('a block hash must be an integer');
}

/** The payload of one message: the events of one publication. */
export function encodeKvEvents(events: readonly KvEvent[]): Buffer {
  return encodeMsgpack(events.map(kvEventValue));
}

/** @throws {WireError} */
export function decodeKvEvents(payload: Uint8Array): KvEvent[] {
  const list = decodeMsgpack(payload);
  if (!Array.isArray(list)) throw new WireError('KV events: expected a list');
  return list.map(readKvEvent);
}

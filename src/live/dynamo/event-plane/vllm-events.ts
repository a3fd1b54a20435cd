import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import { Float, WireError, type WireValue, type Writable } from '../codec/value.js';

/** A KV event in the layout of vLLM: block hashes, and the tokens themselves instead of their hashes. */
export type VllmEvent =
  | {
      kind: 'stored';
      blockHashes: bigint[];
      parentHash: bigint | undefined;
      tokens: number[];
      blockTokens: number;
    }
  | { kind: 'removed'; blockHashes: bigint[] }
  | { kind: 'cleared' };

export interface VllmBatch {
  /** Unix time in seconds. */
  timeSeconds: number;
  events: VllmEvent[];
  rank: number;
}

/** Group of the KV cache, which ends an event; there is one. */
const GROUP = 0;

/**
 * Writes a batch as vLLM does. The reference's mocker leaves out the storage medium, so that readers take the group
 * for it and drop every batch with a removal: here it is written as absent.
 */
export function encodeVllmBatch({ timeSeconds, events, rank }: VllmBatch): Buffer {
  return encodeMsgpack([new Float(timeSeconds), events.map(eventValue), rank]);
}

function eventValue(event: VllmEvent): Writable {
  if (event.kind === 'cleared') return ['AllBlocksCleared'];
  if (event.kind === 'removed') return ['BlockRemoved', event.blockHashes, null, GROUP];
  const { blockHashes, parentHash, tokens, blockTokens } = event;
  return ['BlockStored', blockHashes, parentHash ?? null, tokens, blockTokens, null, null];
}

/** Reads a batch, also in the reference mocker's shorter layout. @throws {WireError} */
export function decodeVllmBatch(payload: Uint8Array): VllmBatch {
  const batch = decodeMsgpack(payload);
  if (!Array.isArray(batch) || !(batch[0] instanceof Float) || !Array.isArray(batch[1]))
    throw new WireError('a batch of KV events is a list of time, events and rank');
  const rank = typeof batch[2] === 'number' ? batch[2] : 0;
  return { timeSeconds: batch[0].value, events: batch[1].map(readEvent), rank };
}

function readEvent(value: WireValue): VllmEvent {
  const [name, hashes, parent, tokens, blockTokens] = Array.isArray(value) ? value : [];
  if (name === 'AllBlocksCleared') return { kind: 'cleared' };
  const blockHashes = (Array.isArray(hashes) ? hashes : []).map(hash);
  if (name === 'BlockRemoved') return { kind: 'removed', blockHashes };
  if (name !== 'BlockStored' || !Array.isArray(tokens) || typeof blockTokens !== 'number')
    throw new WireError('a KV event is BlockStored, BlockRemoved or AllBlocksCleared');
  return {
    kind: 'stored',
    blockHashes,
    parentHash: parent === null ? undefined : hash(parent),
    tokens: tokens.map(Number),
    blockTokens,
  };
}

/** Hashes come signed or unsigned. */
function hash(value: WireValue): bigint {
  if (typeof value === 'bigint' || typeof value === 'number') return BigInt.asUintN(64, BigInt(value));
  throw new WireError('a block hash must be an integer');
}

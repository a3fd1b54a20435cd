import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { BlockHashes } from '../../block-hashes.js';
import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import type { WireValue } from '../codec/value.js';
import { type KvChange, type KvEvent, kvEventValue } from '../event-plane/kv-events.js';
import { BlockNames } from './block-names.js';
import { RemoteCache } from './remote-cache.js';

let hashes: BlockHashes;
let names: BlockNames;
let held: Map<number, number>;

beforeEach(async () => {
  hashes = await BlockHashes.create();
  names = new BlockNames();
  held = new Map();
});

const listener = {
  stored: (id: number) => void held.set(id, (held.get(id) ?? 0) + 1),
  removed: (id: number) => void held.delete(id),
};

const event = (eventId: number, change: KvChange): KvEvent => ({
  ...{ workerId: 7n, rank: 0, tier: 'device', eventId: BigInt(eventId), change },
});
/** Blocks as an engine names them that has hashes of its own. */
const stored = (eventId: number, parentHash: bigint | undefined, ...tokens: number[]): KvEvent =>
  event(eventId, {
    kind: 'stored',
    parentHash,
    blocks: tokens.map((token) => ({ blockHash: BigInt(1000 + token), tokensHash: BigInt(token) })),
  });
const removed = (eventId: number, ...tokens: number[]): KvEvent =>
  event(eventId, { kind: 'removed', blockHashes: tokens.map((token) => BigInt(1000 + token)) });

const dump = (lastEventId: number, ...events: KvEvent[]): WireValue =>
  decodeMsgpack(
    encodeMsgpack({ TreeDump: { events: events.map(kvEventValue), last_event_id: lastEventId } }),
  );

/** Whether the router knows of a chain of blocks as cached, by the prompt that would match it. */
const isKnown = (...tokens: number[]): boolean => {
  let identity: bigint | undefined;
  for (const token of tokens) identity = hashes.child(identity, BigInt(token));
  const id = names.retain(identity!);
  names.release(identity!);
  return held.has(id);
};

describe('the cache of a worker', () => {
  it('is known by its content, whatever the worker calls its blocks', () => {
    const cache = new RemoteCache(hashes, names, listener, undefined);
    cache.hear([stored(1, undefined, 1, 2), stored(2, 1002n, 3), removed(3, 2)]);
    expect([isKnown(1), isKnown(1, 2), isKnown(1, 2, 3), isKnown(2)]).toEqual([true, false, true, false]);
    cache.clear();
    expect(held.size).toBe(0);
  });

  it('is asked for by who comes late; events that come meanwhile count once', () => {
    let answer = (_: WireValue): void => {};
    const cache = new RemoteCache(hashes, names, listener, (_, give) => {
      answer = give;
    });
    cache.hear([removed(5, 2), stored(6, 1001n, 4)]);
    expect(held.size).toBe(0);
    answer(dump(5, stored(0, undefined, 1), stored(1, 1001n, 3)));
    expect([isKnown(1), isKnown(1, 3), isKnown(1, 4)]).toEqual([true, true, true]);
  });

  it('is asked for again where events are missing', () => {
    const asked: ((value: WireValue) => void)[] = [];
    const cache = new RemoteCache(hashes, names, listener, (_, give) => asked.push(give));
    asked[0](dump(1, stored(0, undefined, 1)));
    cache.hear([stored(4, undefined, 2)]);
    expect(asked).toHaveLength(2);
    asked[1](dump(3, stored(0, undefined, 5)));
    expect([isKnown(1), isKnown(5), isKnown(2)]).toEqual([false, true, true]);
  });

  it('forgets all it knew when it is over, whatever has happened', () => {
    const change = fc.oneof(
      fc.tuple(fc.constant('stored'), fc.nat(9), fc.nat(9)),
      fc.tuple(fc.constant('removed'), fc.nat(9), fc.constant(0)),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const cache = new RemoteCache(hashes, names, listener, undefined);
        for (const [index, [kind, token, parent]] of changes.entries())
          cache.hear([
            kind === 'stored'
              ? stored(index + 1, parent === 0 ? undefined : BigInt(1000 + parent), token)
              : removed(index + 1, token),
          ]);
        cache.clear();
        expect(held.size).toBe(0);
      }),
    );
  });
});

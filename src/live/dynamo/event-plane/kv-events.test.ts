import { beforeEach, describe, expect, it, vi } from 'vitest';
import { BlockHashes } from '../../block-hashes.js';
import { decodeKvEvents, type KvEvent } from './kv-events.js';
import { KvIndex } from './kv-index.js';
import { KvPublisher } from './kv-publisher.js';
import { Publisher } from './plane.js';

let hashes: BlockHashes;
let published: KvEvent[][];
let index: KvIndex;
let kv: KvPublisher;

beforeEach(async () => {
  hashes = await BlockHashes.create();
  published = [];
  index = new KvIndex(7n, 1);
  const outlet = {
    transport: { kind: 'zmq', endpoint: '' } as const,
    send: vi.fn(({ payload }) => void published.push(decodeKvEvents(payload))),
    close: async () => {},
  };
  const publisher = new Publisher(1n, 'kv-events', outlet, () => 0);
  kv = new KvPublisher(7n, 1, 4, hashes, { publisher, index, raw: undefined }, () => 0);
  // 1 – 2 – 3 and 1 – 4, each a block of other tokens.
  for (const [node, parent] of [
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 1],
  ])
    hashes.named(node, parent, Uint32Array.of(node, node, node, node));
});

const blocksOf = ({ change }: KvEvent): bigint[] =>
  change.kind === 'stored' ? change.blocks.map((block) => block.blockHash) : [];
const named = (...nodes: number[]): bigint[] => nodes.map((node) => hashes.blockHash(node));

describe('KV events', () => {
  it('join what continues, and are numbered from 1', () => {
    for (const node of [1, 2, 3, 4]) kv.stored(node);
    kv.removed(3);
    kv.removed(4);
    kv.publish();
    expect(published).toHaveLength(1);
    expect(published[0].map(blocksOf)).toEqual([named(1, 2, 3), named(4), []]);
    expect(published[0][2].change).toEqual({ kind: 'removed', blockHashes: named(3, 4) });
    expect(published[0].map(({ eventId }) => eventId)).toEqual([1n, 2n, 3n]);
    kv.publish();
    expect(published).toHaveLength(1);
  });

  it('are cut into messages of 128', () => {
    for (let i = 0; i < 130; i++) {
      kv.stored(1);
      kv.removed(1);
    }
    kv.publish();
    expect(published.map((events) => events.length)).toEqual([128, 128, 4]);
  });
});

describe('the index of a rank', () => {
  it('tells all that is cached, parents first', () => {
    for (const node of [1, 2, 3, 4]) kv.stored(node);
    kv.removed(2);
    kv.publish();
    const answer = index.answer({ start: undefined, end: undefined });
    expect(answer).toMatchObject({ kind: 'dump', lastEventId: 3n });
    if (answer.kind !== 'dump') return;
    expect(answer.events.flatMap(blocksOf)).toEqual(named(1, 3, 4));
    expect(answer.events.map(({ eventId }) => eventId)).toEqual([0n, 1n, 2n]);
  });

  it('tells what came after an event, as far as it remembers', () => {
    expect(index.answer({ start: 1n, end: undefined })).toMatchObject({ kind: 'dump', lastEventId: 0n });
    for (let i = 0; i < 600; i++) {
      kv.stored(1);
      kv.removed(1);
    }
    kv.publish();
    expect(index.answer({ start: 1199n, end: undefined })).toMatchObject({
      kind: 'events',
      events: [{ eventId: 1199n }, { eventId: 1200n }],
    });
    expect(index.answer({ start: 1190n, end: 1191n })).toMatchObject({ events: { length: 2 } });
    expect(index.answer({ start: 2n, end: undefined }).kind).toBe('dump');
    expect(index.answer({ start: 1201n, end: undefined })).toMatchObject({ kind: 'tooNew', newest: 1200n });
    expect(index.answer({ start: 9n, end: 8n }).kind).toBe('invalid');
  });
});

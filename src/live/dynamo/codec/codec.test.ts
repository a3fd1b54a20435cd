import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTwoPart, encodeRequestFrame, encodeTwoPart, FrameReader } from './frames.js';
import { decodeJson, encodeJson } from './json.js';
import { decodeMsgpack, encodeMsgpack } from './msgpack.js';
import { Fields, Float, WireError, type WireValue } from './value.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('MessagePack', () => {
  it.each([
    ['the shortest integer that fits', 127, '7f'],
    ['a byte', 200, 'cc c8'],
    ['two bytes', 1184, 'cd 04a0'],
    ['four bytes', 0xffffffff, 'ce ffffffff'],
    ['eight bytes', 2 ** 40, 'cf 0000010000000000'],
    ['64 bits', 5550444474288736492n, 'cf 4d0723d7838288ec'],
    ['small negatives', -32, 'e0'],
    ['larger negatives', -200, 'd1 ff38'],
    ['64-bit negatives', -(2 ** 40), 'd3 ffffff0000000000'],
    ['floats although whole', new Float(0), 'cb 0000000000000000'],
    ['short floats', new Float(1.5, 4), 'ca 3fc00000'],
    ['bytes, not text', Buffer.from([1, 2]), 'c4 02 0102'],
    [
      'a map in order',
      new Map([
        ['b', 1],
        ['a', null],
      ]),
      '82 a162 01 a161 c0',
    ],
  ] as [string, WireValue, string][])('writes %s', (_, value, bytes) => {
    expect(encodeMsgpack(value).toString('hex')).toBe(hex(bytes).toString('hex'));
    expect(encodeMsgpack(decodeMsgpack(hex(bytes)))).toEqual(hex(bytes));
  });

  it('reads what a worker of Dynamo says of one token', () => {
    const item = decodeMsgpack(
      hex('82a46461746181a46461746181a9746f6b656e5f69647391cd04a0ae636f6d706c6574655f66696e616cc2'),
    );
    const fields = Fields.of(item, 'item');
    expect([...fields.fields('data').fields('data').u32List('token_ids')]).toEqual([1184]);
    expect(fields.flag('complete_final', true)).toBe(false);
  });

  it.each(['', '92 01', 'a5 61', 'c1', '01 01', '81 01 01'])('refuses %j', (bytes) => {
    expect(() => decodeMsgpack(hex(bytes))).toThrow(WireError);
  });
});

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.string({ unit: 'binary' }),
  fc.maxSafeInteger(),
  fc.bigInt(2n ** 53n, 2n ** 64n - 1n),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Float(value)),
);
const { value: anyValue } = fc.letrec<{ value: WireValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 20 }),
    fc
      .array(fc.tuple(fc.string({ unit: 'binary' }), tie('value')), { maxLength: 20 })
      .map((entries) => new Map(entries)),
  ),
}));

describe('values', () => {
  it('come back from MessagePack as they went', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeMsgpack(value);
        expect(encodeMsgpack(decodeMsgpack(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  it('come back from JSON as they went', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = encodeJson(value);
        expect(encodeJson(decodeJson(text))).toBe(text);
        expect(() => JSON.parse(text)).not.toThrow();
      }),
    );
  });

  it('keep ids of 64 bits and the text of floats in JSON', () => {
    const text = '{"id":14108535875771164847,"x":64.0,"y":1e-7,"z":[1,-2]}';
    expect(encodeJson(decodeJson(text))).toBe(text);
  });

  it('of random bytes are read or refused, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeMsgpack(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});

describe('frames', () => {
  const frames = ['a/generate', 'b/generate', 'c/x'].map((path, index) => ({
    path,
    headers: Buffer.from('{}'),
    payload: encodeTwoPart({ header: Buffer.from('{"a":1}'), data: Buffer.alloc(index * 3000, index) }),
  }));
  const stream = Buffer.concat(frames.map(encodeRequestFrame));

  it('are found however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const reader = FrameReader.requests();
        const found = [];
        let at = 0;
        for (let i = 0; at < stream.length; i++) {
          const end = at + sizes[i % sizes.length];
          found.push(...reader.push(stream.subarray(at, end)));
          at = end;
        }
        expect(found).toEqual(frames);
        expect(reader.isAtBoundary).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('hold two parts', () => {
    expect(decodeTwoPart(frames[2].payload).data).toHaveLength(6000);
    expect(() => decodeTwoPart(frames[2].payload.subarray(1))).toThrow(WireError);
  });

  it('that are too long are refused before they are there', () => {
    const head = encodeTwoPart({});
    head.writeBigUInt64BE(2n ** 40n, 8);
    expect(() => FrameReader.twoParts().push(head)).toThrow('too long');
  });
});

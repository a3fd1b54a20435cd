import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import { Fields, WireError } from '../codec/value.js';

const FRAME_VERSION = 1;
const HEAD_BYTES = 5;

/** What carries a payload over the event plane. */
export interface Envelope {
  publisherId: bigint;
  /** From 0, one more for each message of a publisher. */
  sequence: bigint;
  /** Unix time in milliseconds. */
  publishedAtMs: bigint;
  topic: string;
  payload: Uint8Array;
}

export function encodeEnvelope(envelope: Envelope): Buffer {
  return encodeMsgpack({
    publisher_id: envelope.publisherId,
    sequence: envelope.sequence,
    published_at: envelope.publishedAtMs,
    topic: envelope.topic,
    payload: envelope.payload,
  });
}

/** @throws {WireError} */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const fields = Fields.of(decodeMsgpack(bytes), 'envelope');
  const payload = fields.get('payload');
  if (!(payload instanceof Uint8Array)) throw new WireError('envelope.payload: expected bytes');
  return {
    publisherId: fields.u64('publisher_id'),
    sequence: fields.u64('sequence'),
    publishedAtMs: fields.u64('published_at'),
    topic: fields.text('topic'),
    payload,
  };
}

/** The four frames of a message over ZMQ. */
export function encodeZmqMessage(envelope: Envelope): Buffer[] {
  const body = encodeEnvelope(envelope);
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt8(FRAME_VERSION, 0);
  head.writeUInt32BE(body.length, 1);
  return [
    Buffer.from(envelope.topic),
    u64(envelope.publisherId),
    u64(envelope.sequence),
    Buffer.concat([head, body]),
  ];
}

/** @throws {WireError} also when the frames disagree with the envelope */
export function decodeZmqMessage(frames: readonly Buffer[]): Envelope {
  const [topic, publisher, sequence, body] = frames;
  if (frames.length !== 4 || publisher.length !== 8 || sequence.length !== 8 || body.length < HEAD_BYTES)
    throw new WireError('an event message has four frames: topic, publisher, sequence, envelope');
  if (body[0] !== FRAME_VERSION || body.readUInt32BE(1) !== body.length - HEAD_BYTES)
    throw new WireError(`an event frame of version ${body[0]} and ${body.length} bytes`);
  const envelope = decodeEnvelope(body.subarray(HEAD_BYTES));
  if (
    envelope.publisherId !== publisher.readBigUInt64BE(0) ||
    envelope.sequence !== sequence.readBigUInt64BE(0) ||
    !topic.toString().endsWith(envelope.topic)
  )
    throw new WireError('the frames of an event message disagree with its envelope');
  return envelope;
}

/** An unsigned integer of eight bytes, big-endian. */
export function u64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value, 0);
  return bytes;
}

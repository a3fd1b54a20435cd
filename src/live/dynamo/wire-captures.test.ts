import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  decodeTwoPart,
  encodeAck,
  encodeBootstrapFrame,
  encodeRequestFrame,
  encodeTwoPart,
  FrameReader,
  type TwoPart,
} from './codec/frames.js';
import { decodeJson, encodeJson } from './codec/json.js';
import { decodeMsgpack, encodeMsgpack } from './codec/msgpack.js';
import { Fields } from './codec/value.js';
import { fileNameOf, keyOfFile } from './discovery/names.js';
import { decodeRecord, encodeRecord, placeOf } from './discovery/records.js';
import { decodeZmqMessage, encodeZmqMessage } from './event-plane/envelope.js';
import { decodeKvEvents, encodeKvEvents } from './event-plane/kv-events.js';
import {
  decodeActiveLoad,
  decodePassReport,
  encodeActiveLoad,
  encodePassReport,
} from './event-plane/metrics.js';
import { decodeVllmBatch, encodeVllmBatch } from './event-plane/vllm-events.js';
import { decodeHandoff, encodeHandoff, GREETING } from './handoff/messages.js';
import { readGenerateRequest } from './request-plane/generate.js';
import {
  type Codec,
  decodeControl,
  decodeData,
  encodeControl,
  encodeData,
} from './request-plane/messages.js';

/** Recorded traffic of a real deployment, beside the project; not there on a fresh clone. */
const CAPTURES = fileURLToPath(new URL('../../../../shared/reference/live', import.meta.url));
const present = existsSync(CAPTURES);
if (!present) console.warn(`skipped: no captures in ${CAPTURES}`);

const files = (name: string): string[] =>
  present
    ? readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(name))
    : [];
const text = (file: string): string => readFileSync(join(CAPTURES, file), 'utf8');

/** Bytes that were captured, which may end within a frame. */
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

interface Connection {
  kind: string;
  sent_hex: string;
  reply_hex: string;
}

/** Where captures are cut. */
const MAX_CAPTURED_BYTES = 20_000;

/** Compares frames with the bytes that they were read from, all of them unless the capture was cut. */
function sameBytes(captured: Buffer, encoded: readonly Buffer[]): void {
  const again = Buffer.concat(encoded);
  if (captured.length < MAX_CAPTURED_BYTES) expect(again.length).toBe(captured.length);
  expect(again.equals(captured.subarray(0, again.length))).toBe(true);
}

/** The data part of a message, decoded and encoded in the codec in which it was written. */
function again(data: Buffer): Buffer {
  if (data.length === 0) return data;
  const codec: Codec = data[0] === 0x7b ? 'json' : 'msgpack';
  return encodeData(codec, decodeData(codec, data));
}

function twoPartAgain({ header, data }: TwoPart): Buffer {
  const control = header.length === 0 ? header : Buffer.from(encodeJson(decodeJson(header.toString())));
  return encodeTwoPart({ header: control, data: again(data) });
}

function checkRequests(sent: Buffer, reply: Buffer): void {
  const frames = FrameReader.requests().push(sent);
  expect(frames.length).toBeGreaterThan(0);
  const encoded = frames.map((frame) => {
    const { header, data } = decodeTwoPart(frame.payload);
    const control = encodeControl(decodeControl(header));
    expect(control.toString()).toBe(header.toString());
    const headers = Buffer.from(encodeJson(decodeJson(frame.headers.toString())));
    const value = decodeData(decodeControl(header).codec, data);
    if (frame.path.endsWith('/generate')) expect(readGenerateRequest(value).tokens.length).toBeGreaterThan(0);
    return encodeRequestFrame({
      path: frame.path,
      headers,
      payload: encodeTwoPart({ header: control, data: again(data) }),
    });
  });
  sameBytes(sent, encoded);
  sameBytes(reply, FrameReader.acks().push(reply).map(encodeAck));
}

function checkBootstrap(stream: Buffer): void {
  const frames = FrameReader.bootstrap().push(stream);
  expect(frames.length).toBeGreaterThan(0);
  sameBytes(
    stream,
    frames.map((frame) => {
      const { identity, message } = decodeHandoff(frame);
      return encodeBootstrapFrame(encodeHandoff(identity, message));
    }),
  );
}

describe.skipIf(!present)('captured connections', () => {
  it.each(files('wire.json'))('%s are decoded and encoded to the same bytes', (file) => {
    for (const { kind, sent_hex, reply_hex } of JSON.parse(text(file)) as Connection[]) {
      const sent = bytes(sent_hex);
      const reply = bytes(reply_hex);
      if (kind === 'request-plane') checkRequests(sent, reply);
      if (kind === 'response-stream')
        for (const stream of [sent, reply])
          sameBytes(stream, FrameReader.twoParts().push(stream).map(twoPartAgain));
      if (kind !== 'bootstrap') continue;
      expect(sent.subarray(0, GREETING.length).equals(GREETING)).toBe(true);
      checkBootstrap(sent.subarray(GREETING.length));
      checkBootstrap(reply);
    }
  });

  it.each(files('-cases.json'))('%s: so are the calls of single clients', (file) => {
    for (const call of JSON.parse(text(file))) {
      const frame = bytes(call.request_frame_hex);
      if (call.request.token_ids === undefined || call.request.token_ids.length > 0)
        sameBytes(
          frame,
          FrameReader.requests()
            .push(frame)
            .map((request) =>
              encodeRequestFrame({ ...request, payload: twoPartAgain(decodeTwoPart(request.payload)) }),
            ),
        );
      for (const { data_hex } of call.callback_frames)
        if (data_hex !== undefined) expect(again(bytes(data_hex)).toString('hex')).toBe(data_hex);
    }
  });
});

describe.skipIf(!present)('captured records', () => {
  it.each(files('discovery.json'))('%s have these keys, file names and texts', (file) => {
    for (const { bucket, file: name, key, text: content } of JSON.parse(text(file))) {
      const record = decodeRecord(content);
      expect(placeOf(record)).toEqual({ bucket, key });
      expect(fileNameOf(key)).toBe(name);
      expect(keyOfFile(name)).toBe(key);
      expect(encodeRecord(record)).toBe(content);
    }
  });
});

const PAYLOADS: Record<string, (payload: Uint8Array) => Buffer> = {
  'kv-events': (payload) => encodeKvEvents(decodeKvEvents(payload)),
  kv_metrics: (payload) => encodeActiveLoad(decodeActiveLoad(payload)),
  'forward-pass-metrics': (payload) => encodePassReport(decodePassReport(payload)),
};

describe.skipIf(!present)('captured events', () => {
  it.each(files('events.jsonl'))('%s are decoded and encoded to the same frames', (file) => {
    for (const line of text(file).trim().split('\n')) {
      const message = Fields.of(decodeJson(line), 'message');
      const frames = message.list('frames').map((hex) => bytes(hex as string));
      if (frames.length === 3) {
        const value = decodeMsgpack(frames[2]);
        expect(encodeMsgpack(value).equals(frames[2])).toBe(true);
        const batch = decodeVllmBatch(frames[2]);
        expect(batch.events.length).toBeGreaterThan(0);
        expect(decodeVllmBatch(encodeVllmBatch(batch))).toEqual(batch);
        continue;
      }
      const envelope = decodeZmqMessage(frames);
      const payload = PAYLOADS[envelope.topic](envelope.payload);
      expect(payload.equals(envelope.payload)).toBe(true);
      const encoded = encodeZmqMessage({ ...envelope, payload });
      expect(encoded.map((frame) => frame.toString('hex'))).toEqual(message.list('frames'));
    }
  });
});

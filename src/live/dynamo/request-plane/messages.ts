import { decodeJson, encodeJson } from '../codec/json.js';
import { decodeMsgpack, encodeMsgpack } from '../codec/msgpack.js';
import { Fields, WireError, type WireValue, type Writable } from '../codec/value.js';

/** How the data parts of a request and of its response are written. */
export type Codec = 'json' | 'msgpack';

export function encodeData(codec: Codec, value: Writable): Buffer {
  return codec === 'json' ? Buffer.from(encodeJson(value)) : encodeMsgpack(value);
}

/** @throws {WireError} */
export function decodeData(codec: Codec, bytes: Buffer): WireValue {
  return codec === 'json' ? decodeJson(bytes.toString()) : decodeMsgpack(bytes);
}

/** The control part of a request: who asks, and where the response is expected. */
export interface Control {
  id: string;
  codec: Codec;
  address: string;
  subject: string;
}

/** @throws {WireError} */
export function decodeControl(header: Buffer): Control {
  const control = Fields.of(decodeJson(header.toString()), 'control');
  const codec = control.optionalText('payload_codec') ?? 'json';
  if (codec !== 'json' && codec !== 'msgpack')
    throw new WireError(`control.payload_codec: ${codec} is unknown`);
  const info = Fields.of(decodeJson(control.fields('connection_info').text('info')), 'connection_info.info');
  return { id: control.text('id'), codec, address: info.text('address'), subject: info.text('subject') };
}

export function encodeControl({ id, codec, address, subject }: Control): Buffer {
  const info = { address, subject, context: id, stream_type: 'response' };
  return Buffer.from(
    encodeJson({
      id,
      request_type: 'single_in',
      response_type: 'many_out',
      payload_codec: codec,
      connection_info: { transport: 'tcp_server', info: encodeJson(info) },
    }),
  );
}

/** The first frame of a worker that calls home. */
export function encodeHandshake(subject: string): Buffer {
  return Buffer.from(encodeJson({ subject, stream_type: 'response' }));
}

/** @returns the subject @throws {WireError} */
export function decodeHandshake(header: Buffer): string {
  return Fields.of(decodeJson(header.toString()), 'handshake').text('subject');
}

/** The second frame: whether there will be a stream. */
export function encodePrologue(error: string | null): Buffer {
  return Buffer.from(encodeJson({ error }));
}

/** @returns why there is no stream, or undefined @throws {WireError} */
export function decodePrologue(header: Buffer): string | undefined {
  return Fields.of(decodeJson(header.toString()), 'prologue').optionalText('error');
}

/** Control words of a stream, written as JSON strings. */
export const SENTINEL = Buffer.from('"sentinel"');
export const KILL = Buffer.from('"kill"');

/** One frame of a response, or its end. */
export function encodeItem(codec: Codec, data: Writable): Buffer {
  return encodeData(codec, { data, complete_final: false });
}

export function encodeEnd(codec: Codec): Buffer {
  return encodeData(codec, { complete_final: true });
}

/** @returns an item of the response, or undefined at its end @throws {WireError} */
export function decodeItem(codec: Codec, bytes: Buffer): WireValue | undefined {
  const item = Fields.of(decodeData(codec, bytes), 'item');
  if (item.flag('complete_final', false)) return undefined;
  const data = item.get('data');
  if (data === undefined) throw new WireError('item.data: missing');
  return data;
}

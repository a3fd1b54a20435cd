import { connect, type Socket } from 'node:net';
import { encodeTwoPart, FrameReader, type TwoPart } from '../codec/frames.js';
import type { WireValue, Writable } from '../codec/value.js';
import {
  type Control,
  decodeData,
  encodeEnd,
  encodeHandshake,
  encodeItem,
  encodePrologue,
  SENTINEL,
} from './messages.js';

const RETRY_MS = 200;
/** How long the other side may take to hang up after the last frame. */
const GOODBYE_MS = 10_000;
const CONNECT_MS = 5_000;

/** A request at a worker, and the stream back to who asked. */
export interface Call {
  readonly id: string;
  readonly value: WireValue;
  /** Opens the stream. */
  accept(): void;
  /** There will be no stream. */
  refuse(reason: string): void;
  send(item: Writable): void;
  /** The stream is complete. */
  end(): void;
  /** Breaks the stream off. */
  abort(): void;
  /** Called when nobody listens any more, or the stream is no longer wanted. */
  onCancel: () => void;
}

/** Does what an endpoint is there for. */
export type Handler = (call: Call) => void;

/**
 * The connection over which a worker answers: it calls whoever asked. Once cancelled nothing is written any more.
 */
class CallHome implements Call {
  onCancel = (): void => {};
  private state: 'open' | 'ended' | 'cancelled' = 'open';
  private readonly reader = FrameReader.twoParts();

  constructor(
    private readonly control: Control,
    readonly value: WireValue,
    private readonly socket: Socket,
    onClose: () => void,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.hear(chunk));
    socket.on('end', () => this.hangUp());
    socket.on('error', () => this.hangUp());
    socket.on('close', () => {
      this.hangUp();
      onClose();
    });
    this.write({ header: encodeHandshake(control.subject) });
  }

  get id(): string {
    return this.control.id;
  }

  private write(parts: Partial<TwoPart>): void {
    if (this.state === 'open') this.socket.write(encodeTwoPart(parts));
  }

  accept(): void {
    this.write({ header: encodePrologue(null) });
  }

  refuse(reason: string): void {
    this.write({ header: encodePrologue(reason) });
    this.sayGoodbye();
  }

  send(item: Writable): void {
    this.write({ data: encodeItem(this.control.codec, item) });
  }

  end(): void {
    this.write({ data: encodeEnd(this.control.codec) });
    this.sayGoodbye();
  }

  abort(): void {
    this.state = 'ended';
    this.socket.destroy();
  }

  private sayGoodbye(): void {
    if (this.state !== 'open') return;
    this.write({ header: SENTINEL });
    this.state = 'ended';
    this.socket.end();
    this.socket.setTimeout(GOODBYE_MS, () => this.socket.destroy());
  }

  private hear(chunk: Buffer): void {
    try {
      if (this.reader.push(chunk).length > 0) this.cancel();
    } catch {
      this.cancel();
    }
  }

  private hangUp(): void {
    if (this.state === 'open') this.cancel();
    else this.socket.destroySoon();
  }

  /** Words of the frontend are `stop` and `kill`; anything else breaks the protocol and means the same. */
  private cancel(): void {
    if (this.state !== 'open') return;
    this.state = 'cancelled';
    this.socket.destroy();
    this.onCancel();
  }
}

/** Calls who asked and hands the request over. A request that cannot be read is refused; the reference is silent. */
export function callHome(control: Control, data: Buffer, handler: Handler, onClose: () => void): void {
  const { host, port } = splitAddress(control.address);
  const socket = connect({ host, port, allowHalfOpen: true });
  const timer = setTimeout(() => socket.destroy(), CONNECT_MS);
  const onFailure = (error: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    if (error.code === 'EADDRNOTAVAIL') setTimeout(() => callHome(control, data, handler, onClose), RETRY_MS);
    else onClose();
  };
  socket.once('error', onFailure);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.off('error', onFailure);
    answer(control, data, socket, handler, onClose);
  });
}

function answer(control: Control, data: Buffer, socket: Socket, handler: Handler, onClose: () => void): void {
  let value: WireValue = null;
  let problem: string | undefined;
  try {
    value = decodeData(control.codec, data);
  } catch (error) {
    problem = (error as Error).message;
  }
  const call = new CallHome(control, value, socket, onClose);
  if (problem === undefined) handler(call);
  else call.refuse(`Generate Error: ${problem}`);
}

/** Host and port of `host:port`, with an IPv6 host in brackets. */
export function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return { host, port: Number(address.slice(at + 1)) };
}

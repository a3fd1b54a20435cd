import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { encodeRequestFrame, encodeTwoPart, FrameReader, type TwoPart } from '../codec/frames.js';
import { encodeJson } from '../codec/json.js';
import { WireError, type WireValue, type Writable } from '../codec/value.js';
import { endpointKey, type Instance } from '../discovery/records.js';
import { splitAddress } from './call-home.js';
import {
  type Codec,
  decodeHandshake,
  decodeItem,
  decodePrologue,
  encodeControl,
  encodeData,
  KILL,
  SENTINEL,
} from './messages.js';

const CONNECT_MS = 5_000;
const ACK_MS = 5_000;
const OVERLOADED = 'Server overloaded:';

/** Why a call came to nothing: before the first item (it may be tried elsewhere), or in the middle of the stream. */
export type FailureKind = 'unreachable' | 'overloaded' | 'refused' | 'broken';

/** Hears what comes of a call: items, then one end. */
export interface CallSink {
  item(value: WireValue): void;
  ended(): void;
  failed(kind: FailureKind, message: string): void;
}

/** A call under way. */
export interface Outgoing {
  /** The response is not wanted any more; the sink hears nothing after this. */
  cancel(): void;
}

/** Carries requests to workers; `undefined` as acknowledgement means that the request was taken. */
export interface RequestSender {
  send(path: string, headers: Buffer, payload: Buffer): Promise<string>;
  close(): void;
}

/** The side of the request plane that asks: sends requests, and is called back by workers with the responses. */
export class RequestClient {
  private readonly waiting = new Map<string, Response>();
  private readonly sockets = new Set<Socket>();
  private readonly connections = new Map<string, TcpSender>();

  private constructor(
    private readonly server: Server,
    private readonly host: string,
    private readonly nats: RequestSender | undefined,
    /** Nanoseconds since 1970. */
    private readonly unixNs: () => bigint,
  ) {
    server.on('connection', (socket) => this.welcome(socket));
  }

  /** @param host address at which workers reach this process @param nats carries requests of workers behind NATS */
  static async listen(host: string, unixNs: () => bigint, nats?: RequestSender): Promise<RequestClient> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: 0 }, resolve);
    });
    return new RequestClient(server, host, nats, unixNs);
  }

  private get address(): string {
    const { port } = this.server.address() as AddressInfo;
    return this.host.includes(':') ? `[${this.host}]:${port}` : `${this.host}:${port}`;
  }

  call(instance: Instance, value: (codec: Codec) => Writable, sink: CallSink, id = randomUUID()): Outgoing {
    const codec = instance.codec ?? 'json';
    const subject = randomUUID();
    const response = new Response(sink, codec, endpointKey(instance), () => this.waiting.delete(subject));
    this.waiting.set(subject, response);
    const control = encodeControl({ id, codec, address: this.address, subject });
    const payload = encodeTwoPart({ header: control, data: encodeData(codec, value(codec)) });
    this.send(instance, id, payload).then(
      (ack) => {
        if (ack === '') return;
        response.fail(ack.startsWith(OVERLOADED) ? 'overloaded' : 'unreachable', ack);
      },
      (error) => response.fail('unreachable', (error as Error).message),
    );
    return { cancel: () => response.cancel() };
  }

  private send({ transport }: Instance, id: string, payload: Buffer): Promise<string> {
    const times = { 'x-frontend-send-ts-ns': String(this.unixNs()) };
    if (transport.kind === 'nats') {
      if (!this.nats) return Promise.reject(new Error('the worker is behind NATS, which is not connected'));
      return this.nats.send(transport.subject, headers({ 'request-id': id, ...times }), payload);
    }
    const slash = transport.address.indexOf('/');
    const address = transport.address.slice(0, slash);
    const path = transport.address.slice(slash + 1);
    let connection = this.connections.get(address);
    if (!connection) {
      connection = new TcpSender(address, () => this.connections.delete(address));
      this.connections.set(address, connection);
    }
    return connection.send(path, headers({ 'request-id': id, 'x-endpoint-path': path, ...times }), payload);
  }

  private welcome(socket: Socket): void {
    const reader = FrameReader.twoParts();
    let response: Response | undefined;
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (response) response.hear(frame);
          else {
            response = this.waiting.get(decodeHandshake(frame.header));
            if (response) response.attach(socket);
            else socket.destroy();
          }
        }
      } catch (error) {
        response?.fail('broken', (error as Error).message);
        socket.destroy();
      }
    });
    const lost = () => {
      response?.fail('broken', 'Stream ended before generation completed');
      socket.destroySoon();
    };
    socket.on('end', lost);
    socket.on('error', lost);
    socket.on('close', () => {
      this.sockets.delete(socket);
      lost();
    });
  }

  /** A worker is gone: nothing more will come from it. */
  instanceRemoved(key: string): void {
    for (const response of this.waiting.values())
      if (response.instance === key) response.fail('broken', 'the worker has gone');
  }

  async close(): Promise<void> {
    for (const connection of this.connections.values()) connection.close();
    this.nats?.close();
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function headers(members: Record<string, string>): Buffer {
  return Buffer.from(encodeJson(members));
}

/** What is expected of one request. */
class Response {
  private socket: Socket | undefined;
  private isOver = false;
  private isOpen = false;

  constructor(
    private readonly sink: CallSink,
    private readonly codec: Codec,
    readonly instance: string,
    private readonly forget: () => void,
  ) {}

  attach(socket: Socket): void {
    this.socket = socket;
    if (this.isOver) socket.destroy();
  }

  hear({ header, data }: TwoPart): void {
    if (this.isOver) return;
    if (!this.isOpen) {
      const problem = decodePrologue(header);
      if (problem !== undefined) this.fail('refused', problem);
      this.isOpen = true;
      return;
    }
    if (header.length > 0) {
      if (!header.equals(SENTINEL)) throw new WireError(`unexpected control frame ${header.toString()}`);
      this.fail('broken', 'Stream ended before generation completed');
      return;
    }
    const item = decodeItem(this.codec, data);
    if (item !== undefined) this.sink.item(item);
    else if (this.finish()) this.sink.ended();
  }

  fail(kind: FailureKind, message: string): void {
    if (this.finish()) this.sink.failed(kind, message);
  }

  cancel(): void {
    if (!this.finish()) return;
    this.socket?.write(encodeTwoPart({ header: KILL }));
    this.socket?.end();
  }

  /** @returns false when it was over already */
  private finish(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.forget();
    return true;
  }
}

/** A connection to a worker process, over which many requests travel at once. */
class TcpSender implements RequestSender {
  private readonly socket: Socket;
  private readonly acks: {
    resolve: (ack: string) => void;
    reject: (error: Error) => void;
    timer: NodeJS.Timeout;
  }[] = [];

  constructor(address: string, onClose: () => void) {
    const reader = FrameReader.acks();
    this.socket = connect({ ...splitAddress(address), noDelay: true });
    const timer = setTimeout(
      () => this.socket.destroy(new Error(`${address} did not answer in ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    );
    let problem = new Error(`${address} closed the connection`);
    this.socket.on('connect', () => clearTimeout(timer));
    this.socket.on('error', (error) => {
      problem = error;
    });
    this.socket.on('close', () => {
      clearTimeout(timer);
      onClose();
      for (const { reject, timer } of this.acks.splice(0)) {
        clearTimeout(timer);
        reject(problem);
      }
    });
    this.socket.on('data', (chunk) => {
      for (const ack of reader.push(chunk)) {
        const first = this.acks.shift();
        clearTimeout(first?.timer);
        first?.resolve(ack);
      }
    });
  }

  send(path: string, headers: Buffer, payload: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.socket.destroy(new Error('no acknowledgement in time')), ACK_MS);
      this.acks.push({ resolve, reject, timer });
      this.socket.write(encodeRequestFrame({ path, headers, payload }));
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

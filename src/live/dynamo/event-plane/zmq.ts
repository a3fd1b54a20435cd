import { Publisher as PubSocket, Router as RouterSocket, Subscriber as SubSocket } from 'zeromq';
import { WireError } from '../codec/value.js';
import type { EventChannel, Scope } from '../discovery/records.js';
import { decodeZmqMessage, type Envelope, encodeZmqMessage, u64 } from './envelope.js';
import type { EventOutlet, EventPlane } from './plane.js';

/** Messages that wait for slow subscribers before they are dropped. */
const HIGH_WATER_MARK = 100_000;

function portOf(endpoint: string | null): number {
  return Number(endpoint?.slice(endpoint.lastIndexOf(':') + 1));
}

/** The address of a port on a host; any that is free for 0. */
function addressOf(host: string, port: number): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port === 0 ? '*' : port}`;
}

/** Sends messages in order: a socket takes one at a time. */
class Sender {
  private last: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(readonly socket: PubSocket) {}

  static async bind(address: string): Promise<Sender> {
    const ipv6 = address.includes('[');
    const socket = new PubSocket({ sendHighWaterMark: HIGH_WATER_MARK, linger: 0, ipv6 });
    await socket.bind(address);
    return new Sender(socket);
  }

  /** Where the socket listens. */
  get port(): number {
    return portOf(this.socket.lastEndpoint);
  }

  send(frames: Buffer[]): void {
    this.last = this.last.then(() => (this.isClosed ? undefined : this.socket.send(frames))).catch(() => {});
  }

  async close(): Promise<void> {
    await this.last;
    this.isClosed = true;
    this.socket.close();
  }
}

/** Events over ZMQ from publisher to subscriber; each publisher has a socket of its own. */
export class ZmqEventPlane implements EventPlane {
  private readonly sockets = new Set<SubSocket>();

  /** @param host address at which others reach this process */
  constructor(private readonly host: string) {}

  async open(_scope: Scope, _topic: string, _publisherId: bigint): Promise<EventOutlet> {
    const sender = await Sender.bind('tcp://0.0.0.0:*');
    return {
      transport: { kind: 'zmq', endpoint: addressOf(this.host, sender.port) },
      send: (envelope) => sender.send(encodeZmqMessage(envelope)),
      close: () => sender.close(),
    };
  }

  async listen(channel: EventChannel, listener: (envelope: Envelope) => void): Promise<() => void> {
    if (channel.transport.kind !== 'zmq') return () => {};
    const socket = new SubSocket({ receiveHighWaterMark: HIGH_WATER_MARK, linger: 0 });
    socket.connect(channel.transport.endpoint);
    socket.subscribe(channel.topic);
    this.sockets.add(socket);
    void receive(socket, listener);
    return () => {
      this.sockets.delete(socket);
      socket.close();
    };
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.close();
    this.sockets.clear();
  }
}

async function receive(socket: SubSocket, listener: (envelope: Envelope) => void): Promise<void> {
  for await (const frames of socket) {
    try {
      listener(decodeZmqMessage(frames));
    } catch (error) {
      // A message that breaks the format ends nothing but itself.
      if (!(error instanceof WireError)) throw error;
    }
  }
}

/** Batches that a late reader of raw KV events can have again. */
const REPLAY_BATCHES = 10_000;
const REPLAY_END = Buffer.alloc(8, 0xff);
const EMPTY = Buffer.alloc(0);

export interface RawEventPlace {
  host: string;
  /** First frame of every message, by which subscribers choose. */
  topic: string;
  port: number;
  replayPort: number | undefined;
}

/** KV events in vLLM's layout on a port of their own, with a second port on which to ask for what was missed. */
export class RawEventPort {
  private sequence = 0n;
  private readonly kept: { sequence: bigint; payload: Buffer }[] = [];

  private constructor(
    private readonly host: string,
    private readonly topic: Buffer,
    private readonly sender: Sender,
    private readonly router: RouterSocket | undefined,
  ) {
    if (router) void this.replay(router);
  }

  /** Listens on a port of a host, and on another one for what was missed where that is given; 0 is any that is free. */
  static async bind({ host, topic, port, replayPort }: RawEventPlace): Promise<RawEventPort> {
    const sender = await Sender.bind(addressOf(host, port));
    if (replayPort === undefined) return new RawEventPort(host, Buffer.from(topic), sender, undefined);
    const router = new RouterSocket({ linger: 0, ipv6: host.includes(':') });
    try {
      await router.bind(addressOf(host, replayPort));
    } catch (error) {
      await sender.close();
      throw error;
    }
    return new RawEventPort(host, Buffer.from(topic), sender, router);
  }

  /** Where events are heard, as a client connects to it. */
  get endpoint(): string {
    return addressOf(this.host, this.sender.port);
  }

  /** Where events that were missed can be had. */
  get replayEndpoint(): string | undefined {
    return this.router && addressOf(this.host, portOf(this.router.lastEndpoint));
  }

  send(payload: Buffer): void {
    const sequence = this.sequence++;
    if (this.router) {
      this.kept.push({ sequence, payload });
      if (this.kept.length > REPLAY_BATCHES) this.kept.shift();
    }
    this.sender.send([this.topic, u64(sequence), payload]);
  }

  /** Answers requests: an empty frame, and the first sequence number that is wanted. */
  private async replay(router: RouterSocket): Promise<void> {
    for await (const [identity, , start] of router) {
      if (start?.length !== 8) continue;
      const first = start.readBigUInt64BE(0);
      for (const { sequence, payload } of this.kept)
        if (sequence >= first) await router.send([identity, EMPTY, u64(sequence), payload]);
      await router.send([identity, EMPTY, REPLAY_END, EMPTY]);
    }
  }

  async close(): Promise<void> {
    await this.sender.close();
    this.router?.close();
  }
}

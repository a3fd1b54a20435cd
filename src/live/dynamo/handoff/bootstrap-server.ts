import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { HandoffChannel } from './channel.js';
import type { HandoffIdentity, HandoffMessage, HandoffOrder } from './messages.js';

/** How long one side waits for the other. */
const RENDEZVOUS_MS = 30_000;
/** Sessions at once; more are told that the worker is overloaded. */
const MAX_SESSIONS = 4096;
/** Handoffs that are remembered so that none is used twice. */
const REMEMBERED = 65_536;

/** A prefill worker's side of a handoff that waits for its decode worker. */
export interface Source {
  identity: HandoffIdentity;
  order: HandoffOrder;
  engineType: string;
  /** The decode worker is there. */
  met(channel: HandoffChannel): void;
  failed(reason: string): void;
}

interface Meeting {
  source?: Source;
  destination?: HandoffChannel;
  register?: Extract<HandoffMessage, { kind: 'register' }>;
  timer: NodeJS.Timeout;
}

/** Where decode workers meet the prefill worker of their request; either may come first. */
export class BootstrapServer {
  private readonly meetings = new Map<string, Meeting>();
  private readonly retired = new Set<string>();
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.welcome(socket));
  }

  static async listen(port: number): Promise<BootstrapServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '0.0.0.0', port }, resolve);
    });
    return new BootstrapServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** A request has come to the prefill worker. @returns a function that takes it back */
  expect(source: Source): () => void {
    const { handoffId } = source.identity;
    const meeting = this.meetingOf(handoffId);
    if (typeof meeting === 'string' || meeting.source) {
      source.failed(typeof meeting === 'string' ? meeting : 'duplicate source participant');
      return () => {};
    }
    meeting.source = source;
    this.meet(handoffId, meeting);
    return () => this.drop(handoffId, 'the request was cancelled');
  }

  private welcome(socket: Socket): void {
    const channel = new HandoffChannel(socket, true);
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    channel.onMessage = (message) => {
      if (message.kind !== 'register' || !channel.identity) {
        channel.fail('expected Register');
        return;
      }
      const { handoffId } = channel.identity;
      const meeting = this.meetingOf(handoffId);
      if (typeof meeting === 'string') {
        if (meeting === OVERLOADED) channel.send({ kind: 'overloaded' });
        else channel.send({ kind: 'protocolError', message: meeting });
        channel.close();
        return;
      }
      if (meeting.destination) {
        channel.fail('duplicate destination participant');
        return;
      }
      meeting.destination = channel;
      meeting.register = message;
      channel.onLost = (reason) => this.drop(handoffId, reason);
      this.meet(handoffId, meeting);
    };
  }

  /** @returns the meeting of a handoff, or why there is none */
  private meetingOf(handoffId: string): Meeting | string {
    const known = this.meetings.get(handoffId);
    if (known) return known;
    if (this.retired.has(handoffId)) return 'handoff session is already active or retired';
    if (this.meetings.size >= MAX_SESSIONS) return OVERLOADED;
    const timer = setTimeout(
      () => this.drop(handoffId, 'handoff participant rendezvous timed out'),
      RENDEZVOUS_MS,
    );
    const meeting = { timer };
    this.meetings.set(handoffId, meeting);
    return meeting;
  }

  private meet(handoffId: string, { source, destination, register }: Meeting): void {
    if (!source || !destination || !register) return;
    const { identity } = destination;
    const matches =
      identity?.room === source.identity.room &&
      identity.requestId === source.identity.requestId &&
      register.order === source.order &&
      register.engineType === source.engineType;
    this.retire(handoffId);
    if (matches) source.met(destination);
    else {
      const reason = 'handoff participant identity or backend mismatch';
      destination.onLost = () => {};
      destination.fail(reason);
      source.failed(reason);
    }
  }

  private drop(handoffId: string, reason: string): void {
    const meeting = this.meetings.get(handoffId);
    if (!meeting) return;
    this.retire(handoffId);
    meeting.destination?.send({ kind: 'abort', message: reason });
    meeting.destination?.close();
    meeting.source?.failed(reason);
  }

  private retire(handoffId: string): void {
    clearTimeout(this.meetings.get(handoffId)?.timer);
    this.meetings.delete(handoffId);
    this.retired.add(handoffId);
    if (this.retired.size > REMEMBERED) this.retired.delete(this.retired.values().next().value!);
  }

  async close(): Promise<void> {
    for (const { timer } of this.meetings.values()) clearTimeout(timer);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const OVERLOADED = 'overloaded';

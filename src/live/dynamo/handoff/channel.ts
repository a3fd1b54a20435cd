import type { Socket } from 'node:net';
import { encodeBootstrapFrame, FrameReader } from '../codec/frames.js';
import {
  decodeHandoff,
  encodeHandoff,
  GREETING,
  type HandoffIdentity,
  type HandoffMessage,
} from './messages.js';

/** One side of a handoff, over the socket between a decode and a prefill worker. */
export class HandoffChannel {
  /** Of the handoff; known from the first frame on. */
  identity: HandoffIdentity | undefined;
  onMessage = (_message: HandoffMessage): void => {};
  /** The other side is gone, or does not keep to the protocol; called once, unless this side closed. */
  onLost = (_reason: string): void => {};
  private readonly reader = FrameReader.bootstrap();
  private greeting = Buffer.alloc(0);
  private isOver = false;

  /** @param expectsGreeting whether the other side is the one that connects */
  constructor(
    private readonly socket: Socket,
    private expectsGreeting: boolean,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      try {
        this.hear(chunk);
      } catch (error) {
        this.lose((error as Error).message);
      }
    });
    socket.on('error', (error) => this.lose(error.message));
    socket.on('close', () => this.lose('the other worker has gone'));
  }

  /** The side that connects says hello. */
  greet(identity: HandoffIdentity): void {
    this.identity = identity;
    this.socket.write(GREETING);
  }

  private hear(chunk: Buffer): void {
    let bytes = chunk;
    if (this.expectsGreeting) {
      this.greeting = Buffer.concat([this.greeting, chunk]);
      if (this.greeting.length < GREETING.length) return;
      if (!this.greeting.subarray(0, GREETING.length).equals(GREETING)) {
        this.lose('an unknown greeting');
        return;
      }
      bytes = this.greeting.subarray(GREETING.length);
      this.expectsGreeting = false;
    }
    for (const frame of this.reader.push(bytes)) {
      if (this.isOver) return;
      const { identity, message } = decodeHandoff(frame);
      this.identity ??= identity;
      const { handoffId, room, requestId } = this.identity;
      if (identity.handoffId !== handoffId || identity.room !== room || identity.requestId !== requestId) {
        this.fail('handoff participant identity or backend mismatch');
        return;
      }
      this.onMessage(message);
    }
  }

  send(message: HandoffMessage): void {
    if (this.isOver || !this.identity) return;
    this.socket.write(encodeBootstrapFrame(encodeHandoff(this.identity, message)));
  }

  /** Tells the other side that it broke the protocol. */
  fail(message: string): void {
    this.send({ kind: 'protocolError', message });
    this.lose(message);
  }

  private lose(reason: string): void {
    if (this.isOver) return;
    this.close();
    this.onLost(reason);
  }

  close(): void {
    this.isOver = true;
    this.socket.end();
    this.socket.destroySoon();
  }
}

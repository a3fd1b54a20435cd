import type { NatsConnection } from '@nats-io/transport-node';
import { WireError } from '../codec/value.js';
import { type EventChannel, type Scope, scopeSubject } from '../discovery/records.js';
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.js';
import type { EventOutlet, EventPlane } from './plane.js';

/** Events over NATS, on a subject for each scope and topic. */
export class NatsEventPlane implements EventPlane {
  constructor(private readonly connection: NatsConnection) {}

  async open(scope: Scope, topic: string, _publisherId: bigint): Promise<EventOutlet> {
    const subjectPrefix = scopeSubject(scope);
    return {
      transport: { kind: 'nats', subjectPrefix },
      send: (envelope) => this.connection.publish(`${subjectPrefix}.${topic}`, encodeEnvelope(envelope)),
      close: () => this.connection.flush(),
    };
  }

  /** A subject is shared by all publishers of a scope: messages of others are passed over. */
  async listen(channel: EventChannel, listener: (envelope: Envelope) => void): Promise<() => void> {
    if (channel.transport.kind !== 'nats') return () => {};
    const subscription = this.connection.subscribe(`${channel.transport.subjectPrefix}.${channel.topic}`, {
      callback: (error, message) => {
        if (error) return;
        try {
          const envelope = decodeEnvelope(message.data);
          if (envelope.publisherId === channel.publisherId) listener(envelope);
        } catch (problem) {
          if (!(problem instanceof WireError)) throw problem;
        }
      },
    });
    return () => subscription.unsubscribe();
  }

  async close(): Promise<void> {
    await this.connection.flush();
  }
}

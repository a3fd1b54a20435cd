import {
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  headers as newHeaders,
  type Subscription,
} from '@nats-io/transport-node';
import { decodeTwoPart } from '../codec/frames.js';

import { decodeJson } from '../codec/json.js';
import { WireError } from '../codec/value.js';
import type { EndpointName } from '../discovery/names.js';
import type { RequestTransport } from '../discovery/records.js';
import { Admission, type AdmissionLimits } from './admission.js';
import { callHome, type Handler } from './call-home.js';

import type { RequestSender } from './client.js';
import { decodeControl } from './messages.js';
import { OVERLOADED, type RequestPlane } from './plane.js';

const ACK_MS = 5_000;

/** The subject of an endpoint. */
function subjectOf({ namespace, component, endpoint }: EndpointName, instanceId: bigint): string {
  return `${namespace}_${component}.${endpoint}-${instanceId.toString(16)}`;
}

/** Takes requests over NATS; responses travel over TCP all the same. */
export class NatsRequestPlane implements RequestPlane {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly admission: Admission;

  constructor(
    private readonly connection: NatsConnection,
    limits: AdmissionLimits,
  ) {
    this.admission = new Admission(limits);
  }

  async serve(name: EndpointName, instanceId: bigint, handler: Handler): Promise<RequestTransport> {
    const subject = subjectOf(name, instanceId);
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (!error) message.respond(this.take(message, handler));
      },
    });
    this.subscriptions.set(subject, subscription);
    await this.connection.flush();
    return { kind: 'nats', subject };
  }

  private take(message: Msg, handler: Handler): string {
    try {
      const { header, data } = decodeTwoPart(Buffer.from(message.data));
      const control = decodeControl(header);
      const start = () => callHome(control, data, handler, () => this.admission.leave());
      return this.admission.enter(start) ? '' : OVERLOADED;
    } catch (error) {
      if (error instanceof WireError) return `Read error: ${error.message}`;
      throw error;
    }
  }

  async withdraw(name: EndpointName, instanceId: bigint): Promise<void> {
    const subject = subjectOf(name, instanceId);
    this.subscriptions.get(subject)?.unsubscribe();
    this.subscriptions.delete(subject);
    await this.connection.flush();
  }

  async close(): Promise<void> {
    for (const subscription of this.subscriptions.values()) subscription.unsubscribe();
  }
}

/** Sends requests to workers behind NATS. */
export class NatsSender implements RequestSender {
  constructor(private readonly connection: NatsConnection) {}

  async send(subject: string, headers: Buffer, payload: Buffer): Promise<string> {
    const members = decodeJson(headers.toString());
    const head: MsgHdrs = newHeaders();
    if (members instanceof Map) for (const [name, value] of members) head.set(name, String(value));
    const reply = await this.connection.request(subject, payload, { timeout: ACK_MS, headers: head });
    return reply.string();
  }

  close(): void {}
}

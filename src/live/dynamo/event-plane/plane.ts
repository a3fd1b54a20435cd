import type { EventChannel, EventTransport, Scope } from '../discovery/records.js';
import type { Envelope } from './envelope.js';

/** The topics of workers. */
export const TOPICS = {
  kvEvents: 'kv-events',
  load: 'kv_metrics',
  passes: 'forward-pass-metrics',
} as const;

/** How events travel from who publishes them to who wants them. */
export interface EventPlane {
  /** Opens a channel; its messages come from one publisher. */
  open(scope: Scope, topic: string, publisherId: bigint): Promise<EventOutlet>;
  /** Listens to a channel. @returns a function that stops it */
  listen(channel: EventChannel, listener: (envelope: Envelope) => void): Promise<() => void>;
  close(): Promise<void>;
}

/** Where the messages of one publisher go out. */
export interface EventOutlet {
  readonly transport: EventTransport;
  send(envelope: Envelope): void;
  close(): Promise<void>;
}

/** Numbers the messages of one publisher and sends them. */
export class Publisher {
  private sequence = 0n;

  constructor(
    readonly id: bigint,
    readonly topic: string,
    private readonly outlet: EventOutlet,
    /** Milliseconds since 1970. */
    private readonly unixMs: () => number,
  ) {}

  publish(payload: Uint8Array): void {
    this.outlet.send({
      publisherId: this.id,
      sequence: this.sequence++,
      publishedAtMs: BigInt(Math.round(this.unixMs())),
      topic: this.topic,
      payload,
    });
  }

  close(): Promise<void> {
    return this.outlet.close();
  }
}

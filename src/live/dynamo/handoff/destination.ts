import { connect } from 'node:net';
import type { Prompt } from '../../serving.js';
import type { Call } from '../request-plane/call-home.js';
import { type Bootstrap, outputItem } from '../request-plane/generate.js';
import type { HandoverServing } from '../worker/rank.js';
import { HandoffChannel } from './channel.js';
import type { HandoffIdentity, HandoffMessage, HandoffOrder } from './messages.js';

/** How long the prompt may take to arrive, from the first word to the other worker on. */
const SESSION_MS = 300_000;

export interface DestinationRequest {
  call: Call;
  rank: HandoverServing;
  rankNumber: number;
  prompt: Prompt;
  answer: Uint32Array;
  bootstrap: Bootstrap;
  identity: HandoffIdentity;
  order: HandoffOrder;
  engineType: string;
}

/** The decode worker's side of a handoff: it does what the prefill worker asks for. */
export class DestinationSession {
  private readonly channel: HandoffChannel;
  private readonly timer: NodeJS.Timeout;
  private ticket: number | undefined;
  private emitted = 0;
  private isActive = false;
  private isOver = false;

  constructor(private readonly request: DestinationRequest) {
    const { bootstrap, identity, order, engineType, rankNumber, call } = request;
    this.channel = new HandoffChannel(connect({ host: bootstrap.host, port: bootstrap.port }), false);
    this.channel.onMessage = (message) => this.hear(message);
    this.channel.onLost = (reason) => {
      // Once the prompt is here the other worker is not needed any more.
      if (!this.isActive) this.abort(`the prefill worker failed: ${reason}`, true);
    };
    this.timer = setTimeout(() => this.abort('the handoff took too long', true), SESSION_MS);
    call.onCancel = () => this.abort('the request was cancelled', false);
    this.channel.greet(identity);
    this.channel.send({ kind: 'register', rank: rankNumber, order, engineType });
  }

  private hear(message: HandoffMessage): void {
    switch (message.kind) {
      case 'action':
        this.act(message.id, message.action);
        return;
      case 'registered':
      case 'sourceHeld':
      case 'fact':
        return;
      case 'complete':
        this.channel.close();
        return;
      case 'overloaded':
        this.abort('the prefill worker is overloaded', true);
        return;
      case 'abort':
      case 'protocolError':
        this.abort(message.message, true);
        return;
      default:
        this.channel.fail(`unexpected ${message.kind}`);
    }
  }

  private act(id: number, action: string): void {
    if (action === 'ReserveDestination' && this.ticket === undefined) {
      this.reserve();
      this.channel.send({ kind: 'acknowledged', id, outcome: 'Accepted' });
    } else if (action === 'ActivateDestination' && this.ticket !== undefined) {
      this.isActive = true;
      clearTimeout(this.timer);
      this.request.rank.activate(this.ticket);
      this.channel.send({ kind: 'acknowledged', id, outcome: 'Applied' });
    } else this.channel.send({ kind: 'acknowledged', id, outcome: 'Noop' });
  }

  private reserve(): void {
    const { rank, prompt, call, answer } = this.request;
    this.ticket = rank.reserve(prompt, {
      reserved: (_ticket, transferTokens) =>
        this.channel.send({ kind: 'destinationReserved', transferTokens }),
      token: () => call.send(outputItem({ tokens: [answer[this.emitted++]] })),
      ended: (_ticket, why) => {
        if (why === 'completed') this.finish();
        else if (why !== 'cancelled') this.abort(`the request was ${why}`, true);
      },
    });
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { call } = this.request;
    call.send(outputItem({ tokens: [], finish: 'length' }));
    call.end();
  }

  private abort(reason: string, tells: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    this.channel.send({ kind: 'abort', message: reason });
    this.channel.close();
    const { call, rank } = this.request;
    if (this.ticket !== undefined) rank.cancel(this.ticket);
    if (!tells) return;
    call.send(outputItem({ tokens: [], finish: { error: reason } }));
    call.end();
  }
}

import type { Prompt } from '../../serving.js';
import type { Call } from '../request-plane/call-home.js';
import { outputItem } from '../request-plane/generate.js';
import type { HandoverServing } from '../worker/rank.js';
import type { BootstrapServer } from './bootstrap-server.js';
import type { HandoffChannel } from './channel.js';
import type { HandoffIdentity, HandoffMessage, HandoffOrder, TransferTiming } from './messages.js';

/** What a prefill worker leaves for the decode worker: the reference's frontend only hands it on. */
export const PREFILL_RESULT = 'dummy';

export interface SourceRequest {
  call: Call;
  rank: HandoverServing;
  prompt: Prompt;
  /** The one token that a prefill worker makes. */
  token: number;
  identity: HandoffIdentity;
  order: HandoffOrder;
  engineType: string;
  timing: TransferTiming;
}

/** How long a transfer takes, in milliseconds. @param missingTokens those that the destination does not have */
export function transferMs(timing: TransferTiming, missingTokens: number): number {
  const { mode, fullPromptTokens, kvBytesPerToken, gigabytesPerSecond } = timing;
  if (!kvBytesPerToken || !gigabytesPerSecond) return 0;
  const tokens = mode === 'full_prompt' ? fullPromptTokens : missingTokens;
  return ((tokens * kvBytesPerToken) / (gigabytesPerSecond * 1e9)) * 1000;
}

/**
 * The prefill worker's side of a handoff (`common/handoff.rs` of the reference): it leads, and counts its actions, those
 * that it does itself too.
 */
export class SourceSession {
  private ticket: number | undefined;
  private channel: HandoffChannel | undefined;
  private nextAction = 0;
  private reserveAction = -1;
  private activateAction = -1;
  private isHeld = false;
  private transferTokens: number | undefined;
  private transfer: NodeJS.Timeout | undefined;
  private isOver = false;
  private readonly withdraw: () => void;

  constructor(
    server: BootstrapServer,
    private readonly request: SourceRequest,
  ) {
    request.call.onCancel = () => this.abort('the request was cancelled', false);
    this.withdraw = server.expect({
      identity: request.identity,
      order: request.order,
      engineType: request.engineType,
      met: (channel) => this.begin(channel),
      failed: (reason) => this.abort(reason, true),
    });
  }

  private begin(channel: HandoffChannel): void {
    this.channel = channel;
    channel.onMessage = (message) => this.hear(message);
    channel.onLost = (reason) => this.abort(reason, true);
    channel.send({ kind: 'registered' });
    if (this.request.order === 'SourceFirst') this.submit();
    else this.reserve();
  }

  private submit(): void {
    const { call, rank, prompt, token } = this.request;
    this.nextAction++;
    this.ticket = rank.submit(prompt, {
      token: () => call.send(outputItem({ tokens: [token], disaggregatedParams: PREFILL_RESULT })),
      held: () => this.held(),
      ended: (_ticket, why) => {
        if (why !== 'completed') this.abort(`the prompt was ${why}`, true);
      },
    });
  }

  private held(): void {
    this.isHeld = true;
    this.channel?.send({ kind: 'sourceHeld', timing: this.request.timing });
    if (this.request.order === 'SourceFirst') this.reserve();
    else this.startTransfer();
  }

  private reserve(): void {
    this.reserveAction = this.nextAction++;
    this.channel?.send({ kind: 'action', id: this.reserveAction, action: 'ReserveDestination' });
  }

  private hear(message: HandoffMessage): void {
    if (message.kind === 'destinationReserved') this.reserved(message.transferTokens);
    else if (message.kind === 'acknowledged') this.acknowledged(message);
    else if (message.kind === 'abort' || message.kind === 'protocolError') this.abort(message.message, true);
    else if (message.kind === 'overloaded') this.abort('the decode worker is overloaded', true);
    else this.channel?.fail(`unexpected ${message.kind}`);
  }

  private acknowledged({ id, outcome }: Extract<HandoffMessage, { kind: 'acknowledged' }>): void {
    if (typeof outcome !== 'string') this.abort(outcome.failed, true);
    else if (id === this.activateAction) this.complete();
  }

  private reserved(tokens: number): void {
    this.transferTokens = tokens;
    if (this.isHeld) this.startTransfer();
    else if (this.request.order === 'DestinationFirst') this.submit();
  }

  private startTransfer(): void {
    this.nextAction++;
    this.transfer = setTimeout(
      () => {
        this.activateAction = this.nextAction++;
        this.channel?.send({ kind: 'action', id: this.activateAction, action: 'ActivateDestination' });
      },
      transferMs(this.request.timing, this.transferTokens ?? 0),
    );
  }

  private complete(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { call, rank } = this.request;
    if (this.ticket !== undefined) rank.release(this.ticket);
    this.channel?.send({ kind: 'complete' });
    this.channel?.close();
    call.send(outputItem({ tokens: [], finish: 'length' }));
    call.end();
  }

  /** @param tells whether the frontend still listens */
  private abort(reason: string, tells: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.transfer);
    this.withdraw?.();
    this.channel?.send({ kind: 'abort', message: reason });
    this.channel?.close();
    const { call, rank } = this.request;
    if (this.ticket !== undefined) rank.cancel(this.ticket);
    if (!tells) return;
    call.send(outputItem({ tokens: [], finish: { error: reason } }));
    call.end();
  }
}

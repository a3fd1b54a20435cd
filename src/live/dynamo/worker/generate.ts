import { randomUUID } from 'node:crypto';
import type { Prompt } from '../../serving.js';
import { WireError } from '../codec/value.js';
import type { WorkerRole } from '../discovery/card.js';
import type { BootstrapServer } from '../handoff/bootstrap-server.js';
import { DestinationSession } from '../handoff/destination.js';
import type { HandoffIdentity, HandoffOrder, TransferTiming } from '../handoff/messages.js';
import { PREFILL_RESULT, SourceSession, transferMs } from '../handoff/source.js';
import type { Call } from '../request-plane/call-home.js';
import {
  type Bootstrap,
  errorItem,
  type GenerateRequest,
  outputItem,
  readGenerateRequest,
} from '../request-plane/generate.js';
import type { HandoverServing } from './rank.js';
import type { TokenIds } from './token-ids.js';
import type { RequestMeter } from './worker-metrics.js';

const REJECTED = 'request rejected: request exceeds worker admission limits';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What is the same for all handoffs of a worker. */
export interface HandoffOptions {
  order: HandoffOrder;
  engineType: string;
  timing: Omit<TransferTiming, 'fullPromptTokens'>;
}

export interface GenerateOptions {
  role: WorkerRole;
  /** One for each data-parallel rank. */
  ranks: readonly HandoverServing[];
  ids: TokenIds;
  /** Measures requests. */
  meter: (rank: number) => RequestMeter;
  /** Answers of a recording, by the `output_replay_id` of requests. */
  recorded: ReadonlyMap<string, Uint32Array>;
  handoff: HandoffOptions;
  /** Where a prefill worker meets decode workers. */
  bootstrap: BootstrapServer | undefined;
  /** Whether blocks of an answer are cached as what was said, so that a next turn finds them. */
  cachesAnswers: boolean;
  /** Whether errors in a stream are told as errors; the reference writes them as reasons to finish, which get lost. */
  tellsErrors: boolean;
}

/** The endpoint at which a worker generates. */
export class GenerateEndpoint {
  private nextRank = 0;

  constructor(private readonly options: GenerateOptions) {}

  readonly handle = (call: Call): void => {
    let request: GenerateRequest;
    try {
      request = this.checked(readGenerateRequest(call.value));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      call.refuse(`Generate Error: ${error.message}`);
      return;
    }
    call.accept();
    this.serve(call, request);
  };

  /** @throws {WireError} for what this worker does not serve */
  private checked(request: GenerateRequest): GenerateRequest {
    const { role, ranks, handoff } = this.options;
    const { bootstrap, rank } = request;
    if (rank !== undefined && rank >= ranks.length)
      throw new WireError(`dp_rank ${rank} is out of bounds for dp_size ${ranks.length}`);
    if (role === 'aggregated' && bootstrap?.handoffId !== undefined)
      throw new WireError('aggregated mocker request cannot carry handoff metadata');
    if (role !== 'aggregated' && bootstrap !== undefined) {
      if (bootstrap.handoffId === undefined)
        throw new WireError('disaggregated mocker requires a handoff ID');
      if (handoff.engineType === 'trtllm') throw new WireError('mocker handoff does not support TRT-LLM');
    }
    if (role !== 'prefill' && request.maxTokens === undefined && !this.recordingOf(request))
      throw new WireError('max_output_tokens must be specified for mocker');
    return request;
  }

  private recordingOf({ annotations }: GenerateRequest): Uint32Array | undefined {
    const note = annotations.find((text) => text.startsWith(REPLAY_NOTE));
    return note === undefined ? undefined : this.options.recorded.get(note.slice(REPLAY_NOTE.length));
  }

  private serve(call: Call, request: GenerateRequest): void {
    const { role, ranks, ids, bootstrap, meter } = this.options;
    const rank = request.rank ?? this.nextRank++ % ranks.length;
    const recorded = role === 'prefill' ? undefined : this.recordingOf(request);
    const answer = recorded ?? ids.answer(role === 'prefill' ? 1 : Math.max(1, request.maxTokens!));
    const prompt = this.prompt(request, answer);
    const meeting = role === 'aggregated' ? undefined : request.bootstrap;
    if (meeting && role === 'decode') this.receivePrompt(call, rank, prompt, answer, meeting);
    else if (meeting && bootstrap) this.handPromptOver(bootstrap, call, rank, prompt, answer[0], meeting);
    else this.submit(call, ranks[rank], prompt, answer, meter(rank));
  }

  private prompt({ tokens }: GenerateRequest, answer: Uint32Array): Prompt {
    const { ids, cachesAnswers } = this.options;
    return {
      tokens: tokens.length > 0 ? tokens : new Uint32Array(1),
      outputTokens: answer.length,
      output: cachesAnswers ? answer : ids.hidden(answer.length),
    };
  }

  private identity(call: Call, { room, handoffId }: Bootstrap): HandoffIdentity {
    return { handoffId: handoffId!, room, requestId: UUID.test(call.id) ? call.id : randomUUID() };
  }

  private receivePrompt(call: Call, rank: number, prompt: Prompt, answer: Uint32Array, bootstrap: Bootstrap) {
    const { handoff, ranks } = this.options;
    const identity = this.identity(call, bootstrap);
    new DestinationSession({
      ...{ call, prompt, answer, bootstrap, identity },
      ...handoff,
      rank: ranks[rank],
      rankNumber: rank,
    });
  }

  private handPromptOver(
    server: BootstrapServer,
    call: Call,
    rank: number,
    prompt: Prompt,
    token: number,
    bootstrap: Bootstrap,
  ): void {
    const { handoff, ranks } = this.options;
    const timing = this.timing(prompt);
    const identity = this.identity(call, bootstrap);
    new SourceSession(server, {
      ...handoff,
      ...{ call, prompt, token, timing, identity },
      rank: ranks[rank],
    });
  }

  private timing({ tokens }: Prompt): TransferTiming {
    const { mode, kvBytesPerToken, gigabytesPerSecond } = this.options.handoff.timing;
    return { mode, fullPromptTokens: tokens.length, kvBytesPerToken, gigabytesPerSecond };
  }

  private submit(
    call: Call,
    rank: HandoverServing,
    prompt: Prompt,
    answer: Uint32Array,
    meter: RequestMeter,
  ): void {
    const isPrefill = this.options.role === 'prefill';
    const disaggregatedParams = isPrefill ? PREFILL_RESULT : undefined;
    let emitted = 0;
    const finish = () => {
      call.send(outputItem({ tokens: [], finish: 'length' }));
      call.end();
    };
    const ticket = rank.submit(prompt, {
      token: () => {
        if (!isPrefill) meter.token();
        call.send(outputItem({ tokens: [answer[emitted++]], disaggregatedParams }));
      },
      ended: (_ticket, why) => {
        if (why === 'cancelled') return;
        if (!isPrefill) meter.ended();
        if (why !== 'completed') this.reject(call);
        else if (isPrefill) setTimeout(finish, transferMs(this.timing(prompt), prompt.tokens.length));
        else finish();
      },
    });
    call.onCancel = () => rank.cancel(ticket);
  }

  private reject(call: Call): void {
    if (this.options.tellsErrors) call.send(errorItem(REJECTED, 'InvalidArgument'));
    else call.send(outputItem({ tokens: [], finish: { error: REJECTED } }));
    call.end();
  }
}

const REPLAY_NOTE = 'output_replay_id:';

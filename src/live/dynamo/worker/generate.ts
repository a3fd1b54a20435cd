import type { Prompt, Serving, Ticket } from '../../serving.js';
import { WireError } from '../codec/value.js';
import type { WorkerRole } from '../discovery/card.js';
import type { Call } from '../request-plane/call-home.js';
import {
  errorItem,
  type GenerateRequest,
  outputItem,
  readGenerateRequest,
} from '../request-plane/generate.js';
import type { TokenIds } from './token-ids.js';

const REJECTED = 'request rejected: request exceeds worker admission limits';
/** What a prefill worker leaves for the decode worker: the reference's frontend only hands it on. */
const PREFILL_RESULT = 'dummy';

export interface GenerateOptions {
  role: WorkerRole;
  /** One for each data-parallel rank. */
  ranks: readonly Serving[];
  ids: TokenIds;
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
    const { role, ranks } = this.options;
    const { bootstrap, maxTokens, rank } = request;
    if (rank !== undefined && rank >= ranks.length)
      throw new WireError(`dp_rank ${rank} is out of bounds for dp_size ${ranks.length}`);
    if (role === 'aggregated' && bootstrap?.handoffId !== undefined)
      throw new WireError('aggregated mocker request cannot carry handoff metadata');
    if (role !== 'aggregated' && bootstrap !== undefined && bootstrap.handoffId === undefined)
      throw new WireError('disaggregated mocker requires a handoff ID');
    if (role !== 'prefill' && maxTokens === undefined)
      throw new WireError('max_output_tokens must be specified for mocker');
    return request;
  }

  private serve(call: Call, request: GenerateRequest): void {
    const { role, ranks } = this.options;
    const rank = request.rank ?? this.nextRank++ % ranks.length;
    const budget = role === 'prefill' ? 1 : Math.max(1, request.maxTokens!);
    const answer = this.options.ids.answer(budget);
    this.submit(call, ranks[rank], this.prompt(request, answer), answer);
  }

  private prompt({ tokens }: GenerateRequest, answer: Uint32Array): Prompt {
    const { ids, cachesAnswers } = this.options;
    return {
      tokens: tokens.length > 0 ? tokens : new Uint32Array(1),
      outputTokens: answer.length,
      output: cachesAnswers ? answer : ids.hidden(answer.length),
    };
  }

  private submit(call: Call, serving: Serving, prompt: Prompt, answer: Uint32Array): void {
    const disaggregatedParams = this.options.role === 'prefill' ? PREFILL_RESULT : undefined;
    let emitted = 0;
    const ticket: Ticket = serving.submit(prompt, {
      token: () => call.send(outputItem({ tokens: [answer[emitted++]], disaggregatedParams })),
      ended: (_ticket, why) => {
        if (why === 'cancelled') return;
        if (why === 'completed') call.send(outputItem({ tokens: [], finish: 'length' }));
        else if (this.options.tellsErrors) call.send(errorItem(REJECTED, 'InvalidArgument'));
        else call.send(outputItem({ tokens: [], finish: { error: REJECTED } }));
        call.end();
      },
    });
    call.onCancel = () => serving.cancel(ticket);
  }
}

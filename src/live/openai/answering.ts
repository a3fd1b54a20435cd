import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Serving } from '../serving.js';
import { drawOutput, type OutputShape } from '../text/output-ids.js';
import type { Answer } from './answer.js';
import { AnswerStream } from './answer-stream.js';
import { ApiError, badRequest } from './api-error.js';
import type { Fault, FaultSet } from './faults.js';
import { Choice, type ChoiceListener, type Finish, type GenerationRequest } from './generation.js';
import type { ServedModel } from './model.js';
import type { Asked } from './requests.js';

/** Hears of every answer, for metrics and limits. */
export interface AnswerWatch {
  begun(choice: Choice): void;
  piece(choice: Choice): void;
  ended(choice: Choice): void;
}

export interface AnsweringParts {
  serving: Serving;
  model: ServedModel;
  /** Of output ids of requests that name no seed. */
  seed: bigint;
  watch: AnswerWatch;
  /** Status of answers to requests that the fleet does not take. */
  overloadStatus: 503 | 529;
  /** Lets the worker of a choice fail as a fault has it. */
  breakWorker(choice: Choice, fault: Fault): void;
  /** Time of the fleet, in milliseconds. */
  nowMs(): number;
  /** Seconds since 1970. */
  nowSeconds(): number;
}

/** Answers to one request, and tokens of them together. */
const MOST_ANSWERS = 2048;
const MOST_OUTPUT_TOKENS = 1 << 22;

/** Part of an answer that is reasoning where a fault needs some and the model is set to none. */
const INJECTED_REASONING = 0.5;

const OVERLOADED = { code: 'overloaded', headers: { 'retry-after': '1' } };

/** Turns requests into answers. */
export class Answering {
  private requests = 0n;

  constructor(private readonly parts: AnsweringParts) {}

  /** @throws {ApiError} for what cannot be answered */
  prepare(asked: Asked, faults: FaultSet, listener: ChoiceListener): Answer {
    const { model, watch } = this.parts;
    const { request } = asked;
    model.check(request.model);
    if (faults.find('cut-tool')) request.tool ??= { name: 'lookup', opening: '{"text":"', closing: '"}' };
    const shape = shapeFor(model.settings.output, faults);
    checkSize(request);
    const choices: Choice[] = [];
    for (const prompt of request.prompts) {
      const tokens = model.outputTokens(prompt.length, request.maxTokens);
      for (let i = 0; i < request.n; i++) {
        const output = drawOutput(shape, tokens, this.seedFor(request.seed, i));
        const told: ChoiceListener = {
          piece: (choice, piece) => {
            watch.piece(choice);
            listener.piece(choice, piece);
          },
          ended: (choice) => {
            watch.ended(choice);
            listener.ended(choice);
          },
        };
        choices.push(new Choice(choices.length, prompt, output, request, model.texts, !asked.streams, told));
      }
    }
    return { id: randomUUID(), created: this.parts.nowSeconds(), request, choices };
  }

  private seedFor(seed: number | undefined, index: number): bigint {
    const base = seed === undefined ? this.parts.seed + this.requests++ : BigInt(seed);
    return BigInt.asUintN(64, base * 0x9e3779b97f4a7c15n + BigInt(index));
  }

  start({ choices }: Answer): void {
    for (const choice of choices) this.parts.watch.begun(choice);
    for (const choice of choices) choice.start(this.parts.serving, this.parts.nowMs());
  }

  /** What a client is told of an answer that did not come to its end; undefined of one that did. */
  private readonly failureOf = (finish: Finish | undefined): ApiError | undefined => {
    const status = this.parts.overloadStatus;
    if (finish === 'refused') return new ApiError(status, 'the fleet takes no more requests', OVERLOADED);
    if (finish === 'cancelled') return new ApiError(499, 'the client has closed the request');
    if (finish !== 'error') return undefined;
    return new ApiError(500, 'the worker that served this request has failed');
  };

  /** Answers with a stream of events. */
  stream(asked: Asked, faults: FaultSet, outgoing: ServerResponse, headers: Record<string, string>): void {
    let stream: AnswerStream | undefined;
    const answer = this.prepare(asked, faults, {
      piece: (choice, piece) => stream?.piece(choice, piece),
      ended: (choice) => stream?.ended(choice),
    });
    stream = new AnswerStream(outgoing, answer, asked.dialect, faults, {
      breakWorker: this.parts.breakWorker,
      failureOf: this.failureOf,
      abandon: () => cancelAll(answer),
    });
    stream.open(headers);
    this.start(answer);
  }

  /** Answers as a whole, when all of it is there. @param whenGone calls back when the client has gone */
  async whole(asked: Asked, faults: FaultSet, whenGone: (gone: () => void) => void): Promise<object> {
    let left = 0;
    let finish: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const answer = this.prepare(asked, faults, {
      piece: () => undefined,
      ended: () => {
        if (--left === 0) finish();
      },
    });
    left = answer.choices.length;
    whenGone(() => cancelAll(answer));
    this.start(answer);
    await finished;
    for (const { finish } of answer.choices) {
      const failure = this.failureOf(finish);
      if (failure) throw failure;
    }
    return asked.dialect.whole(answer);
  }
}

/** @throws {ApiError} 400 for more answers, or tokens, than one request may ask for */
function checkSize({ prompts, n, maxTokens }: GenerationRequest): void {
  const answers = prompts.length * n;
  if (answers > MOST_ANSWERS) throw badRequest(`${answers} answers are more than ${MOST_ANSWERS}`, 'n');
  if (answers * (maxTokens ?? 0) > MOST_OUTPUT_TOKENS)
    throw badRequest(
      `${answers} answers of ${maxTokens} tokens are more than ${MOST_OUTPUT_TOKENS} tokens`,
      'max_tokens',
    );
}

function cancelAll({ choices }: Answer): void {
  for (const choice of choices) choice.cancel();
}

function shapeFor(shape: OutputShape, faults: FaultSet): OutputShape {
  if (!faults.find('cut-reasoning') || shape.reasoning) return shape;
  return {
    ...shape,
    reasoning: { startId: shape.firstId, endId: shape.endId - 1, ratio: INJECTED_REASONING },
  };
}

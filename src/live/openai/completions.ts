import type { TokenTexts } from '../text/tokenizer.js';
import { type Answer, type Dialect, DONE_FRAME, frame, openAiUsage } from './answer.js';
import type { Choice, Piece } from './generation.js';
import { completionLogprobs } from './logprobs.js';

/** `/v1/completions`. */
export class CompletionDialect implements Dialect {
  readonly done = DONE_FRAME;
  private readonly heads = new Map<Choice, string>();

  /** @param echoes whether an answer begins with its prompt */
  constructor(
    private readonly texts: TokenTexts,
    private readonly includesUsage: boolean,
    private readonly echoes: boolean,
  ) {}

  private base({ id, created, request }: Answer): object {
    return {
      id: `cmpl-${id}`,
      object: 'text_completion',
      created,
      model: request.model,
      system_fingerprint: null,
    };
  }

  private chunk(
    answer: Answer,
    index: number,
    text: string,
    finish: string | null,
    logprobs: object | null,
  ): string {
    const choices = [{ index, text, logprobs, finish_reason: finish }];
    return frame({ ...this.base(answer), choices, ...(this.includesUsage && { usage: null }) });
  }

  private promptText({ prompt }: Choice): string {
    return this.texts.tokenizer.decode([...prompt]);
  }

  opening(answer: Answer): string {
    if (!this.echoes) return '';
    return answer.choices
      .map((choice) => this.chunk(answer, choice.index, this.promptText(choice), null, null))
      .join('');
  }

  piece(answer: Answer, choice: Choice, piece: Piece): string {
    const { topLogprobs } = answer.request;
    if (topLogprobs !== undefined) {
      const logprobs = completionLogprobs(this.texts, [piece], topLogprobs, 0);
      return this.chunk(answer, choice.index, piece.text, null, logprobs);
    }
    let head = this.heads.get(choice);
    if (head === undefined) {
      const base = JSON.stringify(this.base(answer)).slice(0, -1);
      head = `data: ${base},"choices":[{"index":${choice.index},"text":`;
      this.heads.set(choice, head);
    }
    const tail = this.includesUsage
      ? ',"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
      : ',"logprobs":null,"finish_reason":null}]}\n\n';
    return head + JSON.stringify(piece.text) + tail;
  }

  choiceEnded(answer: Answer, { index, finish }: Choice): string {
    return this.chunk(answer, index, '', finish ?? null, null);
  }

  closing(answer: Answer): string {
    return this.includesUsage ? frame({ ...this.base(answer), choices: [], usage: openAiUsage(answer) }) : '';
  }

  failure(body: object): string {
    return frame(body);
  }

  whole(answer: Answer): object {
    const { topLogprobs } = answer.request;
    const choices = answer.choices.map((choice) => {
      const echo = this.echoes ? this.promptText(choice) : '';
      const { text } = choice.texts;
      const logprobs =
        topLogprobs === undefined
          ? null
          : completionLogprobs(this.texts, choice.pieces, topLogprobs, echo.length);
      return { index: choice.index, text: echo + text, logprobs, finish_reason: choice.finish };
    });
    return { ...this.base(answer), choices, usage: openAiUsage(answer) };
  }
}

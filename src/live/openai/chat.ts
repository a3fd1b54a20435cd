import type { TokenTexts } from '../text/tokenizer.js';
import { type Answer, type Dialect, DONE_FRAME, frame, openAiUsage } from './answer.js';
import type { Choice, Piece } from './generation.js';
import { chatLogprob } from './logprobs.js';

/** `/v1/chat/completions`. */
export class ChatDialect implements Dialect {
  readonly done = DONE_FRAME;
  private readonly heads = new Map<Choice, string>();

  constructor(
    private readonly texts: TokenTexts,
    private readonly includesUsage: boolean,
  ) {}

  private chunk(answer: Answer, index: number, delta: object, finish: string | null): string {
    const choices = [{ index, delta, logprobs: null, finish_reason: finish }];
    return frame({ ...this.base(answer), choices, ...(this.includesUsage && { usage: null }) });
  }

  private base({ id, created, request }: Answer): object {
    return {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model: request.model,
      system_fingerprint: null,
    };
  }

  opening(answer: Answer): string {
    return answer.choices
      .map(({ index }) => this.chunk(answer, index, { role: 'assistant', content: '' }, null))
      .join('');
  }

  piece(answer: Answer, choice: Choice, piece: Piece): string {
    const { topLogprobs } = answer.request;
    if (piece.kind !== 'text' || topLogprobs !== undefined) return this.richPiece(answer, choice, piece);
    let head = this.heads.get(choice);
    if (head === undefined) {
      const base = JSON.stringify(this.base(answer)).slice(0, -1);
      head = `data: ${base},"choices":[{"index":${choice.index},"delta":{"content":`;
      this.heads.set(choice, head);
    }
    const tail = this.includesUsage
      ? '},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
      : '},"logprobs":null,"finish_reason":null}]}\n\n';
    return head + JSON.stringify(piece.text) + tail;
  }

  private richPiece(answer: Answer, choice: Choice, piece: Piece): string {
    const { index } = choice;
    if (piece.kind === 'reasoning') return this.chunk(answer, index, { reasoning_content: piece.text }, null);
    if (piece.kind === 'tool') {
      const call =
        choice.told.tool === 1
          ? this.callHead(answer, choice, piece.text)
          : { index: 0, function: { arguments: piece.text } };
      return this.chunk(answer, index, { tool_calls: [call] }, null);
    }
    const content = piece.id < 0 ? [] : [chatLogprob(this.texts, piece, answer.request.topLogprobs!)];
    const choices = [{ index, delta: { content: piece.text }, logprobs: { content }, finish_reason: null }];
    return frame({ ...this.base(answer), choices, ...(this.includesUsage && { usage: null }) });
  }

  private callHead(answer: Answer, choice: Choice, text: string): object {
    return {
      index: 0,
      id: callId(answer, choice),
      type: 'function',
      function: { name: answer.request.tool!.name, arguments: text },
    };
  }

  choiceEnded(answer: Answer, { index, finish }: Choice): string {
    return this.chunk(answer, index, {}, finish ?? null);
  }

  closing(answer: Answer): string {
    return this.includesUsage ? frame({ ...this.base(answer), choices: [], usage: openAiUsage(answer) }) : '';
  }

  failure(body: object): string {
    return frame(body);
  }

  whole(answer: Answer): object {
    const choices = answer.choices.map((choice) => ({
      index: choice.index,
      message: this.message(answer, choice),
      logprobs: this.logprobs(answer, choice),
      finish_reason: choice.finish,
    }));
    return { ...this.base(answer), object: 'chat.completion', choices, usage: openAiUsage(answer) };
  }

  private message(answer: Answer, choice: Choice): object {
    const { tool } = answer.request;
    const { text, reasoning, tool: args } = choice.texts;
    const call = tool && {
      id: callId(answer, choice),
      type: 'function',
      function: { name: tool.name, arguments: args },
    };
    return {
      role: 'assistant',
      content: tool ? null : text,
      reasoning_content: reasoning === '' ? null : reasoning,
      refusal: null,
      ...(call && { tool_calls: [call] }),
    };
  }

  private logprobs(answer: Answer, choice: Choice): object | null {
    const { topLogprobs } = answer.request;
    if (topLogprobs === undefined) return null;
    const told = choice.pieces.filter(({ kind, id }) => kind === 'text' && id >= 0);
    return { content: told.map((piece) => chatLogprob(this.texts, piece, topLogprobs)), refusal: null };
  }
}

function callId(answer: Answer, choice: Choice): string {
  return `call_${answer.id.replaceAll('-', '').slice(0, 22)}${choice.index}`;
}

import { type Answer, type Dialect, namedFrame, usageOf } from './answer.js';
import { Blocks } from './blocks.js';
import type { Choice, Piece, PieceKind } from './generation.js';

/** What of a request comes back in the answer. */
export interface ResponseEcho {
  instructions: string | null;
  max_output_tokens: number | null;
  metadata: object;
  temperature: number;
  top_p: number;
  tools: readonly object[];
  tool_choice: unknown;
}

/** `/v1/responses`. */
export class ResponseDialect implements Dialect {
  readonly done = '';
  private readonly blocks = new Blocks();
  private sequence = 0;

  constructor(private readonly echo: ResponseEcho) {}

  private event(type: string, data: object): string {
    return namedFrame(type, { type, sequence_number: this.sequence++, ...data });
  }

  opening(answer: Answer): string {
    const response = this.response(answer, 'in_progress', []);
    return this.event('response.created', { response }) + this.event('response.in_progress', { response });
  }

  piece(answer: Answer, choice: Choice, { kind, text }: Piece): string {
    const { blocks } = this;
    let frames = '';
    if (blocks.isNew(kind)) {
      frames += this.finishBlock(answer, choice);
      blocks.begin(kind);
      frames += this.beginBlock(answer);
    }
    blocks.text += text;
    return text === '' ? frames : frames + this.event(DELTAS[kind], { ...this.place(answer), delta: text });
  }

  private beginBlock(answer: Answer): string {
    const { kind, index } = this.blocks;
    const item = itemOf(answer, kind!, index, '', 'in_progress');
    const added = this.event('response.output_item.added', { output_index: index, item });
    if (kind !== 'text') return added;
    return added + this.event('response.content_part.added', { ...this.place(answer), part: textPart('') });
  }

  private finishBlock(answer: Answer, { finish }: Choice): string {
    const { blocks } = this;
    const { kind, index, text } = blocks;
    if (kind === undefined) return '';
    const place = this.place(answer);
    let frames = this.event(DONES[kind], { ...place, [kind === 'tool' ? 'arguments' : 'text']: text });
    if (kind === 'text')
      frames += this.event('response.content_part.done', { ...place, part: textPart(text) });
    blocks.finish();
    const item = itemOf(answer, kind, index, text, finish === 'length' ? 'incomplete' : 'completed');
    return frames + this.event('response.output_item.done', { output_index: index, item });
  }

  private place(answer: Answer): object {
    const { kind, index } = this.blocks;
    const place = { item_id: itemId(answer, index), output_index: index };
    return kind === 'tool' ? place : { ...place, content_index: 0 };
  }

  choiceEnded(answer: Answer, choice: Choice): string {
    const frames = this.finishBlock(answer, choice);
    const isCut = choice.finish === 'length';
    const output = this.blocks.done.map(({ kind, text }, index) =>
      itemOf(answer, kind, index, text, isCut ? 'incomplete' : 'completed'),
    );
    const status = isCut ? 'incomplete' : 'completed';
    const response = this.response(answer, status, output);
    return frames + this.event(`response.${status}`, { response });
  }

  closing(): string {
    return '';
  }

  failure(body: object): string {
    const { error } = body as { error: { code: unknown; message: string; param: unknown } };
    const { code, message, param } = error;
    return this.event('error', { code, message, param });
  }

  whole(answer: Answer): object {
    const [{ texts, finish }] = answer.choices;
    const kinds: PieceKind[] = texts.reasoning === '' ? [] : ['reasoning'];
    kinds.push(answer.request.tool ? 'tool' : 'text');
    const status = finish === 'length' ? 'incomplete' : 'completed';
    const output = kinds.map((kind, index) => itemOf(answer, kind, index, texts[kind], status));
    return this.response(answer, status, output);
  }

  private response(answer: Answer, status: string, output: readonly object[]): object {
    const { promptTokens, cachedTokens, outputTokens, reasoningTokens } = usageOf(answer);
    return {
      id: `resp_${answer.id.replaceAll('-', '')}`,
      object: 'response',
      created_at: answer.created,
      status,
      error: null,
      incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
      model: answer.request.model,
      output,
      parallel_tool_calls: true,
      previous_response_id: null,
      store: false,
      text: { format: { type: 'text' } },
      truncation: 'disabled',
      ...this.echo,
      usage:
        status === 'in_progress'
          ? null
          : {
              input_tokens: promptTokens,
              input_tokens_details: { cached_tokens: cachedTokens },
              output_tokens: outputTokens,
              output_tokens_details: { reasoning_tokens: reasoningTokens },
              total_tokens: promptTokens + outputTokens,
            },
    };
  }
}

const DELTAS: Record<PieceKind, string> = {
  reasoning: 'response.reasoning_text.delta',
  text: 'response.output_text.delta',
  tool: 'response.function_call_arguments.delta',
};

const DONES: Record<PieceKind, string> = {
  reasoning: 'response.reasoning_text.done',
  text: 'response.output_text.done',
  tool: 'response.function_call_arguments.done',
};

function itemId({ id }: Answer, index: number): string {
  return `item_${id.replaceAll('-', '').slice(0, 30)}${index}`;
}

function textPart(text: string): object {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

function itemOf(answer: Answer, kind: PieceKind, index: number, text: string, status: string): object {
  const id = itemId(answer, index);
  if (kind === 'reasoning')
    return { id, type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text }], status };
  if (kind === 'tool') {
    const call_id = `call_${answer.id.replaceAll('-', '').slice(0, 24)}`;
    return { id, type: 'function_call', status, arguments: text, call_id, name: answer.request.tool!.name };
  }
  const content = status === 'in_progress' ? [] : [textPart(text)];
  return { id, type: 'message', role: 'assistant', status, content };
}

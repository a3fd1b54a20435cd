import { type Answer, type Dialect, namedFrame, usageOf } from './answer.js';
import { Blocks } from './blocks.js';
import type { Choice, Piece, PieceKind } from './generation.js';

const STOP_REASONS: Record<string, string> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
};

/** Anthropic's `/v1/messages`. */
export class MessageDialect implements Dialect {
  readonly done = '';
  private readonly blocks = new Blocks();

  opening(answer: Answer): string {
    const message = { ...base(answer), content: [], stop_reason: null, stop_sequence: null };
    return namedFrame('message_start', {
      type: 'message_start',
      message: { ...message, usage: usage(answer) },
    });
  }

  piece(answer: Answer, _choice: Choice, { kind, text }: Piece): string {
    const { blocks } = this;
    let frames = '';
    if (blocks.isNew(kind)) {
      frames += this.stopBlock();
      blocks.begin(kind);
      const content_block = emptyBlock(answer, kind);
      frames += namedFrame('content_block_start', {
        type: 'content_block_start',
        index: blocks.index,
        content_block,
      });
    }
    if (text === '') return frames;
    const delta = { type: 'content_block_delta', index: blocks.index, delta: deltaOf(kind, text) };
    return frames + namedFrame('content_block_delta', delta);
  }

  private stopBlock(): string {
    const { blocks } = this;
    if (blocks.kind === undefined) return '';
    blocks.finish();
    return namedFrame('content_block_stop', { type: 'content_block_stop', index: blocks.index });
  }

  choiceEnded(answer: Answer, choice: Choice): string {
    const delta = { stop_reason: stopReason(choice), stop_sequence: null };
    return (
      this.stopBlock() +
      namedFrame('message_delta', { type: 'message_delta', delta, usage: usage(answer) }) +
      namedFrame('message_stop', { type: 'message_stop' })
    );
  }

  closing(): string {
    return '';
  }

  failure(body: object): string {
    return namedFrame('error', anthropicError(body));
  }

  whole(answer: Answer): object {
    const [choice] = answer.choices;
    const { reasoning, text, tool } = choice.texts;
    const content: object[] = [];
    if (reasoning !== '') content.push({ type: 'thinking', thinking: reasoning, signature: '' });
    if (answer.request.tool)
      content.push({ ...emptyBlock(answer, 'tool'), input: JSON.parse(tool === '' ? '{}' : tool) });
    else content.push({ type: 'text', text });
    return {
      ...base(answer),
      content,
      stop_reason: stopReason(choice),
      stop_sequence: null,
      usage: usage(answer),
    };
  }
}

/** The body of an error, from OpenAI's. */
export function anthropicError(body: object): object {
  const { error } = body as { error: { type: string; message: string } };
  return { type: 'error', error: { type: error.type, message: error.message } };
}

function base({ id, request }: Answer): object {
  return { id: `msg_${id.replaceAll('-', '')}`, type: 'message', role: 'assistant', model: request.model };
}

function usage(answer: Answer): object {
  const { promptTokens, cachedTokens, outputTokens } = usageOf(answer);
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_read_input_tokens: cachedTokens,
    cache_creation_input_tokens: 0,
    output_tokens: outputTokens,
  };
}

function stopReason({ finish }: Choice): string | null {
  return STOP_REASONS[finish ?? ''] ?? null;
}

function emptyBlock({ id, request }: Answer, kind: PieceKind): object {
  if (kind === 'reasoning') return { type: 'thinking', thinking: '', signature: '' };
  if (kind === 'text') return { type: 'text', text: '' };
  return {
    type: 'tool_use',
    id: `toolu_${id.replaceAll('-', '').slice(0, 24)}`,
    name: request.tool!.name,
    input: {},
  };
}

function deltaOf(kind: PieceKind, text: string): object {
  if (kind === 'reasoning') return { type: 'thinking_delta', thinking: text };
  if (kind === 'text') return { type: 'text_delta', text };
  return { type: 'input_json_delta', partial_json: text };
}

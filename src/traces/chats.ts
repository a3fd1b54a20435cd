import { BlockMint } from './blocks.js';
import { type Fields, jsonElements } from './fields.js';
import type { Importer, ImportOptions, TraceRequest, TraceSource } from './form.js';

/** Who answers, by the names that datasets have for it. */
const ANSWERERS = ['gpt', 'assistant', 'bing', 'bard', 'chatgpt'];

/** Where a dataset keeps what it says of a conversation. */
interface Layout {
  id: readonly string[];
  turns: string;
  speaker: string;
  text: string;
}

/** Something that was said, and when, where that is known. */
interface Said {
  isAnswer: boolean;
  characters: number;
  atMs: number | undefined;
}

/**
 * Conversations in text: each answer is a request whose prompt is everything before it. Lengths are characters over
 * `charactersPerToken`. Some datasets say when a question or its answer came, or when a conversation was held; otherwise
 * it starts a second after the one before it and its turns come at once.
 */
function* readChats(
  source: TraceSource,
  { blockTokens, charactersPerToken, leaveOut }: ImportOptions,
  layout: Layout,
): Generator<TraceRequest> {
  const mint = new BlockMint(blockTokens);
  const tokensOf = (characters: number) => Math.max(1, Math.ceil(characters / charactersPerToken));
  for (const chat of jsonElements(source)) {
    const idField = layout.id.find((name) => chat.has(name));
    const session = idField === undefined ? String(chat.line) : chat.text(idField);
    let characters = 0;
    let keptTokens = 0;
    const heldMs = chat.has('timestamp') ? chat.time('timestamp') : (chat.line - 1) * 1000;
    let askedMs: number | undefined;
    for (const turn of chat.objects(layout.turns)) {
      const said = saidIn(turn, layout);
      if (!said.isAnswer) askedMs = said.atMs;
      if (said.isAnswer && characters === 0) leaveOut?.('an answer to nothing');
      if (said.isAnswer && characters > 0) {
        const inputTokens = tokensOf(characters);
        yield {
          line: chat.line,
          startMs: askedMs ?? said.atMs ?? heldMs,
          endMs: said.atMs,
          inputTokens,
          outputTokens: tokensOf(said.characters),
          blocks: mint.grown(session, inputTokens, keptTokens),
          session,
        };
        keptTokens = inputTokens;
      }
      characters += said.characters;
    }
  }
}

function saidIn(turn: Fields, { speaker, text }: Layout): Said {
  return {
    isAnswer: ANSWERERS.includes(turn.text(speaker)),
    characters: turn.text(text).length,
    atMs: turn.has('timestamp') ? turn.time('timestamp') : undefined,
  };
}

export const sharegpt: Importer = {
  read: (source, options) =>
    readChats(source, options, { id: ['id'], turns: 'conversations', speaker: 'from', text: 'value' }),
};

/** Rows of LMSYS-Chat-1M and WildChat; WildChat says when each thing was said. */
export const chat: Importer = {
  read: (source, options) =>
    readChats(source, options, {
      id: ['conversation_id', 'conversation_hash'],
      turns: 'conversation',
      speaker: 'role',
      text: 'content',
    }),
};

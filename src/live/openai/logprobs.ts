import type { TokenTexts } from '../text/tokenizer.js';
import type { Piece } from './generation.js';

/** Log-probability of the first alternative, and how much less likely each further one is. Made up, always the same. */
const FIRST = -0.25;
const STEP = -1.5;

interface Alternative {
  token: string;
  logprob: number;
  bytes: number[];
}

function alternative(texts: TokenTexts, id: number, rank: number): Alternative {
  const token = texts.of(id);
  return { token, logprob: FIRST + rank * STEP, bytes: [...Buffer.from(token)] };
}

/** The token itself, then words next to it. */
function alternatives(texts: TokenTexts, id: number, count: number): Alternative[] {
  const { firstWord, vocabulary } = texts.tokenizer;
  const words = vocabulary - firstWord;
  return Array.from({ length: count }, (_, rank) => {
    const other = firstWord + ((Math.max(0, id - firstWord) + rank) % words);
    return alternative(texts, rank === 0 ? id : other, rank);
  });
}

/** As `logprobs.content` of a chat completion has a token. */
export function chatLogprob(texts: TokenTexts, { id }: Piece, count: number): object {
  return { ...alternative(texts, id, 0), top_logprobs: alternatives(texts, id, count) };
}

/** As `logprobs` of a completion has tokens. */
export function completionLogprobs(
  texts: TokenTexts,
  pieces: readonly Piece[],
  count: number,
  offset: number,
): object {
  const told = pieces.filter(({ id }) => id >= 0);
  let at = offset;
  return {
    tokens: told.map(({ id }) => texts.of(id)),
    token_logprobs: told.map(() => FIRST),
    top_logprobs: told.map(({ id }) =>
      Object.fromEntries(alternatives(texts, id, count).map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: told.map(({ text }) => {
      const start = at;
      at += text.length;
      return start;
    }),
  };
}

import type { Choice, GenerationRequest, Piece } from './generation.js';

/** An answer on its way: what is common to all interfaces. */
export interface Answer {
  /** Without the prefix that an interface gives it. */
  id: string;
  /** Seconds since 1970. */
  created: number;
  request: GenerationRequest;
  choices: readonly Choice[];
}

/** How one interface tells an answer: in frames as it comes, or as a whole. */
export interface Dialect {
  /** Frames in front of the first token. */
  opening(answer: Answer): string;
  piece(answer: Answer, choice: Choice, piece: Piece): string;
  choiceEnded(answer: Answer, choice: Choice): string;
  closing(answer: Answer): string;
  /** What ends a stream, where the interface has a mark for that. */
  readonly done: string;
  /** A frame with an error, in place of what would come. */
  failure(body: object): string;
  whole(answer: Answer): object;
}

export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

/** Tokens of an answer; every prompt counts once, however many answers it got. */
export function usageOf({ choices, request }: Answer): Usage {
  const usage: Usage = { promptTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  for (const choice of choices) {
    if (choice.index % request.n === 0) {
      usage.promptTokens += choice.prompt.length;
      usage.cachedTokens += choice.cachedTokens;
    }
    usage.outputTokens += choice.tokens;
    usage.reasoningTokens += choice.reasoningTokens;
  }
  return usage;
}

export function openAiUsage(answer: Answer): object {
  const { promptTokens, cachedTokens, outputTokens, reasoningTokens } = usageOf(answer);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: outputTokens,
    total_tokens: promptTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

export function frame(data: object | string): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

export const DONE_FRAME = frame('[DONE]');

export function namedFrame(event: string, data: object): string {
  return `event: ${event}\n${frame(data)}`;
}

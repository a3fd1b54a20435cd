import { WyRand } from '../../random/wyrand.js';

/** Tokens of a model's reasoning, as the engine argument `reasoning` has it. */
export interface ReasoningShape {
  startId: number;
  endId: number;
  /** Part of the output that is reasoning. */
  ratio: number;
}

/** Which ids an answer is made of. */
export interface OutputShape {
  firstId: number;
  /** Ids end below it. */
  endId: number;
  reasoning: ReasoningShape | undefined;
}

export interface PlannedOutput {
  ids: Uint32Array;
  /** How many of them are reasoning, with its start and its end; the others are the answer. */
  reasoningTokens: number;
}

/** Draws the ids of an answer: uniform among words, reasoning at the beginning where it is asked for. */
export function drawOutput(shape: OutputShape, tokens: number, seed: bigint): PlannedOutput {
  const random = new WyRand(seed);
  const ids = new Uint32Array(tokens);
  const words = shape.endId - shape.firstId;
  for (let i = 0; i < tokens; i++) ids[i] = shape.firstId + random.nextBelow(words);
  const { reasoning } = shape;
  const reasoningTokens = reasoning ? reasoningLength(tokens, reasoning.ratio) : 0;
  if (reasoning && reasoningTokens > 0) {
    ids[0] = reasoning.startId;
    ids[reasoningTokens - 1] = reasoning.endId;
  }
  return { ids, reasoningTokens };
}

/** Tokens of reasoning among some (`mocker` of the reference): none, or at least its start and its end. */
function reasoningLength(tokens: number, ratio: number): number {
  if (tokens < 2) return 0;
  const length = Math.floor(tokens * ratio);
  return length === 0 ? 0 : Math.min(Math.max(length, 2), tokens);
}

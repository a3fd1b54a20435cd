import { WyRand } from '../../../random/wyrand.js';

/** Ids of made-up tokens, as the reference draws them. */
const FIRST_ID = 1000;
const ID_COUNT = 1000;
/** Values of half a 32-bit number. */
const HALF = 0x10000;

/** Tokens that open and close the thinking part of an answer, and how large that part is. */
export interface Reasoning {
  startId: number;
  endId: number;
  ratio: number;
}

/** Draws what workers say. */
export class TokenIds {
  private readonly random: WyRand;

  constructor(
    seed: bigint,
    private readonly reasoning: Reasoning | undefined,
  ) {
    this.random = new WyRand(seed);
  }

  /** Ids of an answer of this length. */
  answer(length: number): Uint32Array {
    const ids = new Uint32Array(length);
    for (let i = 0; i < length; i++) ids[i] = FIRST_ID + this.random.nextBelow(ID_COUNT);
    const { reasoning } = this;
    const thinking = reasoning ? thinkingTokens(length, reasoning.ratio) : 0;
    if (!reasoning || thinking === 0) return ids;
    ids[0] = reasoning.startId;
    ids[thinking - 1] = reasoning.endId;
    return ids;
  }

  /** Ids that nobody ever sees: the content of generated blocks, which no prompt can match. */
  hidden(length: number): Uint32Array {
    const ids = new Uint32Array(length);
    for (let i = 0; i < length; i++)
      ids[i] = this.random.nextBelow(HALF) * HALF + this.random.nextBelow(HALF);
    return ids;
  }
}

/** Tokens of an answer from the opening token of its thinking part to the closing one. */
export function thinkingTokens(length: number, ratio: number): number {
  if (length < 2) return 0;
  const part = Math.floor(length * ratio);
  return part === 0 ? 0 : Math.min(Math.max(part, 2), length);
}

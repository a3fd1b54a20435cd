import { SeededRandom } from '../random/std-rng.js';
import type { RequestDraft } from './source.js';

/** Seed of the reference's planned output tokens. */
const OUTPUT_SEED = 232521115524845n;

interface Plan {
  authored: Uint32Array | undefined;
  /** Where the row's draws begin in the token stream. */
  word: number;
}

/**
 * Token content of prompts and outputs, for traces in which output can become prompt again: authored outputs, and
 * delta sessions, whose prompt is everything said before plus what is new. Hash ids become tokens by the order of
 * their first appearance in the file; outputs are authored or drawn from one stream in session order.
 */
export class PromptTokens {
  private readonly tokenOf = new Map<bigint, number>();
  private readonly plans = new Map<number, Plan>();
  private readonly history = new Map<number, Uint32Array>();
  private readonly inFlight = new Map<number, { prompt: Uint32Array; output: Uint32Array }>();
  private readonly random = new SeededRandom(OUTPUT_SEED);

  constructor(
    private readonly blockTokens: number,
    private readonly isDelta: boolean,
  ) {}

  intern(low: Uint32Array, high: Uint32Array, start: number, count: number): void {
    for (let i = start; i < start + count; i++) {
      const id = (BigInt(high[i]) << 32n) | BigInt(low[i]);
      if (!this.tokenOf.has(id)) this.tokenOf.set(id, this.tokenOf.size);
    }
  }

  plan(row: number, authored: Uint32Array | undefined, word: number): void {
    this.plans.set(row, { authored, word });
  }

  fill(draft: RequestDraft, low: Uint32Array, high: Uint32Array, start: number, count: number): void {
    const before = this.isDelta ? this.history.get(draft.row) : undefined;
    const known = before?.length ?? 0;
    const tokens = new Uint32Array(known + draft.inputTokens);
    if (before) tokens.set(before);
    for (let i = 0; i < count; i++) {
      const id = (BigInt(high[start + i]) << 32n) | BigInt(low[start + i]);
      const from = known + i * this.blockTokens;
      tokens.fill(this.tokenOf.get(id)!, from, Math.min(from + this.blockTokens, tokens.length));
    }
    draft.inputTokens = tokens.length;
    draft.tokens = tokens;
    draft.plannedOutput = this.outputOf(draft.row, draft.outputTokens);
    this.history.delete(draft.row);
    if (this.isDelta) this.inFlight.set(draft.row, { prompt: tokens, output: draft.plannedOutput });
  }

  private outputOf(row: number, count: number): Uint32Array {
    const { authored, word } = this.plans.get(row)!;
    if (authored) return authored;
    this.random.seek(word);
    return Uint32Array.from({ length: count }, () => this.random.nextU32());
  }

  /** Hands what was said to the next turn: the prompt and as much output as was emitted. */
  ended(row: number, nextRow: number, emittedTokens: number): void {
    const turn = this.inFlight.get(row);
    this.inFlight.delete(row);
    if (!turn || nextRow < 0) return;
    const said = new Uint32Array(turn.prompt.length + emittedTokens);
    said.set(turn.prompt);
    said.set(turn.output.subarray(0, emittedTokens), turn.prompt.length);
    this.history.set(nextRow, said);
  }
}

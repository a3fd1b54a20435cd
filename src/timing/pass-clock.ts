import { UserError } from '../config/user-error.js';
import type { TimingModel } from './timing-model.js';

const NS_PER_SECOND = 1e9;
const MAX_SECONDS = 2 ** 64;
const MEMO_LIMIT = 1 << 20;
const MEMO_PIECE = 1 << 12;
const NOT_KNOWN = new Float64Array(0);

/** A duration that the clock cannot hold. */
export class DurationError extends UserError {
  override readonly name = 'DurationError';
  readonly exitCode = 1;
}

/**
 * Seconds to whole nanoseconds, rounding the exact product half to even, as Rust's `Duration::from_secs_f64`.
 * @throws {DurationError} for negative, NaN or huge values
 */
export function secondsToNs(seconds: number): number {
  if (!(seconds >= 0 && seconds < MAX_SECONDS))
    throw new DurationError(
      `a pass would take ${seconds} seconds; the speed-up ratio is too small or the timing model broken`,
    );
  const product = seconds * NS_PER_SECOND;
  if (product >= 2 ** 52) return exactNs(seconds);
  const floor = Math.floor(product);
  const rest = product - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  const error = productError(seconds, NS_PER_SECOND, product);
  if (error !== 0) return error > 0 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** What rounding lost in a*b (Dekker's two-product). */
function productError(a: number, b: number, product: number): number {
  const split = (x: number): [number, number] => {
    const c = 134217729 * x;
    const high = c - (c - x);
    return [high, x - high];
  };
  const [ah, al] = split(a);
  const [bh, bl] = split(b);
  return ah * bh - product + ah * bl + al * bh + al * bl;
}

function exactNs(seconds: number): number {
  const whole = Math.floor(seconds);
  const fraction = seconds - whole;
  return Number(BigInt(whole) * 1000000000n + BigInt(Math.round(fraction * NS_PER_SECOND)));
}

/** Nanoseconds to seconds as Rust's `Duration::as_secs_f64`. */
export function nsToSeconds(ns: number): number {
  return Math.floor(ns / NS_PER_SECOND) + (ns % NS_PER_SECOND) / NS_PER_SECOND;
}

/**
 * Turns predictions into what is added to the clock, in milliseconds: rounded to nanoseconds, divided by the speed-up,
 * rounded again. Decode additions that depend on KV occupancy alone are remembered.
 */
export class PassClock {
  private readonly memo: Float64Array;
  /** The same by active tokens, in pieces that are made when they are needed. */
  private readonly memoByTokens: Float64Array[] = [];
  private readonly decodeRatio: number;
  private readonly totalTokens: number;

  constructor(
    private readonly model: TimingModel,
    private readonly prefillRatio: number,
    decodeSpeedup: number,
    private readonly blockTokens: number,
    gpuBlocks: number,
    private readonly stepMs = 0,
    private readonly stepMsPerSequence = 0,
    /** Whether no more tokens are taken to be active than the pool holds, whatever the requests share. */
    private readonly limitsTokens = true,
  ) {
    this.decodeRatio = prefillRatio * decodeSpeedup;
    this.totalTokens = gpuBlocks * blockTokens;
    this.memo = new Float64Array(model.readsContext ? 0 : Math.min(gpuBlocks + 1, MEMO_LIMIT)).fill(-1);
  }

  /** Whether every decode pass needs a prediction of its own. */
  get readsContext(): boolean {
    return this.model.readsContext;
  }

  /** Time that the scheduler takes for a pass over some sequences, beside the GPU's. */
  overheadMs(sequences: number): number {
    return this.stepMs + this.stepMsPerSequence * sequences;
  }

  /** @param inputTokens and prefixTokens are means over the batch, floored */
  prefillMs(batch: number, inputTokens: number, prefixTokens: number): number {
    const newTokens = Math.max(0, inputTokens - prefixTokens);
    if (batch === 0 || newTokens === 0) return 0;
    const predicted = this.model.prefillMs(batch, newTokens, prefixTokens);
    return this.toClock(atLeast(predicted, 0), this.prefillRatio);
  }

  decodeMs(batch: number, activeBlocks: number, contextTokens: number): number {
    if (activeBlocks < this.memo.length) {
      const known = this.memo[activeBlocks];
      if (known >= 0) return known;
      const added = this.predictDecode(batch, activeBlocks * this.blockTokens, contextTokens);
      this.memo[activeBlocks] = added;
      return added;
    }
    return this.predictDecode(batch, activeBlocks * this.blockTokens, contextTokens);
  }

  /** Whether a pass with prompts and decodes is one, and not the sum of two. */
  get isFused(): boolean {
    return this.model.mixedMs !== undefined;
  }

  /**
   * What requests that decode add to the prompts of their pass, where a pass is one.
   * @param prompts as for `prefillMs`
   */
  decodeBesideMs(
    prompts: { batch: number; inputTokens: number; prefixTokens: number },
    decodes: number,
    contextTokens: number,
  ): number {
    const { batch, inputTokens, prefixTokens } = prompts;
    const part = { batch, newTokens: Math.max(0, inputTokens - prefixTokens), prefixTokens };
    const ms = this.model.mixedMs!(part, decodes, contextTokens);
    const whole = this.toClock(atLeast(ms, 1), this.prefillRatio);
    return Math.max(0, whole - this.prefillMs(batch, inputTokens, prefixTokens));
  }

  /** As `decodeMs`, for engines that count tokens: those that all `batch` requests know. */
  decodeTokensMs(batch: number, tokens: number): number {
    const active = Math.min(tokens, this.totalTokens);
    if (this.model.readsContext)
      return this.predictDecode(batch, this.limitsTokens ? active : tokens, Math.floor(tokens / batch));
    const piece = this.memoPiece(active);
    const at = active % MEMO_PIECE;
    if (piece[at] < 0) piece[at] = this.predictDecode(batch, active, 0);
    return piece[at];
  }

  private memoPiece(tokens: number): Float64Array {
    const { memoByTokens } = this;
    const at = Math.floor(tokens / MEMO_PIECE);
    memoByTokens[at] ??= new Float64Array(MEMO_PIECE).fill(-1);
    return memoByTokens[at];
  }

  /**
   * Ends of passes that follow each other and begin before `limitMs`; in each, every request gets one token more.
   * @returns how many passes those are
   */
  decodeRun(
    startMs: number,
    batch: number,
    firstTokens: number,
    most: number,
    limitMs: number,
    ends: Float64Array,
  ): number {
    const { readsContext } = this.model;
    const overheadMs = this.overheadMs(batch);
    let t = startMs;
    let tokens = firstTokens;
    let passes = 0;
    while (passes < most && t < limitMs) {
      const last = Math.floor(tokens / MEMO_PIECE) * MEMO_PIECE + MEMO_PIECE;
      const isKnown = !readsContext && last <= this.totalTokens;
      const piece = isKnown ? this.memoPiece(tokens) : NOT_KNOWN;
      for (; tokens < last && passes < most && t < limitMs; passes++) {
        const known = isKnown ? piece[tokens % MEMO_PIECE] : -1;
        t += (known >= 0 ? known : this.decodeTokensMs(batch, tokens)) + overheadMs;
        ends[passes] = t;
        tokens += batch;
      }
    }
    return passes;
  }

  private predictDecode(batch: number, activeTokens: number, contextTokens: number): number {
    const predicted = this.model.decodeMs(batch, activeTokens, contextTokens, this.totalTokens);
    return this.toClock(atLeast(predicted, this.model.decodeFloorMs ?? 1), this.decodeRatio);
  }

  private toClock(ms: number, ratio: number): number {
    let ns = secondsToNs(ms / 1000);
    if (ratio !== 1 && ratio > 0 && ns > 0) ns = secondsToNs(nsToSeconds(ns) / ratio);
    return nsToSeconds(ns) * 1000;
  }
}

/** The larger of both; the floor where the prediction is no number. */
function atLeast(predicted: number, floor: number): number {
  return Number.isNaN(predicted) ? floor : Math.max(predicted, floor);
}

import type { TimingModel } from './timing-model.js';

/** One measured pass. `tokens` are new tokens of each request, `context` those known before; ms is its duration. */
export interface MeasuredPass {
  phase: 'prefill' | 'decode';
  batch: number;
  tokens: number;
  context: number;
  ms: number;
}

/** A curve through measured points, with straight lines between them and beyond its ends. */
class Curve {
  private readonly xs: number[];
  private readonly ys: number[];

  constructor(points: readonly (readonly [number, number])[]) {
    const sums = new Map<number, { sum: number; count: number }>();
    for (const [x, y] of points) {
      const known = sums.get(x) ?? { sum: 0, count: 0 };
      sums.set(x, { sum: known.sum + y, count: known.count + 1 });
    }
    const sorted = [...sums].sort(([a], [b]) => a - b);
    this.xs = sorted.map(([x]) => x);
    this.ys = sorted.map(([, { sum, count }]) => sum / count);
  }

  at(x: number): number {
    const { xs, ys } = this;
    if (xs.length === 1) return ys[0];
    let high = xs.findIndex((known) => known >= x);
    if (high < 0) high = xs.length - 1;
    if (high === 0) high = 1;
    const part = (x - xs[high - 1]) / (xs[high] - xs[high - 1]);
    return Math.max(0, ys[high - 1] + (ys[high] - ys[high - 1]) * part);
  }
}

/** Curves over one number, one for each value of another; between them values are blended, beyond them the line goes on. */
class Surface {
  private readonly curves: { key: number; curve: Curve }[];

  constructor(points: readonly { key: number; x: number; ms: number }[]) {
    const keys = [...new Set(points.map(({ key }) => key))].sort((a, b) => a - b);
    this.curves = keys.map((key) => ({
      key,
      curve: new Curve(points.filter((point) => point.key === key).map(({ x, ms }) => [x, ms] as const)),
    }));
  }

  at(key: number, x: number): number {
    return new Curve(this.curves.map((known) => [known.key, known.curve.at(x)] as const)).at(key);
  }
}

/**
 * Timing from measured passes. Prefill is a surface over all new tokens of a pass and the mean context before them,
 * decode one over requests and mean context; between points both are blended linearly, the context last.
 */
export class TableTiming implements TimingModel {
  readonly readsContext = true;
  private readonly prefill: Surface;
  private readonly decode: Surface;

  /** @throws {RangeError} when one of the phases has no pass */
  constructor(passes: readonly MeasuredPass[]) {
    const of = (phase: MeasuredPass['phase']) => {
      const rows = passes.filter((pass) => pass.phase === phase);
      if (rows.length === 0) throw new RangeError(`no ${phase} pass is measured`);
      return rows;
    };
    this.prefill = new Surface(
      of('prefill').map(({ batch, tokens, context, ms }) => ({ key: context, x: batch * tokens, ms })),
    );
    this.decode = new Surface(of('decode').map(({ batch, context, ms }) => ({ key: batch, x: context, ms })));
  }

  prefillMs(batch: number, newTokens: number, prefixTokens: number): number {
    return this.prefill.at(prefixTokens, batch * newTokens);
  }

  decodeMs(batch: number, _activeTokens: number, contextTokens: number): number {
    return this.decode.at(batch, contextTokens);
  }
}

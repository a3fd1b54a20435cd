import { type ArmaFit, fitArma, greatestInverseRoot } from './arma.js';

const MOST_ORDER = 5;
const MOST_DIFFERENCES = 2;
const MOST_MODELS = 100;
/** Models with an inverse root beyond this are as good as not stationary, or not invertible. */
const MOST_INVERSE_ROOT = 0.99;
/** The KPSS statistic of 5 % significance, around a level (Kwiatkowski, Phillips, Schmidt, Shin, 1992, table 1). */
const KPSS_LEVEL_5_PERCENT = 0.463;

interface Order {
  readonly p: number;
  readonly q: number;
  readonly hasConstant: boolean;
}

/** An ARIMA(p, d, q) process that was fitted to a series, and can follow it. */
export class Arima {
  private constructor(
    readonly order: Order & { readonly d: number },
    private fit: ArmaFit,
    private readonly values: number[],
  ) {}

  /**
   * Chooses orders step by step by Akaike's criterion (Hyndman and Khandakar, 2008).
   * @returns nothing when no model is admissible
   */
  static choose(series: readonly number[]): Arima | undefined {
    const d = differencesOf(series);
    const changes = differenced(series, d);
    const wantsConstant = d < 2;
    if (isConstant(changes)) {
      const order = { p: 0, q: 0, hasConstant: wantsConstant };
      return new Arima({ ...order, d }, fitted(changes, order), [...series]);
    }
    const best = new OrderSearch(changes, series.length, wantsConstant).run();
    return best && new Arima({ ...best.order, d }, best.fit, [...series]);
  }

  /** Goes on with more values: the coefficients follow, the orders stay. */
  update(values: readonly number[]): void {
    this.values.push(...values);
    this.fit = fitted(differenced(this.values, this.order.d), this.order, this.fit.at);
  }

  /** The value expected after the last. */
  next(): number {
    const { length } = this.values;
    const [last, before] = [this.values[length - 1], this.values[length - 2]];
    if (this.order.d === 0) return this.fit.next;
    return this.order.d === 1 ? last + this.fit.next : 2 * last - before + this.fit.next;
  }
}

/** The walk from order to neighbouring order, as long as the criterion falls. */
class OrderSearch {
  private best: { order: Order; fit: ArmaFit; criterion: number } | undefined;
  private readonly tried = new Set<string>();
  private readonly mostOrder: number;
  private p: number;
  private q: number;

  constructor(
    private readonly changes: readonly number[],
    private readonly length: number,
    private wantsConstant: boolean,
  ) {
    this.mostOrder = Math.min(MOST_ORDER, Math.floor(length / 3));
    const start = Math.min(this.length < 10 ? 1 : 2, this.mostOrder);
    this.p = start;
    this.q = start;
  }

  run() {
    this.tryOrder(this.p, this.q);
    if (this.tryOrder(0, 0)) this.moveTo(0, 0);
    if (this.mostOrder > 0 && this.tryOrder(1, 0)) this.moveTo(1, 0);
    if (this.mostOrder > 0 && this.tryOrder(0, 1)) this.moveTo(0, 1);
    if (this.wantsConstant && this.tryOrder(0, 0, false)) this.moveTo(0, 0);
    while (this.tried.size < MOST_MODELS && this.step());
    return this.best;
  }

  private step(): boolean {
    const neighbours = [
      [-1, 0],
      [0, -1],
      [1, 0],
      [0, 1],
      [-1, -1],
      [-1, 1],
      [1, -1],
      [1, 1],
    ];
    for (const [byP, byQ] of neighbours) {
      const [p, q] = [this.p + byP, this.q + byQ];
      if (p < 0 || q < 0 || p > this.mostOrder || q > this.mostOrder) continue;
      if (!this.tryOrder(p, q)) continue;
      this.moveTo(p, q);
      return true;
    }
    if (!this.tryOrder(this.p, this.q, !this.wantsConstant)) return false;
    this.wantsConstant = !this.wantsConstant;
    return true;
  }

  private moveTo(p: number, q: number): void {
    this.p = p;
    this.q = q;
  }

  /** @returns whether the order is the best so far */
  private tryOrder(p: number, q: number, hasConstant = this.wantsConstant): boolean {
    const key = `${p} ${q} ${hasConstant}`;
    if (this.tried.has(key) || this.tried.size >= MOST_MODELS) return false;
    this.tried.add(key);
    const order = { p, q, hasConstant };
    const fit = fitted(this.changes, order);
    const { ar, ma } = fit.arma;
    // As in the library that the reference calls, the AR part is only looked at where there is no MA part.
    const inverseRoot = greatestInverseRoot(q > 0 ? ma.map((value) => -value) : ar);
    if (inverseRoot > MOST_INVERSE_ROOT) return false;
    const criterion = 2 * (p + q + (hasConstant ? 1 : 0) + 1) - 2 * fit.logLikelihood;
    if (!(criterion < (this.best?.criterion ?? Number.POSITIVE_INFINITY))) return false;
    this.best = { order, fit, criterion };
    return true;
  }
}

function fitted(
  changes: readonly number[],
  { p, q, hasConstant }: Order,
  start?: readonly number[],
): ArmaFit {
  return fitArma(changes, p, q, hasConstant, start);
}

/** How often a series must be differenced before the KPSS test lets it pass as stationary. */
function differencesOf(series: readonly number[]): number {
  let changes = series;
  for (let d = 0; d < MOST_DIFFERENCES; d++) {
    if (isConstant(changes) || !(kpss(changes) > KPSS_LEVEL_5_PERCENT)) return d;
    changes = differenced(changes, 1);
  }
  return MOST_DIFFERENCES;
}

/** The KPSS statistic around a level, with the weights of Newey and West over trunc(4·(n/100)^¼) lags. */
function kpss(series: readonly number[]): number {
  const { length } = series;
  const mean = series.reduce((sum, value) => sum + value, 0) / length;
  const errors = series.map((value) => value - mean);
  const lags = Math.trunc(4 * (length / 100) ** 0.25);
  let variance = errors.reduce((sum, error) => sum + error * error, 0) / length;
  for (let lag = 1; lag <= lags; lag++) {
    let covariance = 0;
    for (let i = lag; i < length; i++) covariance += errors[i] * errors[i - lag];
    variance += (2 / length) * (1 - lag / (lags + 1)) * covariance;
  }
  let [running, squares] = [0, 0];
  for (const error of errors) {
    running += error;
    squares += running * running;
  }
  return squares / (length * length) / variance;
}

function differenced(series: readonly number[], times: number): readonly number[] {
  let changes = series;
  for (let i = 0; i < times; i++) changes = changes.slice(1).map((value, k) => value - changes[k]);
  return changes;
}

function isConstant(series: readonly number[]): boolean {
  return series.every((value) => value === series[0]);
}

import { Arima } from './auto-arima.js';
import type { SeriesModel } from './predictor.js';

const LEAST_VALUES = 5;

/**
 * Forecasts by an ARIMA model: its orders are chosen once, at the first forecast from enough values, and its
 * coefficients follow what comes. Values are taken as they are, or as ln(1 + value): if that is asked for, or if as they are
 * they look like mere noise.
 */
export class ArimaModel implements SeriesModel {
  private readonly values: number[] = [];
  private model: Arima | undefined;
  private known = 0;

  constructor(private isLogarithmic: boolean) {}

  add(value: number): void {
    this.values.push(Math.max(0, value));
  }

  predict(): number {
    const { values } = this;
    const last = values[values.length - 1] ?? 0;
    if (values.length < LEAST_VALUES || values.every((value) => value === values[0])) return last;
    if (this.model) this.model.update(values.slice(this.known).map(this.intoModel));
    else this.choose();
    this.known = values.length;
    const next = this.model?.next();
    if (next === undefined || !Number.isFinite(next)) return last;
    return Math.max(0, this.isLogarithmic ? Math.expm1(next) : next);
  }

  private readonly intoModel = (value: number): number => (this.isLogarithmic ? Math.log1p(value) : value);

  private choose(): void {
    this.model = Arima.choose(this.values.map(this.intoModel));
    if (this.isLogarithmic || !this.model) return;
    const { p, q } = this.model.order;
    if (p + q > 0) return;
    const logarithmic = Arima.choose(this.values.map(Math.log1p));
    if (!logarithmic) return;
    this.model = logarithmic;
    this.isLogarithmic = true;
  }
}

import type { SeriesModel } from './predictor.js';

export interface KalmanSettings {
  /** Variance of the steps of the level, of the trend, and of a measurement. */
  readonly level: number;
  readonly trend: number;
  readonly measurement: number;
  /** Works on ln(1 + value). */
  readonly isLogarithmic: boolean;
}

const START_VARIANCE = 1000;

/** A level with a trend, followed by a Kalman filter (Kalman 1960; Joseph's form of the update). */
export class KalmanModel implements SeriesModel {
  private level = 0;
  private trend = 0;
  /** Covariance of level and trend. */
  private p00 = START_VARIANCE;
  private p01 = 0;
  private p10 = 0;
  private p11 = START_VARIANCE;
  private hasValue = false;
  private isAhead = false;
  private readonly q0: number;
  private readonly q1: number;
  private readonly r: number;

  constructor(private readonly settings: KalmanSettings) {
    this.q0 = Math.max(1e-12, settings.level);
    this.q1 = Math.max(1e-12, settings.trend);
    this.r = Math.max(1e-9, settings.measurement);
  }

  add(value: number): void {
    const z = this.settings.isLogarithmic ? Math.log1p(Math.max(0, value)) : value;
    if (this.hasValue) {
      this.stepAhead();
      this.update(z);
    } else {
      this.level = z;
      this.trend = 0;
      this.hasValue = true;
    }
    this.isAhead = false;
  }

  predict(): number {
    if (!this.hasValue) return 0;
    this.stepAhead();
    return this.settings.isLogarithmic ? Math.max(0, Math.expm1(this.level)) : this.level;
  }

  /** Moves the state one step on, once a value. */
  private stepAhead(): void {
    if (this.isAhead) return;
    this.isAhead = true;
    this.level += this.trend;
    // F P F' with F = [[1, 1], [0, 1]].
    const a = this.p00 + this.p10;
    const b = this.p01 + this.p11;
    this.p00 = a + b + this.q0;
    this.p01 = b;
    this.p10 = this.p10 + this.p11;
    this.p11 += this.q1;
  }

  private update(z: number): void {
    const { r } = this;
    const error = z - this.level;
    const inverse = 1 / (this.p00 + r);
    const k0 = this.p00 * inverse;
    const k1 = this.p10 * inverse;
    this.level += k0 * error;
    this.trend += k1 * error;
    // (I - K H) P (I - K H)' + K R K'.
    const kept = 1 - k0;
    const a00 = kept * this.p00;
    const a01 = kept * this.p01;
    const a10 = this.p10 - k1 * this.p00;
    const a11 = this.p11 - k1 * this.p01;
    this.p00 = a00 * kept + k0 * r * k0;
    this.p01 = a01 - a00 * k1 + k0 * r * k1;
    this.p10 = a10 * kept + k1 * r * k0;
    this.p11 = a11 - a10 * k1 + k1 * r * k1;
  }
}

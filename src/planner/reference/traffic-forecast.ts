import type { Traffic } from '../planner.js';
import type { Predictor } from './forecast/predictor.js';

/** Traffic that is expected in the next window. */
export interface Forecast {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** As last seen; `undefined` before. */
  readonly hitRate: number | undefined;
  readonly acceptLength: number;
}

/** How many requests of what shape arrived in a window. */
export type Arrivals = Pick<Traffic, 'requests'> & {
  readonly inputTokens: number;
  readonly outputTokens: number;
};

/** Foretells requests and their lengths from window to window. */
export class TrafficForecast {
  private readonly requests: Predictor;
  private readonly inputTokens: Predictor;
  private readonly outputTokens: Predictor;
  private lastShape: { inputTokens: number; outputTokens: number } | undefined;
  private hitRate: number | undefined;
  private acceptLength = 1;

  constructor(predictor: () => Predictor) {
    this.requests = predictor();
    this.inputTokens = predictor();
    this.outputTokens = predictor();
  }

  /** Learns from traffic before the run. */
  warm(history: readonly Arrivals[]): void {
    for (const arrivals of history) this.observe(arrivals);
    for (const predictor of [this.requests, this.inputTokens, this.outputTokens]) predictor.rest();
    this.lastShape = undefined;
  }

  /** @param acceptLength as clamped to what the engines draft; `undefined` when nothing was decoded */
  next(traffic: Traffic, acceptLength: number | undefined): Forecast {
    this.observe({
      requests: traffic.requests,
      inputTokens: traffic.inputTokens.value,
      outputTokens: traffic.outputTokens.value,
    });
    this.hitRate = Number.isNaN(traffic.hitRate.value) ? this.hitRate : traffic.hitRate.value;
    this.acceptLength = acceptLength ?? this.acceptLength;
    return {
      requests: this.requests.predict(),
      inputTokens: this.inputTokens.predict(),
      outputTokens: this.outputTokens.predict(),
      hitRate: this.hitRate,
      acceptLength: this.acceptLength,
    };
  }

  /** A window without requests says nothing about their shape: the last one stands. */
  private observe({ requests, inputTokens, outputTokens }: Arrivals): void {
    this.requests.add(requests);
    if (requests > 0) this.lastShape = { inputTokens, outputTokens };
    const shape = (requests === 0 && this.lastShape) || { inputTokens, outputTokens };
    this.inputTokens.add(shape.inputTokens);
    this.outputTokens.add(shape.outputTokens);
  }
}

/** Foretells the next value of a series, one a window. */
export interface Predictor {
  add(value: number): void;
  /** The value expected next; 0 when nothing was added. */
  predict(): number;
  /** Forgets that traffic was seen, so that zeros before the first do not count again. */
  rest(): void;
}

/** A forecast of one step from all values so far. */
export interface SeriesModel {
  add(value: number): void;
  predict(): number;
}

/** Leaves out what comes before the first traffic: an idle start says nothing about the load to come. */
export class SkippingIdleStart implements Predictor {
  private hasSeenTraffic = false;

  constructor(private readonly model: SeriesModel) {}

  add(value: number): void {
    const known = Number.isNaN(value) ? 0 : value;
    if (known === 0 && !this.hasSeenTraffic) return;
    this.hasSeenTraffic = true;
    this.model.add(known);
  }

  predict(): number {
    return this.model.predict();
  }

  rest(): void {
    this.hasSeenTraffic = false;
  }
}

/** Next is as last. */
export class ConstantModel implements SeriesModel {
  private last = 0;

  add(value: number): void {
    this.last = value;
  }

  predict(): number {
    return this.last;
  }
}

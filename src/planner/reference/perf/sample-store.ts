/** Samples in columns, in the order in which they are summed. */
export interface Samples {
  readonly axes: readonly Float64Array[];
  readonly y: Float64Array;
  readonly count: number;
}

interface Sample {
  readonly x: readonly number[];
  readonly y: number;
}

/**
 * What was observed of one kind of pass: as many samples as fit, spread over the sizes seen. The range of each axis is
 * cut into equal buckets; when the store is full the fullest bucket loses its oldest sample, so that a load that
 * does not change cannot crowd out what is known about other loads.
 */
export class SampleStore {
  private buckets = new Map<number, Sample[]>();
  private readonly low: number[];
  private readonly high: number[];
  private count = 0;

  /** @param bucketsPerAxis how many intervals each axis is cut into */
  constructor(
    axes: number,
    private readonly bucketsPerAxis: number,
    private readonly capacity: number,
  ) {
    this.low = Array.from({ length: axes }, () => Number.POSITIVE_INFINITY);
    this.high = Array.from({ length: axes }, () => Number.NEGATIVE_INFINITY);
  }

  get size(): number {
    return this.count;
  }

  add(x: readonly number[], y: number): void {
    if (this.widen(x)) this.sortAgain();
    this.put({ x, y });
    this.count++;
    if (this.count > this.capacity) this.dropOne();
  }

  /** By bucket in ascending order, within one by arrival. */
  samples(): Samples {
    const axes = this.low.map(() => new Float64Array(this.count));
    const y = new Float64Array(this.count);
    let at = 0;
    for (const key of this.keys()) {
      for (const sample of this.buckets.get(key)!) {
        for (let axis = 0; axis < axes.length; axis++) axes[axis][at] = sample.x[axis];
        y[at++] = sample.y;
      }
    }
    return { axes, y, count: this.count };
  }

  private keys(): number[] {
    return [...this.buckets.keys()].sort((a, b) => a - b);
  }

  /** @returns whether a value lies beyond what was seen */
  private widen(x: readonly number[]): boolean {
    let isWider = false;
    for (let axis = 0; axis < x.length; axis++) {
      if (x[axis] < this.low[axis]) {
        this.low[axis] = x[axis];
        isWider = true;
      }
      if (x[axis] > this.high[axis]) {
        this.high[axis] = x[axis];
        isWider = true;
      }
    }
    return isWider;
  }

  private sortAgain(): void {
    const keys = this.keys();
    const before = this.buckets;
    this.buckets = new Map();
    for (const key of keys) for (const sample of before.get(key)!) this.put(sample);
  }

  private put(sample: Sample): void {
    const key = this.keyOf(sample.x);
    const bucket = this.buckets.get(key);
    if (bucket) bucket.push(sample);
    else this.buckets.set(key, [sample]);
  }

  private keyOf(x: readonly number[]): number {
    const { bucketsPerAxis } = this;
    let key = 0;
    for (let axis = 0; axis < x.length; axis++) {
      const range = this.high[axis] - this.low[axis];
      const index = range > 0 ? Math.trunc(((x[axis] - this.low[axis]) / range) * bucketsPerAxis) : 0;
      key = key * bucketsPerAxis + Math.min(index, bucketsPerAxis - 1);
    }
    return key;
  }

  private dropOne(): void {
    let fullest: Sample[] = [];
    for (const key of this.keys()) {
      const bucket = this.buckets.get(key)!;
      if (bucket.length > fullest.length) fullest = bucket;
    }
    fullest.shift();
    this.count--;
  }
}

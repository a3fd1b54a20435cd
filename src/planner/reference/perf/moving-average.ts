/** Mean of the last values; zeros before the first positive value do not count. */
export class MovingAverage {
  private readonly values: Float64Array;
  private count = 0;
  private sum = 0;

  constructor(length: number) {
    this.values = new Float64Array(Math.max(1, length));
  }

  add(value: number): void {
    if (this.count === 0 && !(value > 0)) return;
    const { values } = this;
    const at = this.count % values.length;
    const added = Math.max(0, value);
    this.sum += added;
    if (this.count >= values.length) this.sum -= values[at];
    values[at] = added;
    this.count++;
  }

  get value(): number {
    return this.count === 0 ? 0 : this.sum / Math.min(this.count, this.values.length);
  }
}

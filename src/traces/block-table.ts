const FREE = -1;
/** Part of the places that may be taken before a table grows. */
const MOST_FILLED = 0.6;

/** A number for each block identity of 64 bits, in open addressing: 12 bytes a place. */
export class BlockTable {
  size = 0;
  private low = new Uint32Array(1024);
  private high = new Uint32Array(1024);
  private values: Int32Array = new Int32Array(1024).fill(FREE);

  /** The number of a block; -1 for one that is not known. */
  get(low: number, high: number): number {
    return this.values[this.placeOf(low, high)];
  }

  /** @param value at least 0 */
  set(low: number, high: number, value: number): void {
    const place = this.placeOf(low, high);
    if (this.values[place] === FREE) {
      if (this.size >= MOST_FILLED * this.values.length) {
        this.grow();
        this.set(low, high, value);
        return;
      }
      this.size++;
      this.low[place] = low;
      this.high[place] = high;
    }
    this.values[place] = value;
  }

  /** Puts another number in the place of each. */
  replaceAll(other: (value: number) => number): void {
    const { values } = this;
    for (let place = 0; place < values.length; place++)
      if (values[place] !== FREE) values[place] = other(values[place]);
  }

  *known(): Generator<number> {
    for (const value of this.values) if (value !== FREE) yield value;
  }

  private placeOf(low: number, high: number): number {
    const mask = this.values.length - 1;
    let place = (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 0) & mask;
    while (this.values[place] !== FREE && (this.low[place] !== low || this.high[place] !== high))
      place = (place + 1) & mask;
    return place;
  }

  private grow(): void {
    const { low, high, values } = this;
    const length = 2 * values.length;
    this.low = new Uint32Array(length);
    this.high = new Uint32Array(length);
    this.values = new Int32Array(length).fill(FREE);
    for (let place = 0; place < values.length; place++) {
      if (values[place] === FREE) continue;
      const to = this.placeOf(low[place], high[place]);
      this.low[to] = low[place];
      this.high[to] = high[place];
      this.values[to] = values[place];
    }
  }
}

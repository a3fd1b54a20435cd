/** Splits a number into two halves of at most 26 bits (Veltkamp), whose products with small whole numbers are exact. */
const SPLITTER = 2 ** 27 + 1;

/**
 * A sum that remembers what rounding takes away (Neumaier), so that it does not depend on the order in which numbers
 * are added, nor on how many at a time. Runs that are cut into other pieces come to the same bits.
 */
export class ExactSum {
  private high = 0;
  private low = 0;

  add(value: number): void {
    const sum = this.high + value;
    this.low += Math.abs(this.high) >= Math.abs(value) ? this.high - sum + value : value - sum + this.high;
    this.high = sum;
  }

  /** Adds a number some times over. */
  addTimes(value: number, count: number): void {
    if (count === 1) {
      this.add(value);
      return;
    }
    const wide = SPLITTER * value;
    const upper = wide - (wide - value);
    this.add(upper * count);
    this.add((value - upper) * count);
  }

  get value(): number {
    return this.high + this.low;
  }

  copy(): ExactSum {
    return Object.assign(new ExactSum(), this);
  }
}

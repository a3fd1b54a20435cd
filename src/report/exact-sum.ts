/** Splits a number into two halves of at most 26 bits (Veltkamp), whose products with small whole numbers are exact. */
const SPLITTER = 2 ** 27 + 1;

/**
 * A sum that remembers what rounding takes away (Neumaier), so that it does not depend on the order in which numbers
 * are added, nor on how many at a time. Runs that are cut into other pieces come to the same bits.
 */
export class ExactSum {
  /** The rounded sum and what rounding took from it; in an array, where numbers are not boxed. */
  private readonly halves = new Float64Array(2);

  add(value: number): void {
    const { halves } = this;
    const high = halves[0];
    const sum = high + value;
    halves[1] += Math.abs(high) >= Math.abs(value) ? high - sum + value : value - sum + high;
    halves[0] = sum;
  }

  /** Adds a number some times over. */
  addTimes(value: number, count: number): void {
    const { halves } = this;
    const high = halves[0];
    const product = value * count;
    const sum = high + product;
    const wide = SPLITTER * value;
    const upper = wide - (wide - value);
    const lost = upper * count - product + (value - upper) * count;
    halves[1] += lost + (Math.abs(high) >= Math.abs(product) ? high - sum + product : product - sum + high);
    halves[0] = sum;
  }

  get value(): number {
    return this.halves[0] + this.halves[1];
  }

  /** Becomes another sum. */
  set(other: ExactSum): void {
    this.halves.set(other.halves);
  }
}

/** How one quantity follows another: sums from which the line of least squares and the correlation come (Welford). */
export class Trend {
  count = 0;
  meanX = 0;
  meanY = 0;
  leastX = Number.POSITIVE_INFINITY;
  mostX = Number.NEGATIVE_INFINITY;
  private squaresX = 0;
  private squaresY = 0;
  private products = 0;

  add(x: number, y: number): void {
    this.count++;
    const fromX = x - this.meanX;
    const fromY = y - this.meanY;
    this.meanX += fromX / this.count;
    this.meanY += fromY / this.count;
    this.squaresX += fromX * (x - this.meanX);
    this.squaresY += fromY * (y - this.meanY);
    this.products += fromX * (y - this.meanY);
    if (x < this.leastX) this.leastX = x;
    if (x > this.mostX) this.mostX = x;
  }

  copy(): Trend {
    return Object.assign(new Trend(), this);
  }

  /** Growth of y for each unit of x. */
  get slope(): number {
    return this.squaresX > 0 ? this.products / this.squaresX : 0;
  }

  /** From -1 to 1. */
  get correlation(): number {
    const scale = Math.sqrt(this.squaresX * this.squaresY);
    return scale > 0 ? this.products / scale : 0;
  }
}

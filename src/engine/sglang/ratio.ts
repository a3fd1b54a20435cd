/** Passes in which the ratio falls from its start to its floor, its start, and its floor as a part of that. */
const STEPS = 600;
const START = 0.7;
const FLOOR = 0.14;

/** The part of the output still to come of running requests for which admission keeps room. */
export class NewTokenRatio {
  value: number;
  private readonly start: number;
  private readonly floor: number;
  private readonly step: number;

  constructor(conservativeness: number) {
    this.start = START * conservativeness;
    this.floor = this.start * FLOOR;
    this.step = (this.start - this.floor) / STEPS;
    this.value = this.start;
  }

  reset(): void {
    this.value = this.start;
  }

  /** Lets it fall with passes. @returns whether it did */
  lower(passes: number): boolean {
    const before = this.value;
    for (let pass = 0; pass < passes; pass++) {
      const lower = Math.max(this.value - this.step, this.floor);
      if (lower === this.value) break;
      this.value = lower;
    }
    return this.value !== before;
  }
}

const MASK_64 = (1n << 64n) - 1n;
const INCREMENT = 0x2d358dccaa6c78a5n;
const MIXER = 0x8bb84b93962eacc9n;

/** The generator with which the reference's seeded build breaks ties: WyRand of the `fastrand` crate 2.5. */
export class WyRand {
  private state: bigint;

  constructor(seed: bigint) {
    this.state = seed & MASK_64;
  }

  private next(): bigint {
    this.state = (this.state + INCREMENT) & MASK_64;
    const product = this.state * (this.state ^ MIXER);
    return (product & MASK_64) ^ (product >> 64n);
  }

  /** Uniform integer in 0..n-1. */
  nextBelow(n: number): number {
    const range = BigInt(n);
    let product = this.next() * range;
    if ((product & MASK_64) < range) {
      const threshold = ((1n << 64n) - range) % range;
      while ((product & MASK_64) < threshold) product = this.next() * range;
    }
    return Number(product >> 64n);
  }

  /** Uniform in [0, 1). */
  nextFloat(): number {
    for (;;) {
      const x = Number(this.next() >> 1n) * 2 ** -63;
      if (x < 1) return x;
    }
  }
}

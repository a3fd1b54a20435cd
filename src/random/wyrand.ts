const HALF = 0x10000;
const WORD = 0x100000000;
const INCREMENT_HIGH = 0x2d358dcc;
const INCREMENT_LOW = 0xaa6c78a5;
const MIXER_HIGH = 0x8bb84b93;
const MIXER_LOW = 0x962eacc9;
/** Ranges below it have products with a word that a double holds exactly. */
const EXACT_RANGE = 2 ** 21;

/** Upper half of the product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + Math.floor((a0 * b0) / HALF);
  const other = a0 * b1 + (middle % HALF);
  return a1 * b1 + Math.floor(middle / HALF) + Math.floor(other / HALF);
}

/**
 * The generator with which the reference's seeded build breaks ties: WyRand of the `fastrand` crate 2.5. Numbers of 64
 * bits are kept as two words, which is some ten times faster than as a bigint.
 */
export class WyRand {
  private high: number;
  private low: number;
  /** Words of the last number drawn. */
  private drawnHigh = 0;
  private drawnLow = 0;

  constructor(seed: bigint) {
    this.high = Number((seed >> 32n) & 0xffffffffn);
    this.low = Number(seed & 0xffffffffn);
  }

  private draw(): void {
    const sum = this.low + INCREMENT_LOW;
    this.low = sum >>> 0;
    this.high = (this.high + INCREMENT_HIGH + (sum >= WORD ? 1 : 0)) >>> 0;
    const { high, low } = this;
    const mixedHigh = (high ^ MIXER_HIGH) >>> 0;
    const mixedLow = (low ^ MIXER_LOW) >>> 0;
    // The four partial products of the 128-bit product, added up word by word.
    const word0 = Math.imul(low, mixedLow) >>> 0;
    const sum1 =
      multiplyHigh(low, mixedLow) + (Math.imul(low, mixedHigh) >>> 0) + (Math.imul(high, mixedLow) >>> 0);
    const word1 = sum1 >>> 0;
    const sum2 =
      Math.floor(sum1 / WORD) +
      multiplyHigh(low, mixedHigh) +
      multiplyHigh(high, mixedLow) +
      (Math.imul(high, mixedHigh) >>> 0);
    const word2 = sum2 >>> 0;
    const word3 = (Math.floor(sum2 / WORD) + multiplyHigh(high, mixedHigh)) >>> 0;
    this.drawnLow = (word0 ^ word2) >>> 0;
    this.drawnHigh = (word1 ^ word3) >>> 0;
  }

  /** Uniform integer in 0..n-1, for n below 2^21: the upper word of (draw × n), as Lemire's method has it. */
  nextBelow(n: number): number {
    if (n >= EXACT_RANGE) throw new RangeError(`a range of ${n} is too large`);
    for (;;) {
      this.draw();
      const low = this.drawnLow * n;
      const high = this.drawnHigh * n + Math.floor(low / WORD);
      const rest = high % WORD;
      // A remainder below n may have to be drawn again, so that all results are equally likely.
      if (rest > 0 || low % WORD >= n || low % WORD >= threshold(n)) return Math.floor(high / WORD);
    }
  }

  /** Uniform in [0, 1). */
  nextFloat(): number {
    for (;;) {
      this.draw();
      const bits = (BigInt(this.drawnHigh) << 32n) | BigInt(this.drawnLow);
      const x = Number(bits >> 1n) * 2 ** -63;
      if (x < 1) return x;
    }
  }
}

/** (2^64 − n) mod n. */
function threshold(n: number): number {
  return Number(((1n << 64n) - BigInt(n)) % BigInt(n));
}

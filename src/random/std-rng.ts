const MASK_64 = (1n << 64n) - 1n;
const WORDS_PER_BLOCK = 16;
const TWO_32 = 4294967296;

/**
 * The reference's seeded generator: rand 0.9 `StdRng`, ChaCha with 12 rounds and a 64-bit block counter. Its words
 * form one stream that can be entered anywhere, so planned tokens need not be kept.
 */
export class SeededRandom {
  private readonly state = new Uint32Array(WORDS_PER_BLOCK);
  private readonly block = new Uint32Array(WORDS_PER_BLOCK);
  private blockIndex = -1;
  private position = 0;
  /** Halves of the last `nextU64`. */
  low = 0;
  high = 0;

  constructor(seed: bigint) {
    this.state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
    let s = seed & MASK_64;
    for (let i = 0; i < 8; i++) {
      s = (s * 6364136223846793005n + 11634580027462260723n) & MASK_64;
      const x = Number((((s >> 18n) ^ s) >> 27n) & 0xffffffffn);
      const rotation = Number(s >> 59n);
      this.state[4 + i] = (x >>> rotation) | (x << ((32 - rotation) & 31));
    }
  }

  /** Continues at the given word of the stream. */
  seek(word: number): void {
    this.position = word;
  }

  nextU32(): number {
    const index = Math.floor(this.position / WORDS_PER_BLOCK);
    if (index !== this.blockIndex) this.fillBlock(index);
    return this.block[this.position++ % WORDS_PER_BLOCK];
  }

  /** Draws 64 bits into `low` and `high`. */
  nextU64(): void {
    this.low = this.nextU32();
    this.high = this.nextU32();
  }

  /** Uniform in [0, 1) with 53 bits. */
  nextFloat(): number {
    this.nextU64();
    return (this.high * 2097152 + (this.low >>> 11)) * 2 ** -53;
  }

  /** Uniform integer in 0..n-1, n up to 2^32. */
  nextBelow(n: number): number {
    const range = BigInt(n);
    const product = BigInt(this.nextU32()) * range;
    let high = product >> 32n;
    const low = product & 0xffffffffn;
    if (low > ((1n << 32n) - range) % (1n << 32n)) {
      if (low + ((BigInt(this.nextU32()) * range) >> 32n) >= 1n << 32n) high++;
    }
    return Number(high);
  }

  /** Exponential with the given mean; no draw when it is 0. */
  nextExponential(mean: number): number {
    if (mean === 0) return 0;
    const u = Math.min(Math.max(1 - this.nextFloat(), 2.2250738585072014e-308), 1);
    return -mean * Math.log(u);
  }

  private fillBlock(index: number): void {
    const { state, block } = this;
    state[12] = index >>> 0;
    state[13] = Math.floor(index / TWO_32);
    block.set(state);
    for (let round = 0; round < 6; round++) {
      quarter(block, 0, 4, 8, 12);
      quarter(block, 1, 5, 9, 13);
      quarter(block, 2, 6, 10, 14);
      quarter(block, 3, 7, 11, 15);
      quarter(block, 0, 5, 10, 15);
      quarter(block, 1, 6, 11, 12);
      quarter(block, 2, 7, 8, 13);
      quarter(block, 3, 4, 9, 14);
    }
    for (let i = 0; i < WORDS_PER_BLOCK; i++) block[i] += state[i];
    this.blockIndex = index;
  }
}

function quarter(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 7);
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** Draws that are true with probability `p`: no draw when p is 1, else 64 bits below floor(p * 2^64). */
export class Bernoulli {
  private readonly always: boolean;
  private readonly low: number;
  private readonly high: number;

  constructor(p: number) {
    this.always = p === 1;
    const threshold = this.always ? 0n : BigInt(Math.floor(p * 2 ** 64));
    this.low = Number(threshold & 0xffffffffn);
    this.high = Number(threshold >> 32n);
  }

  draw(random: SeededRandom): boolean {
    if (this.always) return true;
    random.nextU64();
    return random.high < this.high || (random.high === this.high && random.low < this.low);
  }
}

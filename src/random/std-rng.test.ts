import { describe, expect, it } from 'vitest';
import { Bernoulli, SeededRandom } from './std-rng.js';

describe('seeded random numbers', () => {
  it.each([
    [42n, [572990626, 2261546851, 1068323197, 2330987027], [0.5265574090027738, 0.5427252099031439]],
    [0n, [3442241407, 3140108210, 2384947579, 3321986196], [0.7311134158637046, 0.7734601843532382]],
    [7n, [1789459390, 130212073, 612261766, 1318925544], [0.030317360865101395, 0.3070862833742408]],
    [232521115524845n, [952584220, 694593853, 2967053780, 2932165014], []],
  ])('seed %s gives the published words and floats', (seed, words, floats) => {
    const random = new SeededRandom(seed);
    expect(words.map(() => random.nextU32())).toEqual(words);
    const again = new SeededRandom(seed);
    expect(floats.map(() => again.nextFloat())).toEqual(floats);
  });

  it('draws 64 bits across a block border, low word first', () => {
    const random = new SeededRandom(42n);
    random.seek(63);
    random.nextU64();
    expect((BigInt(random.high) << 32n) | BigInt(random.low)).toBe(17178619768944704768n);
    expect(random.nextU32()).toBe(3959822768);
  });

  it.each([
    [3, [0, 1, 0, 1, 2, 1, 2, 1, 2, 0, 1, 1, 1, 2, 0, 2, 1, 0, 1, 0]],
    [7, [0, 3, 1, 3, 6, 4, 6, 2, 6, 0, 4, 2]],
    [1000, [133, 526, 248, 542, 868, 636, 990, 405, 969, 34, 617, 414, 347, 737, 185, 849]],
  ])('integers below %i', (n, expected) => {
    const random = new SeededRandom(42n);
    expect(expected.map(() => random.nextBelow(n))).toEqual(expected);
  });

  it('accepts with probability 0.3 as the reference does', () => {
    const random = new SeededRandom(42n);
    const coin = new Bernoulli(0.3);
    const draws = Array.from({ length: 12 }, () => (coin.draw(random) ? 'T' : 'F')).join('');
    expect(draws).toBe('FFFFTFFFTTFF');
  });
});

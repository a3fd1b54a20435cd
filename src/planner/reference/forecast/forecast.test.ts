import { describe, expect, it } from 'vitest';
import { ArimaModel } from './arima.js';
import { fitArma, greatestInverseRoot } from './arma.js';
import { ProphetModel } from './prophet.js';

/** Numbers of a linear congruential generator, from -0.5 to 0.5. */
function* noise(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31 - 0.5;
  }
}

function last(model: { add(value: number): void; predict(): number }, values: readonly number[]): number {
  for (const value of values) model.add(value);
  return model.predict();
}

describe.each([
  ['arima', () => new ArimaModel(false)],
  ['prophet', () => new ProphetModel({ window: 50, isLogarithmic: false })],
])('%s', (_, make) => {
  it('repeats the last value where it knows fewer than five', () => {
    expect(make().predict()).toBe(0);
    expect(last(make(), [3, 9, 4, 7])).toBe(7);
  });

  it('says that what never changed will not', () => {
    expect(last(make(), [6, 6, 6, 6, 6, 6, 6])).toBe(6);
  });

  it('goes on with a straight line', () => {
    const line = Array.from({ length: 20 }, (_, i) => 10 + 4 * i);
    expect(Math.abs(last(make(), line) - 90)).toBeLessThan(2);
  });

  it('is never negative', () => {
    expect(last(make(), [50, 40, 30, 20, 10, 5, 1, 0, 0, 0])).toBeGreaterThanOrEqual(0);
  });
});

describe('fitArma', () => {
  it('finds the coefficients that a series was made with', () => {
    const random = noise(7);
    const series: number[] = [];
    let value = 100;
    for (let i = 0; i < 4000; i++) {
      value = 30 + 0.7 * value + 10 * random.next().value;
      series.push(value);
    }
    const { arma } = fitArma(series, 1, 0, true);
    expect(arma.ar[0]).toBeCloseTo(0.7, 1);
    expect(arma.constant / (1 - arma.ar[0])).toBeCloseTo(100, -1);
  });

  it('has the likelihood of independent normal values where there is nothing else', () => {
    const series = [1, 4, 2, 7];
    const [mean, variance] = [3.5, 5.25];
    const expected = -2 * (Math.log(2 * Math.PI * variance) + 1);
    const { logLikelihood, next } = fitArma(series, 0, 0, true);
    expect(logLikelihood).toBeCloseTo(expected, 6);
    expect(next).toBeCloseTo(mean, 4);
  });
});

describe('greatestInverseRoot', () => {
  it('is the greatest growth of the recursion', () => {
    expect(greatestInverseRoot([])).toBe(0);
    expect(greatestInverseRoot([0.5])).toBeCloseTo(0.5, 6);
    // (x - 0.9)(x - 0.2)
    expect(greatestInverseRoot([1.1, -0.18])).toBeCloseTo(0.9, 3);
  });
});

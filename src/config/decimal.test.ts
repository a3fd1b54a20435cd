import { describe, expect, it } from 'vitest';
import { decimalToDouble } from './decimal.js';

describe('numbers of the reference’s reader', () => {
  it.each([
    ['174.01217957772315', 17401217957772316 / 1e14],
    ['0.1', 0.1],
    ['-12345.678', -12345.678],
    ['9007199254740993', 9007199254740992],
    ['1e3', 1000],
    ['1.5E-3', 0.0015],
    ['123456789012345678901234567890', 12345678901234567000 * 1e10],
    ['0.00000000000000000000000001', 1 / 1e26],
    ['1e400', Number.POSITIVE_INFINITY],
    ['1e-400', 0],
  ])('reads %s', (text, value) => expect(decimalToDouble(text)).toBe(value));
});

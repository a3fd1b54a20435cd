/** Digits that a double holds exactly whatever they are; so short a number is read right by anyone. */
const SAFE_LENGTH = 15;
const U64 = 1n << 64n;

/**
 * A JSON number as a double, with the reference's rounding: its reader (serde_json) takes up to 64 bits of digits, rounds
 * them to a double and then divides or multiplies by a power of ten, which may be off by one in the last place.
 */
export function decimalToDouble(text: string): number {
  if (text.length <= SAFE_LENGTH && !/[eE]/.test(text)) return Number(text);
  const [, sign, whole, fraction = '', power = '0'] = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(
    text,
  )!;
  let digits = 0n;
  let exponent = Number(power);
  let isFull = false;
  for (let i = 0; i < whole.length; i++) {
    const next = digits * 10n + BigInt(whole[i]);
    isFull ||= next >= U64;
    if (isFull) exponent++;
    else digits = next;
  }
  for (let i = 0; i < fraction.length && !isFull; i++) {
    const next = digits * 10n + BigInt(fraction[i]);
    isFull = next >= U64;
    if (isFull) break;
    digits = next;
    exponent--;
  }
  const value = scaled(Number(digits), exponent);
  return sign === '-' ? -value : value;
}

const MAX_POWER = 308;

function scaled(digits: number, exponent: number): number {
  if (digits === 0) return 0;
  let value = digits;
  let left = exponent;
  for (; left < -MAX_POWER; left += MAX_POWER) value /= 1e308;
  return left < 0 ? value / Number(`1e${-left}`) : value * Number(`1e${Math.min(left, MAX_POWER + 1)}`);
}

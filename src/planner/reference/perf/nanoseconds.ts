const PER_SECOND = 1e9;
/** Splits a double into halves whose products are exact (Dekker 1971). */
const SPLITTER = 2 ** 27 + 1;

/** Whole nanoseconds nearest to a time in seconds, half to even, decided on the exact product. */
export function toNanoseconds(seconds: number): number {
  if (!(seconds > 0)) return 0;
  const product = seconds * PER_SECOND;
  const floor = Math.floor(product);
  const beyondHalf = product - floor - 0.5 + productError(seconds, PER_SECOND, product);
  if (beyondHalf > 0) return floor + 1;
  if (beyondHalf < 0) return floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Seconds of whole nanoseconds, put together from whole seconds and the rest. */
export function toSeconds(nanoseconds: number): number {
  const seconds = Math.floor(nanoseconds / PER_SECOND);
  return seconds + (nanoseconds - seconds * PER_SECOND) / PER_SECOND;
}

/** Exact `a * b - product`. */
function productError(a: number, b: number, product: number): number {
  const [aHigh, aLow] = halves(a);
  const [bHigh, bLow] = halves(b);
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

function halves(value: number): [number, number] {
  const scaled = SPLITTER * value;
  const high = scaled - (scaled - value);
  return [high, value - high];
}

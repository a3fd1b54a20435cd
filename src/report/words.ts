/** A number with its thousands apart. Intl costs more than a short run to load. @param digits behind the point */
export function grouped(value: number, digits = 0): string {
  const [whole, fraction] = value.toFixed(digits).split('.');
  const apart = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? apart : `${apart}.${fraction}`;
}

/** A part of a whole, as in 3.2 % or 54 %. */
export function percent(part: number): string {
  const value = 100 * part;
  return `${Math.abs(value) >= 1000 ? grouped(value) : value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)} %`;
}

/** A time, as in 8.1 ms, 250 ms or 12.4 s. */
export function duration(ms: number): string {
  if (Math.abs(ms) < 999.5) return `${ms.toFixed(Math.abs(ms) < 10 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A number of things, with the noun that goes with it. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count, Number.isInteger(count) ? 0 : 1)} ${count === 1 ? one : many}`;
}

/** A span of simulated time, as in "from 12 to 40 s". */
export function span(fromMs: number, toMs: number): string {
  const digits = toMs - fromMs < 10_000 ? 1 : 0;
  return `from ${(fromMs / 1000).toFixed(digits)} to ${(toMs / 1000).toFixed(digits)} s`;
}

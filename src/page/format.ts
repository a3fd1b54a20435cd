const three = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 });
const two = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

/** A number as it was measured, to three decimals. */
export function exact(value: number): string {
  return three.format(value);
}

/** A number as short as its size allows. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${two.format(value / 1e9)} G`;
  if (size >= 1e6) return `${two.format(value / 1e6)} M`;
  if (size >= 1e4) return `${two.format(value / 1e3)} k`;
  return size >= 100 ? String(Math.round(value)) : two.format(value);
}

/** A time in milliseconds, in the unit that suits it. */
export function time(ms: number): string {
  if (Math.abs(ms) >= 120_000) return `${two.format(ms / 60_000)} min`;
  if (Math.abs(ms) >= 1000) return `${two.format(ms / 1000)} s`;
  return `${two.format(ms)} ms`;
}

export function percent(part: number): string {
  return `${two.format(part * 100)} %`;
}

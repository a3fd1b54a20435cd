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

/** Steps of axes that show such times: round ones in milliseconds, seconds, minutes and hours. */
export const TIME_STEPS: number[] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]
  .concat([1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].map((s) => s * 1000))
  .concat([2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000].map((h) => h * 3_600_000));

export function percent(part: number): string {
  return `${two.format(part * 100)} %`;
}

const BAR_WIDTH = 40;
const BINS = 12;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A line with a bar as long as a part of the widest. */
export function bar(label: string, part: number, value: string): string {
  const eighths = Math.round(part * BAR_WIDTH * 8);
  const drawn = '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
  return `  ${label.padStart(20)} ${drawn.padEnd(BAR_WIDTH)} ${value}`;
}

/** Values over time, or any other row of them, as bars. @param labelOf of the value at an index */
export function barChart(values: readonly number[], labelOf: (index: number) => string): string[] {
  const most = Math.max(1e-9, ...values);
  return values.map((value, index) =>
    bar(labelOf(index), value / most, value.toLocaleString('en-US', { maximumFractionDigits: 2 })),
  );
}

/** How many samples lie in each of some bins of equal ratio. @param sorted ascending, not negative */
export function histogram(sorted: ArrayLike<number>, format: (value: number) => string): string[] {
  if (sorted.length === 0) return [];
  const low = Math.max(sorted[0], sorted[sorted.length - 1] / 1e6, 1e-6);
  const high = Math.max(sorted[sorted.length - 1], low * 1.01);
  const edges = Array.from({ length: BINS + 1 }, (_, bin) => low * (high / low) ** (bin / BINS));
  const counts = new Array<number>(BINS).fill(0);
  let bin = 0;
  for (let i = 0; i < sorted.length; i++) {
    while (bin < BINS - 1 && sorted[i] >= edges[bin + 1]) bin++;
    counts[bin]++;
  }
  const most = Math.max(...counts);
  return counts.map((inBin, at) =>
    bar(`${format(edges[at])} to ${format(edges[at + 1])}`, inBin / most, inBin.toLocaleString('en-US')),
  );
}

const COLUMN_EIGHTHS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇'];
const PLOT_ROWS = 6;
const PLOT_WIDTH = 62;

/** Values over equally spaced places as columns. @param labels of the first and the last place */
export function columnPlot(
  title: string,
  values: readonly number[],
  labels: readonly [first: string, last: string],
): string[] {
  const most = Math.max(1e-9, ...values);
  const width = Math.max(1, Math.min(4, Math.floor(PLOT_WIDTH / values.length)));
  const scale = (value: number) => value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
  const gutter = Math.max(scale(most).length, 1);
  const rows = Array.from({ length: PLOT_ROWS }, (_, index) => {
    const floor = (PLOT_ROWS - 1 - index) * 8;
    const cells = values.map((value) => {
      const eighths = Math.round((value / most) * PLOT_ROWS * 8) - floor;
      return (eighths >= 8 ? '█' : COLUMN_EIGHTHS[Math.max(0, eighths)]).repeat(width);
    });
    const label = index === 0 ? scale(most) : index === PLOT_ROWS - 1 ? '0' : '';
    return `  ${label.padStart(gutter)} ${cells.join('')}`.trimEnd();
  });
  const room = values.length * width - labels[0].length;
  return [`  ${title}`, ...rows, `  ${' '.repeat(gutter)} ${labels[0]}${labels[1].padStart(room)}`];
}

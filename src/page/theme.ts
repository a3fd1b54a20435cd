/** A colour of the page's style sheet, as it is now. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Colours that tell series apart, of runs or of lines. */
export function seriesColor(index: number): string {
  return color(`series-${index % 8}`);
}

const redraws: (() => void)[] = [];

/** Draws now, and again when the page changes between light and dark. */
export function drawnWithTheme(draw: () => void): void {
  redraws.push(draw);
  draw();
}

export function toggleTheme(): void {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
  for (const redraw of redraws) redraw();
}

export function followSystemTheme(): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const redraw of redraws) redraw();
  });
}

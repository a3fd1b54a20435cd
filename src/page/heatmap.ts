import { element, type Tooltip } from './dom.js';
import { color, drawnWithTheme } from './theme.js';

export interface HeatRow {
  label: string;
  values: readonly number[];
}

interface HeatmapOptions {
  tooltip: Tooltip;
  /** Lines of the tooltip for bins from one on, to before another. */
  describe: (row: number, fromBin: number, toBin: number) => string[];
  onZoom: (fromMs: number, toMs: number) => void;
  onChoice: (row: number) => void;
}

const ROW_HEIGHT = 22;
const LEAST_ROW_HEIGHT = 3;
const MOST_HEIGHT = 640;
const LABEL_WIDTH = 64;

/** A row for each worker, darker where there is more; dragging zooms, a double click shows all again. */
export class Heatmap {
  readonly node: HTMLCanvasElement;
  private rows: readonly HeatRow[] = [];
  private binMs = 1;
  private fromMs = 0;
  private toMs = 1;
  private dragFrom: number | undefined;
  private frame = 0;

  constructor(private readonly options: HeatmapOptions) {
    this.node = element('canvas', { class: 'heatmap', 'data-chart': 'workers' });
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.node);
    drawnWithTheme(() => this.draw());
  }

  setRows(rows: readonly HeatRow[], binMs: number): void {
    this.rows = rows;
    this.binMs = binMs;
    this.draw();
  }

  zoom(fromMs: number, toMs: number): void {
    this.fromMs = fromMs;
    this.toMs = toMs;
    this.draw();
  }

  private get rowHeight(): number {
    return Math.max(
      LEAST_ROW_HEIGHT,
      Math.min(ROW_HEIGHT, Math.floor(MOST_HEIGHT / Math.max(1, this.rows.length))),
    );
  }

  private get plotWidth(): number {
    return Math.max(1, this.node.clientWidth - LABEL_WIDTH);
  }

  private msAt(x: number): number {
    return this.fromMs + ((x - LABEL_WIDTH) / this.plotWidth) * (this.toMs - this.fromMs);
  }

  /** Bins under a column of pixels: from one on, to before another. */
  private binsAt(x: number): [number, number] {
    const from = Math.floor(this.msAt(x) / this.binMs);
    return [from, Math.max(from + 1, Math.ceil(this.msAt(x + 1) / this.binMs))];
  }

  /** Draws once, however often it is asked for before the next frame. */
  private draw(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.drawNow();
    });
  }

  private drawNow(): void {
    const { node, rows, rowHeight } = this;
    const ratio = devicePixelRatio;
    node.style.height = `${rows.length * rowHeight}px`;
    node.width = node.clientWidth * ratio;
    node.height = rows.length * rowHeight * ratio;
    const context = node.getContext('2d');
    if (!context || node.width === 0 || rows.length === 0) return;
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.shades(), LABEL_WIDTH, 0, this.plotWidth, rows.length * rowHeight);
    context.font = '11px system-ui';
    context.fillStyle = color('faint');
    if (rowHeight >= 11)
      rows.forEach(({ label }, row) => {
        context.fillText(label, 0, (row + 1) * rowHeight - 7, LABEL_WIDTH - 6);
      });
    context.fillStyle = color('back');
    if (rowHeight > LEAST_ROW_HEIGHT)
      for (let row = 1; row < rows.length; row++)
        context.fillRect(LABEL_WIDTH, row * rowHeight - 1, this.plotWidth, 1);
  }

  /** A picture with a pixel for each column of each row. */
  private shades(): HTMLCanvasElement {
    const { rows } = this;
    const width = Math.floor(this.plotWidth);
    const picture = element('canvas', { width: String(width), height: String(rows.length) });
    const context = picture.getContext('2d')!;
    const image = context.createImageData(width, rows.length);
    const [red, green, blue] = rgbOf(color('heat'));
    const columns = Array.from({ length: width }, (_, x) => this.binsAt(x + LABEL_WIDTH));
    let most = 1e-9;
    for (const { values } of rows) for (const value of values) most = Math.max(most, value);
    let at = 0;
    for (const { values } of rows)
      for (const [from, to] of columns) {
        const value = meanOf(values, from, to);
        image.data[at++] = red;
        image.data[at++] = green;
        image.data[at++] = blue;
        image.data[at++] = value > 0 ? 255 * (0.12 + 0.88 * Math.min(1, value / most)) : 0;
      }
    context.putImageData(image, 0, 0);
    return picture;
  }

  private listen(): void {
    const { node, options } = this;
    node.addEventListener('mousemove', (event) => {
      const row = Math.floor(event.offsetY / this.rowHeight);
      if (event.offsetX < LABEL_WIDTH || row >= this.rows.length) options.tooltip.hide();
      else options.tooltip.show(event, options.describe(row, ...this.binsAt(event.offsetX)));
    });
    node.addEventListener('mouseleave', () => options.tooltip.hide());
    node.addEventListener('mousedown', (event) => {
      this.dragFrom = event.offsetX;
    });
    node.addEventListener('mouseup', (event) => {
      const { dragFrom } = this;
      this.dragFrom = undefined;
      if (dragFrom === undefined) return;
      const [left, right] = [dragFrom, event.offsetX].sort((a, b) => a - b);
      if (right - left > 4) options.onZoom(this.msAt(Math.max(left, LABEL_WIDTH)), this.msAt(right));
      else options.onChoice(Math.floor(event.offsetY / this.rowHeight));
    });
  }
}

/** Red, green and blue of a colour such as #1f5fbf. */
function rgbOf(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** Mean of the values from one index on, to before another. */
export function meanOf(values: readonly number[], from: number, to: number): number {
  const end = Math.min(to, values.length);
  let sum = 0;
  for (let i = Math.max(0, from); i < end; i++) sum += values[i];
  return end > from ? sum / (end - from) : 0;
}

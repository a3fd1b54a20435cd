import uPlot from 'uplot';
import { element } from './dom.js';
import { short, TIME_STEPS, time } from './format.js';
import { color, drawnWithTheme } from './theme.js';

export interface Line {
  label: string;
  color: () => string;
  values: readonly (number | null)[];
  /** Points rather than a line. */
  isScatter?: boolean;
  /** Values hold until the next one. */
  isStep?: boolean;
}

export interface ChartOptions {
  title: string;
  x: readonly number[];
  lines: readonly Line[];
  height?: number;
  xText: (value: number) => string;
  yText?: (value: number) => string;
  /** The values are parts of a whole. */
  isPart?: boolean;
  /** The axis begins at 0 and reaches at least to `yLeast`. */
  isFromZero?: boolean;
  yLeast?: number;
  /** Draws over the chart, in its own pixels. */
  over?: (chart: uPlot) => void;
  onZoom?: (from: number, to: number) => void;
  /** Charts with the same key show the same moment under the mouse. */
  syncKey?: string;
  onMove?: (chart: uPlot, event: MouseEvent | undefined) => void;
}

/** A chart as wide as its place, which is made anew when the colours of the page change. */
export class Chart {
  readonly node: HTMLElement;
  private plot: uPlot | undefined;

  constructor(private readonly options: ChartOptions) {
    this.node = element('div', { class: 'chart', 'data-chart': options.title });
    drawnWithTheme(() => this.draw());
    new ResizeObserver(() => {
      const width = this.node.clientWidth;
      if (width === 0) return;
      if (this.plot) this.plot.setSize({ width, height: this.height });
      else this.draw();
    }).observe(this.node);
  }

  private get height(): number {
    return this.options.height ?? 200;
  }

  /** Shows a part of the x axis. */
  zoom(from: number, to: number): void {
    const { plot } = this;
    const { min, max } = plot?.scales.x ?? {};
    if (plot && (min !== from || max !== to)) plot.setScale('x', { min: from, max: to });
  }

  /** Shows what has been added to the values since. */
  refresh(): void {
    const { x, lines } = this.options;
    this.plot?.setData([x, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData);
  }

  redraw(): void {
    this.plot?.redraw();
  }

  private draw(): void {
    const width = this.node.clientWidth;
    if (width === 0) return;
    const { min, max } = this.plot?.scales.x ?? {};
    this.plot?.destroy();
    const { x, lines } = this.options;
    const data = [x, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
    this.plot = new uPlot(this.plotOptions(width), data, this.node);
    if (min !== undefined && max !== undefined && min !== null && max !== null) this.zoom(min, max);
  }

  private plotOptions(width: number): uPlot.Options {
    const { options } = this;
    const { title, lines, xText, yText = short } = options;
    const axis = {
      stroke: color('faint'),
      grid: { stroke: color('grid') },
      ticks: { stroke: color('grid') },
    };
    return {
      title,
      width,
      height: this.height,
      cursor: {
        drag: { x: true, y: false },
        ...(options.syncKey !== undefined && { sync: { key: options.syncKey } }),
      },
      scales: { x: { time: false }, y: rangeOf(options) },
      axes: [
        {
          ...axis,
          ...stepsOf(xText),
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : xText(tick))),
        },
        {
          ...axis,
          ...stepsOf(yText),
          size: 64,
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : yText(tick))),
        },
      ],
      series: [
        { label: 'at', value: (_, value) => (value === null ? '' : xText(value)) },
        ...lines.map((line) => seriesOf(line, yText)),
      ],
      hooks: {
        setScale: [
          (plot, key) => {
            const { min, max } = plot.scales.x;
            if (key === 'x' && min != null && max != null) options.onZoom?.(min, max);
          },
        ],
        draw: [(plot) => options.over?.(plot)],
        ready: [
          (plot) => {
            plot.over.addEventListener('mousemove', (event) => options.onMove?.(plot, event));
            plot.over.addEventListener('mouseleave', () => options.onMove?.(plot, undefined));
          },
        ],
      },
    };
  }
}

function rangeOf({ isPart, isFromZero, yLeast = 0 }: ChartOptions): uPlot.Scale {
  if (isPart) return { range: [0, 1] };
  if (!isFromZero) return {};
  return { range: (_, __, max) => [0, Math.max(max ?? 0, yLeast, 1e-9) * 1.05] };
}

function stepsOf(text: (value: number) => string) {
  return text === time ? { incrs: TIME_STEPS } : {};
}

function seriesOf(line: Line, yText: (value: number) => string): uPlot.Series {
  const stroke = line.color();
  return {
    label: line.label,
    stroke,
    width: 1.5,
    spanGaps: line.isScatter !== true,
    value: (_, value) => (value === null ? '' : yText(value)),
    points: { show: line.isScatter === true, size: 3, fill: stroke },
    ...(line.isScatter && { paths: () => null }),
    ...(line.isStep && { paths: uPlot.paths.stepped!({ align: 1 }) }),
  };
}

/** Draws a line across a chart where a bound lies, with its name. */
export function drawBound(plot: uPlot, axis: 'x' | 'y', value: number | null, name: string): void {
  const { min, max } = plot.scales[axis];
  if (value === null || min == null || max == null || value < min || value > max) return;
  const { ctx, bbox } = plot;
  const at = plot.valToPos(value, axis, true);
  ctx.save();
  ctx.strokeStyle = color('bad');
  ctx.fillStyle = color('bad');
  ctx.setLineDash([6, 4]);
  ctx.textAlign = 'left';
  ctx.beginPath();
  if (axis === 'x') {
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.fillText(name, at + 4, bbox.top + 12);
  } else {
    ctx.moveTo(bbox.left, at);
    ctx.lineTo(bbox.left + bbox.width, at);
    ctx.fillText(name, bbox.left + 4, at - 4);
  }
  ctx.stroke();
  ctx.restore();
}

import type uPlot from 'uplot';
import type { Pictures, RequestColumns } from '../report/picture-types.js';
import { Chart, drawBound, type Line } from './chart.js';
import { choice, element, Tooltip } from './dom.js';
import { exact, percent, time } from './format.js';
import { color, seriesColor } from './theme.js';

export interface DrawnRun {
  label: string;
  pictures: Pictures;
}

type LatencyName = 'ttft_ms' | 'itl_ms' | 'e2e_ms';

const LATENCIES: readonly (readonly [LatencyName, string])[] = [
  ['ttft_ms', 'Time to first token'],
  ['itl_ms', 'Time per output token'],
  ['e2e_ms', 'Request latency'],
];

/** Points that a scatter plot shows at most. */
const POINTS = 20_000;
/** Points of one curve. */
const STEPS = 400;
/** How near to a point the mouse must be, in pixels. */
const NEAR = 12;

export type Bounds = Record<LatencyName, number | null>;

/** Curves, scatter plots and goodput of some runs under bounds that the reader may change. */
export class Latencies {
  readonly node: HTMLElement;
  private readonly bounds: Bounds;
  private readonly charts: Chart[] = [];
  private readonly goodput = element('div', { class: 'goodput' });
  private readonly scatterPlace = element('div');
  private scattered: LatencyName = 'ttft_ms';
  private readonly tooltip = new Tooltip();

  constructor(private readonly runs: readonly DrawnRun[]) {
    this.bounds = { ...runs[0].pictures.bounds };
    const inputs = LATENCIES.map(([name, title]) => this.boundInput(name, title));
    const which = choice(
      'Against input length',
      LATENCIES.map(([name, title]) => [name, title]),
      (value) => {
        this.scattered = value as LatencyName;
        this.drawScatter();
      },
    );
    const curves = LATENCIES.map(([name, title]) => this.curves(name, title));
    this.node = element(
      'div',
      {},
      element('div', { class: 'controls' }, ...inputs),
      this.goodput,
      element('div', { class: 'charts' }, ...curves.map(({ node }) => node)),
      element('div', { class: 'controls' }, which),
      this.scatterPlace,
    );
    this.drawScatter();
    this.countGood();
  }

  private boundInput(name: LatencyName, title: string): HTMLElement {
    const input = element('input', {
      type: 'number',
      min: '0',
      placeholder: 'none',
      'aria-label': `bound on ${title}`,
      oninput: () => {
        this.bounds[name] = input.value === '' ? null : Number(input.value);
        this.countGood();
        for (const chart of this.charts) chart.redraw();
      },
    });
    if (this.bounds[name] !== null) input.value = String(this.bounds[name]);
    return element('label', {}, `${title} within `, input, ' ms');
  }

  private countGood(): void {
    const isAny = Object.values(this.bounds).some((bound) => bound !== null);
    this.goodput.replaceChildren(
      ...this.runs.map(({ label, pictures }) => {
        const part = goodPart(pictures.requests, this.bounds);
        const text = isAny
          ? `${percent(part)} of ${exact(pictures.requests.of)} requests keep all bounds`
          : 'no bounds given';
        return element('p', { class: 'note' }, this.runs.length > 1 ? `${label}: ${text}` : text);
      }),
    );
  }

  private curves(name: LatencyName, title: string): Chart {
    const x = axisOf(this.runs.flatMap(({ pictures }) => pictures.quantiles[name]));
    const lines: Line[] = this.runs.map(({ label, pictures }, index) => ({
      label,
      values: x.map((value) => partUpTo(pictures.quantiles[name], value)),
      color: () => seriesColor(index),
    }));
    const chart = new Chart({
      title: `${title}: part of requests`,
      x,
      lines,
      xText: time,
      yText: percent,
      isPart: true,
      over: (plot) => drawBound(plot, 'x', this.bounds[name], 'bound'),
    });
    this.charts.push(chart);
    return chart;
  }

  private drawScatter(): void {
    const name = this.scattered;
    const clouds = this.runs.map(({ pictures }) => pointsOf(pictures.requests, name));
    const x = clouds.flatMap(({ x }) => x);
    const order = x.map((_, at) => at).sort((a, b) => x[a] - x[b]);
    let start = 0;
    const lines = this.runs.map(({ label }, index): Line => {
      const { y } = clouds[index];
      const from = start;
      start += y.length;
      const values = order.map((at) => (at >= from && at < from + y.length ? y[at - from] : null));
      return { label, values, color: () => seriesColor(index), isScatter: true };
    });
    const rows = clouds.flatMap((cloud, run) => cloud.at.map((at) => ({ run, at })));
    const title = LATENCIES.find(([key]) => key === name)![1];
    const chart = new Chart({
      title: `${title} against input tokens`,
      x: order.map((at) => x[at]),
      lines,
      height: 320,
      xText: (value) => exact(value),
      yText: time,
      over: (plot) => drawBound(plot, 'y', this.bounds[name], 'bound'),
      onMove: (plot, event) => this.point(plot, event, (at) => rows[order[at]]),
    });
    this.charts.splice(LATENCIES.length, 1, chart);
    this.scatterPlace.replaceChildren(chart.node);
  }

  /** Tells of the request under the mouse. */
  private point(
    plot: uPlot,
    event: MouseEvent | undefined,
    requestAt: (index: number) => { run: number; at: number },
  ): void {
    const at = event ? nearest(plot) : -1;
    if (!event || at < 0) {
      this.tooltip.hide();
      return;
    }
    const { run, at: request } = requestAt(at);
    const { label, pictures } = this.runs[run];
    const lines = describeRequest(pictures.requests, request);
    this.tooltip.show(event, this.runs.length > 1 ? [label, ...lines] : lines);
  }
}

/** Part of the requests that keep every bound. */
function goodPart(requests: RequestColumns, bounds: Bounds): number {
  let good = 0;
  for (let at = 0; at < requests.row.length; at++) {
    const isGood = LATENCIES.every(([name]) => {
      const bound = bounds[name];
      const value = requests[name][at];
      return bound === null || (value === null ? name === 'itl_ms' : value <= bound);
    });
    if (isGood && requests.status[at] === 'completed') good++;
  }
  return requests.row.length > 0 ? good / requests.row.length : 0;
}

export function describeRequest(requests: RequestColumns, at: number): string[] {
  const { row, worker, prefill_worker, input_tokens, output_tokens, reused_tokens } = requests;
  const lines = [`request ${row[at]}, ${requests.status[at]}`];
  lines.push(`input ${input_tokens[at]} (${reused_tokens[at]} cached), output ${output_tokens[at]}`);
  for (const [name, title] of LATENCIES) {
    const value = requests[name][at];
    if (value !== null) lines.push(`${title}: ${exact(value)} ms`);
  }
  if (prefill_worker[at] !== null) lines.push(`prefill worker ${prefill_worker[at]}`);
  if (worker[at] !== null) lines.push(`worker ${worker[at]}`);
  return lines;
}

function axisOf(values: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  const step = Math.max(1, Math.floor(sorted.length / STEPS));
  const axis = [...sorted.filter((_, at) => at % step === 0 || at === sorted.length - 1)];
  const distinct = axis.filter((value, at) => at === 0 || value > axis[at - 1]);
  return distinct.length === 1 ? [0, distinct[0], 2 * distinct[0]] : distinct;
}

/** Part of the requests with at most a value. @param quantiles evenly spaced, ascending */
function partUpTo(quantiles: readonly number[], value: number): number {
  let low = 0;
  let high = quantiles.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (quantiles[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return quantiles.length > 1 ? Math.max(0, low - 1) / (quantiles.length - 1) : low;
}

function pointsOf(requests: RequestColumns, name: LatencyName) {
  const step = Math.max(1, Math.ceil(requests.row.length / POINTS));
  const at = requests.row.map((_, index) => index).filter((index) => index % step === 0);
  const known = at.filter((index) => requests[name][index] !== null);
  return {
    at: known,
    x: known.map((index) => requests.input_tokens[index]),
    y: known.map((index) => requests[name][index] as number),
  };
}

/** Index of the point nearest to the mouse, or -1 when none is near. */
function nearest(plot: uPlot): number {
  const { left = -1, top = -1 } = plot.cursor;
  const [x, ...lines] = plot.data as [number[], ...(number | null)[][]];
  const fromX = plot.posToVal(left - NEAR, 'x');
  const toX = plot.posToVal(left + NEAR, 'x');
  let best = -1;
  let bestSquare = NEAR * NEAR;
  for (let at = 0; at < x.length; at++) {
    if (x[at] < fromX || x[at] > toX) continue;
    for (const line of lines) {
      const y = line[at];
      if (y === null) continue;
      const square = (plot.valToPos(x[at], 'x') - left) ** 2 + (plot.valToPos(y, 'y') - top) ** 2;
      if (square < bestSquare) [best, bestSquare] = [at, square];
    }
  }
  return best;
}

/** How much of the input was found in the cache, and how much came, over time. */
export function reuseCharts(runs: readonly DrawnRun[]): HTMLElement {
  const charts = runs.map(({ label, pictures }) => {
    const { arrivals } = pictures;
    const reused = arrivals.input_tokens.map((input, bin) =>
      input > 0 ? arrivals.reused_tokens[bin] / input : null,
    );
    const perSecond = (counts: readonly number[]) => counts.map((n) => (n / arrivals.bin_ms) * 1000);
    const x = arrivals.arrived.map((_, bin) => (bin + 0.5) * arrivals.bin_ms);
    const title = runs.length > 1 ? `${label}: ` : '';
    const reuse = new Chart({
      title: `${title}part of the input found in the cache`,
      x,
      xText: time,
      yText: percent,
      isPart: true,
      lines: [{ label: 'reused', color: () => seriesColor(2), values: reused }],
    });
    const rate = new Chart({
      title: `${title}requests/s`,
      x,
      xText: time,
      lines: [
        { label: 'arrived', color: () => seriesColor(0), values: perSecond(arrivals.arrived) },
        { label: 'ended', color: () => color('good'), values: perSecond(arrivals.ended) },
      ],
    });
    return element('div', { class: 'charts' }, reuse.node, rate.node);
  });
  return element('div', {}, ...charts);
}

import type { PoolPicture, WorkerPicture } from '../report/picture-types.js';
import { Chart, type Line } from './chart.js';
import { choice, element, Tooltip } from './dom.js';
import { exact, percent, time } from './format.js';
import { Heatmap, meanOf } from './heatmap.js';
import { seriesColor } from './theme.js';

type Metric = keyof WorkerPicture;

const METRICS: readonly (readonly [Metric, string])[] = [
  ['running', 'running sequences'],
  ['waiting', 'waiting requests'],
  ['kv_blocks', 'KV blocks in use'],
  ['busy', 'busy'],
  ['prefill_tokens', 'prompt tokens computed'],
  ['decode_steps', 'tokens decoded'],
  ['placed_requests', 'requests placed by the router'],
  ['preemptions', 'preemptions'],
  ['evicted_blocks', 'KV blocks evicted'],
];

const ALL = -1;
let timelines = 0;

/** What the workers of a pool did over time: charts of all, or of one, above a row for each. */
export class Timeline {
  readonly node: HTMLElement;
  private readonly charts: Chart[] = [];
  private readonly heatmap: Heatmap;
  private readonly chartPlace = element('div', { class: 'charts' });
  private readonly title = element('p', { class: 'note' });
  private readonly endMs: number;
  private isZooming = false;
  private readonly syncKey = `timeline-${timelines++}`;

  constructor(private readonly pool: PoolPicture) {
    const bins = pool.workers[0]?.busy.length ?? 0;
    this.endMs = bins * pool.bin_ms;
    this.heatmap = new Heatmap({
      tooltip: new Tooltip(),
      describe: (row, from, to) => this.describe(row, from, to),
      onZoom: (from, to) => this.zoom(from, to),
      onChoice: (row) => this.chooseWorker(row < pool.workers.length ? row : ALL),
    });
    const reset = element('button', { onclick: () => this.zoom(0, this.endMs) }, 'Whole run');
    const all = element('button', { onclick: () => this.chooseWorker(ALL) }, 'All workers');
    const metric = choice('Rows show', METRICS, (value) => this.chooseMetric(value as Metric));
    this.node = element(
      'div',
      { class: 'timeline' },
      element('div', { class: 'controls' }, metric, reset, all),
      this.title,
      this.chartPlace,
      this.heatmap.node,
    );
    this.node.addEventListener('dblclick', () => this.zoom(0, this.endMs));
    this.chooseWorker(ALL);
    this.chooseMetric('running');
    this.heatmap.zoom(0, this.endMs);
  }

  private zoom(fromMs: number, toMs: number): void {
    if (this.isZooming) return;
    this.isZooming = true;
    for (const chart of this.charts) chart.zoom(fromMs, toMs);
    this.heatmap.zoom(fromMs, toMs);
    this.isZooming = false;
  }

  private chooseMetric(metric: Metric): void {
    const { workers, bin_ms } = this.pool;
    this.heatmap.setRows(
      workers.map((worker, index) => ({ label: `worker ${index}`, values: worker[metric] })),
      bin_ms,
    );
  }

  private describe(row: number, from: number, to: number): string[] {
    const { pool } = this;
    const worker = pool.workers[row];
    const lines = METRICS.map(([metric, title]) => `${title}: ${exact(meanOf(worker[metric], from, to))}`);
    const span = `${exact(from * pool.bin_ms)} to ${exact(to * pool.bin_ms)} ms`;
    const many = to - from > 1 ? `, means of ${to - from} bins` : '';
    return [`worker ${row}, ${span}${many}`, ...lines];
  }

  private chooseWorker(worker: number): void {
    const { pool } = this;
    const chosen = worker === ALL ? pool.workers : [pool.workers[worker]];
    this.title.textContent = `${worker === ALL ? `All ${pool.workers.length} workers` : `Worker ${worker}`}; bins of ${exact(pool.bin_ms)} ms. Drag to zoom, double click for all; click a row for one worker.`;
    this.charts.length = 0;
    const perSecond = (metric: Metric) => sumOf(chosen, metric).map((sum) => (sum / pool.bin_ms) * 1000);
    this.add('Requests', [
      line('running', 0, sumOf(chosen, 'running')),
      line('waiting', 1, sumOf(chosen, 'waiting')),
    ]);
    const blocks = pool.kv_blocks * chosen.length;
    this.add(
      'KV blocks in use',
      [
        line(
          'in use',
          2,
          sumOf(chosen, 'kv_blocks').map((sum) => sum / blocks),
        ),
      ],
      percent,
    );
    this.add('Batches, tokens/s', [
      line('prompt', 3, perSecond('prefill_tokens')),
      line('decode', 4, perSecond('decode_steps')),
    ]);
    this.add('Events', [
      line('placed /s', 5, perSecond('placed_requests')),
      line('preemptions /s', 6, perSecond('preemptions')),
      line('evicted blocks /s', 7, perSecond('evicted_blocks')),
    ]);
    this.chartPlace.replaceChildren(...this.charts.map(({ node }) => node));
  }

  private add(title: string, lines: Line[], yText?: (value: number) => string): void {
    const { pool, syncKey } = this;
    const x = lines[0].values.map((_, bin) => (bin + 0.5) * pool.bin_ms);
    this.charts.push(
      new Chart({
        title,
        x,
        lines,
        xText: time,
        syncKey,
        height: 170,
        onZoom: (from, to) => this.zoom(from, to),
        ...(yText && { yText }),
      }),
    );
  }
}

function line(label: string, index: number, values: readonly number[]): Line {
  return { label, values, color: () => seriesColor(index) };
}

function sumOf(workers: readonly WorkerPicture[], metric: Metric): number[] {
  const sum = new Array<number>(workers[0]?.busy.length ?? 0).fill(0);
  for (const { [metric]: values } of workers)
    for (let bin = 0; bin < sum.length; bin++) sum[bin] += values[bin];
  return sum;
}

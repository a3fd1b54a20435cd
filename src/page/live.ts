import type { FleetSample } from '../report/picture-types.js';
import { Chart, type Line } from './chart.js';
import { element, section, table } from './dom.js';
import { percent, short, time } from './format.js';
import { addHeader } from './header.js';
import { seriesColor } from './theme.js';

/** Samples that charts show: five minutes of them. */
const MOST_SAMPLES = 600;

type Rank = FleetSample['stages'][number]['workers'][number]['ranks'][number];

const ranksOf = ({ stages }: FleetSample): Rank[] =>
  stages.flatMap(({ workers }) => workers.flatMap(({ ranks }) => ranks));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const held = ({ stages }: FleetSample) => sum(stages.map((stage) => stage.held_requests));
const running = (sample: FleetSample) => sum(ranksOf(sample).map((rank) => rank.running));
const waiting = (sample: FleetSample) => sum(ranksOf(sample).map((rank) => rank.waiting));
const kvUse = (sample: FleetSample) =>
  sum(ranksOf(sample).map((rank) => rank.kv_active_blocks)) /
  Math.max(1, sum(ranksOf(sample).map((rank) => rank.kv_blocks)));

interface Series {
  label: string;
  of: (sample: FleetSample) => number | null;
}

/** A chart of the last minutes, which grows to the right. */
class LiveChart {
  readonly chart: Chart;
  private readonly x: number[] = [];
  private readonly lines: (Line & { values: (number | null)[] })[];

  constructor(
    title: string,
    private readonly series: readonly Series[],
    yText: (value: number) => string,
  ) {
    this.lines = series.map(({ label }, index) => ({ label, color: () => seriesColor(index), values: [] }));
    this.chart = new Chart({ title, x: this.x, lines: this.lines, xText: time, yText });
  }

  add(sample: FleetSample): void {
    this.x.push(sample.at_ms);
    this.series.forEach(({ of }, index) => {
      this.lines[index].values.push(of(sample));
    });
    for (const values of [this.x, ...this.lines.map((line) => line.values)])
      if (values.length > MOST_SAMPLES) values.shift();
    this.chart.refresh();
  }
}

const charts = [
  new LiveChart(
    'Requests',
    [
      { label: 'running', of: running },
      { label: 'waiting in workers', of: waiting },
      { label: 'held by the router', of: held },
    ],
    short,
  ),
  new LiveChart('KV cache in use', [{ label: 'of all blocks', of: kvUse }], percent),
  new LiveChart('Tokens a second', [{ label: 'tokens', of: (sample) => sample.tokens_per_second }], short),
  new LiveChart(
    'Time to first token',
    [
      { label: 'median', of: (sample) => sample.ttft_p50_ms },
      { label: 'most', of: (sample) => sample.ttft_max_ms },
    ],
    time,
  ),
  new LiveChart('Time between tokens', [{ label: 'mean', of: (sample) => sample.itl_ms }], time),
];

const cards = element('div', { class: 'cards' });
const workers = element('div', { class: 'wide' });
const state = element('p', { role: 'status' }, 'connecting');

function card(key: string, title: string, value: string): HTMLElement {
  return element(
    'div',
    { class: 'card', 'data-key': key },
    element('b', {}, value),
    element('span', {}, title),
  );
}

function show(sample: FleetSample): void {
  for (const chart of charts) chart.add(sample);
  const all = sample.stages.flatMap((stage) => stage.workers);
  cards.replaceChildren(
    card('workers', 'workers', String(all.length)),
    card('running', 'requests running', String(running(sample))),
    card('waiting', 'requests waiting', String(waiting(sample) + held(sample))),
    card('kv', 'KV cache in use', percent(kvUse(sample))),
    card('tokens', 'tokens a second', short(sample.tokens_per_second)),
    card('ended', 'answers a second', short(sample.ended_per_second)),
  );
  workers.replaceChildren(
    table(
      ['worker', 'state', 'running', 'waiting', 'KV blocks in use', 'requests served', 'prompt found cached'],
      sample.stages.flatMap((stage) => stage.workers.map((worker) => rowOf(sample, stage.stage, worker))),
    ),
  );
}

function rowOf(
  sample: FleetSample,
  stage: string,
  { id, state: phase, ranks }: FleetSample['stages'][number]['workers'][number],
): string[] {
  const done = sample.work[stage === 'aggregated' ? 'workers' : `${stage}_workers`]?.[id];
  return [
    stage === 'aggregated' ? String(id) : `${stage} ${id}`,
    phase,
    String(sum(ranks.map((rank) => rank.running))),
    String(sum(ranks.map((rank) => rank.waiting))),
    `${sum(ranks.map((rank) => rank.kv_active_blocks))} of ${sum(ranks.map((rank) => rank.kv_blocks))}`,
    String(done?.requests ?? 0),
    done && done.input_tokens > 0 ? percent(done.reused_tokens / done.input_tokens) : '',
  ];
}

addHeader(state);
document
  .getElementById('page')!
  .append(
    section('now', 'Now', cards),
    section(
      'course',
      'The last minutes',
      element('div', { class: 'charts' }, ...charts.map(({ chart }) => chart.node)),
    ),
    section('workers', 'Workers', workers),
  );
const feed = new EventSource('/control/events');
feed.onopen = () => {
  state.textContent = 'live';
};
feed.onerror = () => {
  state.textContent = 'the server does not answer; trying again';
};
feed.onmessage = ({ data }) => {
  show(JSON.parse(data) as FleetSample);
  document.body.dataset.ready = 'true';
};

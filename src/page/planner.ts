import type uPlot from 'uplot';
import type { PlannerPicture, StagePicture } from '../report/picture-types.js';
import type { PlannerMeasures } from '../report/planner-measures.js';
import { Chart, drawBound, type Line } from './chart.js';
import { element, table } from './dom.js';
import { exact, percent, time } from './format.js';
import { color, seriesColor } from './theme.js';

type Values = readonly (number | null)[];

/** What is shown beside the picture itself. */
export interface PlannerFacts {
  picture: PlannerPicture;
  measures: PlannerMeasures;
  gpuHours: number;
  gpuCost: number | undefined;
}

const MOST_DECISIONS = 500;

/** What a planner saw, believed and decided over time, and what it was good for. */
export function plannerSection({ picture, measures, gpuHours, gpuCost }: PlannerFacts): HTMLElement {
  return element(
    'div',
    { class: 'planner' },
    element('p', {}, sentence(picture, measures, gpuHours, gpuCost)),
    element('div', { class: 'charts' }, ...chartsOf(picture, measures).map(({ node }) => node)),
    decisionTable(picture),
  );
}

function sentence(
  { policy, decisions }: PlannerPicture,
  measures: PlannerMeasures,
  gpuHours: number,
  cost: number | undefined,
): string {
  const { attainment, wanted_attainment, broken_seconds, flaps } = measures;
  const parts = [
    `Planner: ${policy}`,
    `GPU hours: ${gpuHours.toFixed(4)}`,
    ...(cost === undefined ? [] : [`cost: ${cost.toFixed(2)}`]),
    `changes: ${decisions.length}, ${flaps} of them taken back soon`,
    ...(attainment === undefined
      ? []
      : [
          `${percent(attainment)} of the requests kept the goals`,
          `${time((broken_seconds ?? 0) * 1000)} in windows with less than ${percent(wanted_attainment)}`,
        ]),
  ];
  return parts.join(' · ');
}

function chartsOf(picture: PlannerPicture, measures: PlannerMeasures): Chart[] {
  const charts = new PlannerCharts(picture);
  const { ttft_ms = null, itl_ms = null } = measures.goals ?? {};
  for (const stage of picture.stages) charts.addWorkers(stage);
  charts.addSeen(
    'Requests/s',
    'arrived',
    picture.requests_per_s,
    'foretold',
    picture.predicted_requests_per_s,
  );
  const bound = (name: string, value: number | null) => ({
    yText: time,
    over: (plot: uPlot) => drawBound(plot, 'y', value, name),
    least: value,
  });
  charts.addSeen(
    ...(['Time to first token', 'seen', picture.ttft_ms, 'estimated', picture.estimated_ttft_ms] as const),
    bound('goal', ttft_ms),
  );
  charts.addSeen(
    ...(['Inter-token latency', 'seen', picture.itl_ms, 'estimated', picture.estimated_itl_ms] as const),
    bound('goal', itl_ms),
  );
  charts.addAttainment(measures);
  for (const stage of picture.stages) charts.addEngines(stage);
  charts.add('Requests/s that a worker takes', [
    drawn('prefill', 3, picture.capacity_prefill_rps),
    drawn('decode', 4, picture.capacity_decode_rps),
  ]);
  charts.addSeen('Prompt tokens', 'seen', picture.input_tokens, 'foretold', picture.predicted_input_tokens);
  charts.addSeen('Output tokens', 'seen', picture.output_tokens, 'foretold', picture.predicted_output_tokens);
  charts.add('GPU hours so far', [drawn('GPU hours', 1, picture.gpu_hours)]);
  charts.addReasons();
  return charts.charts;
}

interface Look {
  yText?: (value: number) => string;
  over?: (plot: uPlot) => void;
  /** The axis reaches at least here. */
  least?: number | null;
}

class PlannerCharts {
  readonly charts: Chart[] = [];

  constructor(private readonly picture: PlannerPicture) {}

  add(title: string, lines: readonly Line[], { least, ...look }: Look = {}): void {
    const shown = lines.filter(({ values }) => values.some((value) => value !== null));
    if (shown.length === 0) return;
    this.charts.push(
      new Chart({
        title,
        x: this.picture.at_ms,
        lines: shown,
        xText: time,
        height: 190,
        syncKey: 'planner',
        isFromZero: true,
        ...(least != null && { yLeast: least }),
        ...look,
      }),
    );
  }

  addSeen(title: string, seen: string, values: Values, other: string, others: Values, look?: Look): void {
    this.add(title, [drawn(seen, 0, values), drawn(other, 1, others)], look);
  }

  addWorkers({ name, active, provisioned, target }: StagePicture): void {
    const { decisions } = this.picture;
    const mine = decisions.filter(({ stage }) => stage === name);
    this.add(
      name === 'agg' ? 'Workers' : `Workers, ${name}`,
      [
        { ...drawn('there', 7, provisioned), isStep: true },
        { ...drawn('active', 0, active), isStep: true },
        { ...drawn('asked for', 1, target), isScatter: true },
      ],
      {
        over: (plot) => {
          for (const { at_ms, from, to } of mine) drawChange(plot, at_ms, to > from);
        },
      },
    );
  }

  addEngines({ name, kv_tokens, decode_tokens, queued_prefill_tokens }: StagePicture): void {
    const of = name === 'agg' ? '' : `, ${name}`;
    const lines = (series: StagePicture['decode_tokens']) =>
      Object.entries(series).map(([engine, values], index) => drawn(engine, index, values));
    if (name !== 'prefill')
      this.add(`KV tokens by engine${of}`, lines(decode_tokens), {
        over: (plot) => drawBound(plot, 'y', kv_tokens, 'room'),
      });
    if (name !== 'decode') this.add(`Prompt tokens that wait, by engine${of}`, lines(queued_prefill_tokens));
  }

  addAttainment({ attainment_by_window, window_seconds, wanted_attainment }: PlannerMeasures): void {
    if (!attainment_by_window) return;
    this.charts.push(
      new Chart({
        title: 'Requests that kept the goals, by arrival',
        x: attainment_by_window.map((_, index) => index * window_seconds * 1000),
        lines: [{ ...drawn('kept', 2, attainment_by_window), isStep: true }],
        xText: time,
        yText: percent,
        height: 190,
        isPart: true,
        syncKey: 'planner',
        over: (plot) => drawBound(plot, 'y', wanted_attainment, 'wanted'),
      }),
    );
  }

  addReasons(): void {
    const reasons = Object.entries(this.picture.reasons);
    const lines = reasons.map(([reason, values], index) => ({
      ...drawn(`${index + 1} ${reason}`, index, values),
      isScatter: true,
    }));
    this.add('Why it decided so', lines, {
      yText: (value) => (reasons[value - 1] ? String(value) : ''),
    });
  }
}

function drawn(label: string, index: number, values: Values): Line {
  return { label, values, color: () => seriesColor(index) };
}

/** A thin line where the fleet was changed: up or down. */
function drawChange(plot: uPlot, ms: number, isUp: boolean): void {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(ms, 'x', true);
  if (at < bbox.left || at > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = color(isUp ? 'bad' : 'good');
  ctx.globalAlpha = 0.35;
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function decisionTable({ decisions }: PlannerPicture): HTMLElement {
  const rows = decisions
    .slice(0, MOST_DECISIONS)
    .map(({ at_ms, stage, from, to, why }) => [time(at_ms), stage, `${from} to ${to}`, why]);
  const more = decisions.length > MOST_DECISIONS ? `, the first ${MOST_DECISIONS} of them here` : '';
  return element(
    'details',
    { class: 'decisions' },
    element('summary', {}, `${exact(decisions.length)} changes of the fleet${more}`),
    table(['at', 'stage', 'workers', 'why'], rows),
  );
}

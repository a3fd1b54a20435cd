import type { PageRun } from '../report/picture-types.js';
import { element, table } from './dom.js';
import { exact, percent, short, time } from './format.js';

type Unit = 'time' | 'part' | 'plain';

interface Measure {
  key: string;
  title: string;
  unit: Unit;
  /** Whether more of it is better (1), worse (-1) or neither (0). */
  better: 1 | -1 | 0;
}

const statistics = (name: string, title: string): Measure[] =>
  (['mean', 'median', 'p90', 'p99'] as const).map((statistic) => ({
    key: `${statistic}_${name}`,
    title: `${title}, ${statistic}`,
    unit: 'time',
    better: -1,
  }));

const plain = (key: string, title: string, better: Measure['better']): Measure => ({
  key,
  title,
  unit: 'plain',
  better,
});

const MEASURES: readonly Measure[] = [
  plain('completed_requests', 'Completed requests', 1),
  plain('rejected_requests', 'Rejected requests', -1),
  plain('unfinished_requests', 'Unfinished requests', -1),
  ...statistics('ttft_ms', 'Time to first token'),
  ...statistics('tpot_ms', 'Time per output token'),
  ...statistics('itl_ms', 'Inter-token latency'),
  ...statistics('e2e_latency_ms', 'Request latency'),
  plain('request_throughput_rps', 'Requests/s', 1),
  plain('output_throughput_tok_s', 'Output tokens/s', 1),
  plain('goodput_request_throughput_rps', 'Goodput, requests/s', 1),
  { key: 'prefix_cache_reused_ratio', title: 'Input found in the cache', unit: 'part', better: 1 },
  plain('preemptions', 'Preemptions', -1),
  { key: 'duration_ms', title: 'Simulated time', unit: 'time', better: 0 },
  plain('gpu_hours', 'GPU hours', -1),
  plain('gpu_cost', 'Cost of the GPUs', -1),
];

/** Measures shown large, of a single run. */
const CARDS = [
  'mean_ttft_ms',
  'p99_ttft_ms',
  'mean_tpot_ms',
  'p99_e2e_latency_ms',
  'request_throughput_rps',
  'output_throughput_tok_s',
  'goodput_request_throughput_rps',
  'prefix_cache_reused_ratio',
  'completed_requests',
  'gpu_hours',
  'gpu_cost',
];

const FORMATS: Record<Unit, (value: number) => string> = { time, part: percent, plain: short };

function shown(measure: Measure, value: unknown): string {
  return typeof value === 'number' ? FORMATS[measure.unit](value) : '';
}

/** The main numbers of a run, what it comes to, and what holds it back. */
export function summary({ report }: PageRun): HTMLElement {
  const cards = CARDS.flatMap((key) => {
    const measure = MEASURES.find((candidate) => candidate.key === key)!;
    const value = report[key];
    if (typeof value !== 'number') return [];
    return element(
      'div',
      { class: 'card', title: exact(value), 'data-key': key },
      element('b', {}, shown(measure, value)),
      element('span', {}, measure.title),
    );
  });
  return element('div', {}, findings(report), element('div', { class: 'cards' }, ...cards));
}

interface Verdict {
  state: string;
  evidence: string[];
}

interface Finding {
  text: string;
  remedies: { text: string }[];
}

function findings(report: PageRun['report']): HTMLElement {
  const verdict = report.verdict as Verdict | undefined;
  const bottlenecks = (report.bottlenecks ?? []) as Finding[];
  const anomalies = (report.anomalies ?? []) as Finding[];
  const warnings = (report.warnings ?? []) as string[];
  const item = ({ text, remedies }: Finding) =>
    element(
      'li',
      {},
      text,
      ...remedies.map((remedy) => element('div', {}, element('em', {}, `Helps: ${remedy.text}`))),
    );
  const list = (title: string, found: readonly Finding[]) =>
    found.length > 0
      ? element('div', {}, element('h3', {}, title), element('ul', {}, ...found.map(item)))
      : undefined;
  return element(
    'div',
    { class: 'findings' },
    verdict &&
      element(
        'p',
        { class: `verdict ${verdict.state}` },
        element('b', {}, verdict.state),
        ` ${verdict.evidence.join('; ')}`,
      ),
    list('Bottlenecks', bottlenecks),
    list('Anomalies', anomalies),
    ...warnings.map((warning) => element('p', { class: 'note' }, `Warning: ${warning}`)),
  );
}

/** Runs side by side: each measure, and how far the others are from the first. */
export function comparison(runs: readonly PageRun[]): HTMLElement {
  const known = MEASURES.filter(({ key }) => runs.some(({ report }) => typeof report[key] === 'number'));
  const rows = known.map((measure) => {
    const [base] = runs.map(({ report }) => report[measure.key]);
    const cells = runs.map(({ report }, index) => {
      const value = report[measure.key];
      const text = element(
        'span',
        { title: typeof value === 'number' ? exact(value) : '' },
        shown(measure, value),
      );
      if (index === 0) return text;
      return element('span', {}, text, ' ', difference(measure, base, value));
    });
    return [measure.title, ...cells];
  });
  return element(
    'div',
    { class: 'wide' },
    table(['', ...runs.map(({ label }) => label)], rows),
    ...settingRows(runs),
  );
}

function difference({ better }: Measure, base: unknown, value: unknown): HTMLElement {
  if (typeof base !== 'number' || typeof value !== 'number' || base === value) return element('span');
  if (base === 0) return element('small', {}, 'was 0');
  const part = value / base - 1;
  const isGood = part * better > 0;
  const tone = better === 0 ? '' : isGood ? 'good' : 'bad';
  return element('small', { class: tone }, `${part > 0 ? '+' : ''}${percent(part)}`);
}

/** Settings in which the runs differ. */
function settingRows(runs: readonly PageRun[]): HTMLElement[] {
  const settings = runs.map(({ report }) => report.pictures?.settings ?? {});
  const names = [...new Set(settings.flatMap((setting) => Object.keys(setting)))];
  const differing = names.filter((name) => new Set(settings.map((setting) => setting[name])).size > 1);
  if (differing.length === 0) return [];
  const rows = differing.map((name) => [name, ...settings.map((setting) => setting[name] ?? 'not given')]);
  return [element('h3', {}, 'Settings that differ'), table(['', ...runs.map(({ label }) => label)], rows)];
}

/** What routers and cache tiers did, as the report tells it. */
export function detailsOf({ report }: PageRun): HTMLElement[] {
  const names = Object.keys(report).filter((key) => /^(prefill_|decode_)?(router|kv_tiers)$/.test(key));
  return names.map((name) => {
    const rows = leavesOf(report[name], '').map(([key, value]) => [key, exact(value)]);
    return element('details', {}, element('summary', {}, name.replaceAll('_', ' ')), table(['', ''], rows));
  });
}

/** Numbers in an object, and in the objects in it, with their names. */
function leavesOf(value: unknown, name: string): [string, number][] {
  if (typeof value === 'number') return [[name.replaceAll('_', ' '), value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    leavesOf(inner, name === '' ? key : `${name}, ${key}`),
  );
}

/** What a run was asked for. */
export function settingsOf({ report }: PageRun): HTMLElement | undefined {
  const settings = Object.entries(report.pictures?.settings ?? {});
  if (settings.length === 0) return undefined;
  const rows = settings.map(([name, value]) => [name, value]);
  return element('details', {}, element('summary', {}, 'Settings'), table(['setting', 'value'], rows));
}

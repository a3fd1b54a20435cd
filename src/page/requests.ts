import type { RequestColumns } from '../report/picture-types.js';
import { choice, element, Tooltip, table } from './dom.js';
import { exact, time } from './format.js';
import { type DrawnRun, describeRequest } from './latency.js';

const SLOWEST = 25;
/** Bands of requests by latency, from one part of them to another. */
const BANDS = [
  [0, 0.5, 'faster half'],
  [0.5, 0.9, '50 to 90 %'],
  [0.9, 0.99, '90 to 99 %'],
  [0.99, 1, 'slowest 1 %'],
] as const;

type Part = { name: string; ms: number };

const words = (name: string) => name.replaceAll('_', ' ');

/** A bar of the parts of a time, as long as a share of the widest. */
function bar(
  parts: readonly Part[],
  widestMs: number,
  tooltip: Tooltip,
  lines: readonly string[],
): HTMLElement {
  const pieces = parts
    .filter(({ ms }) => ms > 0)
    .map(({ name, ms }) =>
      element('i', {
        class: `part ${name}`,
        style: `width:${(100 * ms) / Math.max(widestMs, 1e-9)}%`,
        onmousemove: (event) =>
          tooltip.show(event as MouseEvent, [`${words(name)}: ${exact(ms)} ms`, ...lines]),
        onmouseleave: () => tooltip.hide(),
      }),
    );
  return element('div', { class: 'bar' }, ...pieces);
}

function partsAt(requests: RequestColumns, at: number): Part[] {
  return Object.entries(requests.parts_ms).map(([name, values]) => ({ name, ms: values[at] }));
}

function legend(requests: RequestColumns): HTMLElement {
  return element(
    'p',
    { class: 'legend' },
    ...Object.keys(requests.parts_ms).map((name) =>
      element('span', {}, element('i', { class: `part ${name}` }), ` ${words(name)}`),
    ),
  );
}

/** Requests that have a token, the fastest first. */
function byLatency(requests: RequestColumns, name: 'e2e_ms' | 'ttft_ms'): number[] {
  const values = requests[name];
  return requests.row
    .map((_, at) => at)
    .filter((at) => values[at] !== null)
    .sort((a, b) => (values[a] as number) - (values[b] as number));
}

/** Where the time goes, for requests of each band of latency. */
export function latencyBands({ pictures: { requests } }: DrawnRun): HTMLElement {
  const order = byLatency(requests, 'e2e_ms');
  const tooltip = new Tooltip();
  const bands = BANDS.map(([from, to, title]) => {
    const members = order.slice(Math.floor(from * order.length), Math.ceil(to * order.length));
    const parts = Object.entries(requests.parts_ms).map(([name, values]) => ({
      name,
      ms: members.reduce((sum, at) => sum + values[at], 0) / Math.max(1, members.length),
    }));
    return { title, parts, totalMs: parts.reduce((sum, { ms }) => sum + ms, 0), count: members.length };
  });
  const widestMs = Math.max(...bands.map(({ totalMs }) => totalMs));
  const rows = bands.map(({ title, parts, totalMs, count }) => [
    title,
    time(totalMs),
    bar(parts, widestMs, tooltip, [`mean of ${count} requests`]),
  ]);
  return element('div', { class: 'stories' }, legend(requests), table(['', 'mean', ''], rows));
}

/** The slowest requests, each with what its time went to. */
export function slowestRequests({ pictures: { requests } }: DrawnRun): HTMLElement {
  const place = element('div', { class: 'stories' });
  const tooltip = new Tooltip();
  const draw = (name: 'e2e_ms' | 'ttft_ms') => {
    const slowest = byLatency(requests, name).slice(-SLOWEST).reverse();
    const totals = slowest.map((at) => requests.e2e_ms[at] ?? 0);
    const rows = slowest.map((at, index) => [
      `request ${requests.row[at]}`,
      time(requests.arrival_ms[at]),
      time(requests.ttft_ms[at] ?? 0),
      time(totals[index]),
      `${requests.input_tokens[at]} / ${requests.output_tokens[at]}`,
      String(requests.preemptions[at]),
      bar(partsAt(requests, at), Math.max(...totals), tooltip, describeRequest(requests, at)),
    ]);
    place.replaceChildren(
      table(['', 'arrived', 'first token', 'all', 'in / out', 'preempted', 'life'], rows),
    );
  };
  draw('e2e_ms');
  const by = choice(
    'Slowest to the',
    [
      ['e2e_ms', 'last token'],
      ['ttft_ms', 'first token'],
    ],
    (value) => draw(value as 'e2e_ms' | 'ttft_ms'),
  );
  return element('div', {}, element('div', { class: 'controls' }, by), place);
}

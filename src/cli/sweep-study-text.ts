import Table from 'cli-table3';
import pc from 'picocolors';
import { type Entry, leastMissing } from '../sweep/study/ledger.js';
import { METRICS } from '../sweep/study/metrics.js';
import type { StudyResult } from '../sweep/study/study.js';
import { amount, sentences } from '../sweep/study/words.js';

const TOP = 10;
const PLOT = { columns: 64, rows: 16 };
/** What is shown of each candidate beside the targets, in the order of the columns. */
const SHOWN: readonly (readonly [title: string, key: string])[] = [
  ['tokens/s', 'output_throughput_tok_s'],
  ['TTFT ms', 'mean_ttft_ms'],
  ['TPOT ms', 'mean_tpot_ms'],
  ['p99 TTFT ms', 'p99_ttft_ms'],
];

/** The answer of a study for a terminal: the ranked table, the front as a plot, and sentences. */
export function studyText(result: StudyResult, isColored: boolean): string {
  const { ranking, entries, spec } = result;
  const color = pc.createColors(isColored);
  const simulated = entries.filter(({ isEstimate }) => !isEstimate).length;
  const shown = ranking.length > 0 ? ranking : leastMissed(entries);
  const lines = [
    `${ranking.length} of ${simulated} simulated candidates keep the goals (${result.algorithm}${result.isComplete ? ', all of them' : `, of ${spec.space.size}`})${ranking.length === 0 && shown.length > 0 ? '; these miss them least' : ''}`,
  ];
  if (shown.length > 0) lines.push(rankedTable(result, shown.slice(0, TOP), color).toString());
  if (spec.targets.length > 1 && ranking.length > 0) lines.push(...frontPlot(result));
  lines.push(...sentences(result));
  return `${lines.join('\n')}\n`;
}

function leastMissed(entries: readonly Entry[]): Entry[] {
  const left = [...entries];
  const shown: Entry[] = [];
  for (let next = leastMissing(left); next && shown.length < TOP; next = leastMissing(left)) {
    shown.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return shown;
}

function rankedTable(
  { spec, front }: StudyResult,
  entries: readonly Entry[],
  color: ReturnType<typeof pc.createColors>,
): InstanceType<typeof Table> {
  const parameters = spec.space.parameters.map(({ name }) => name);
  const asksLoad = spec.load !== undefined;
  const missed = entries.some(({ status }) => status !== 'feasible');
  const head = [
    '',
    ...parameters,
    ...(asksLoad ? [spec.load!.setting] : []),
    'GPUs',
    ...spec.targets.map((target) => `${METRICS[target].title} (${METRICS[target].unit})`),
    ...SHOWN.map(([title]) => title),
    ...(missed ? ['why not'] : []),
  ];
  const table = new Table({
    head: head.map((title) => color.bold(title)),
    style: { head: [], border: [], compact: true },
  });
  for (const entry of entries) {
    const { candidate, load, gpus, values, metrics, reason } = entry;
    table.push([
      front.includes(entry) ? color.green(`* ${entry.id}`) : `  ${entry.id}`,
      ...parameters.map((name) => candidate.labels[name]),
      ...(asksLoad ? [load === undefined ? '-' : amount(load)] : []),
      amount(gpus),
      ...values.map(amount),
      ...SHOWN.map(([, key]) => (metrics[key] === undefined ? '-' : amount(metrics[key]))),
      ...(missed ? [reason] : []),
    ]);
  }
  return table;
}

/** Feasible candidates in the plane of the first two targets, those of the front as `*`. */
function frontPlot({ ranking, front, spec }: StudyResult): string[] {
  const [xTarget, yTarget] = [spec.targets[1], spec.targets[0]];
  const at = (entry: Entry) => ({ x: entry.values[1], y: entry.values[0] });
  const points = ranking.map(at).filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  if (points.length < 2) return [];
  const range = (values: readonly number[]) => [Math.min(...values), Math.max(...values)] as const;
  const [minX, maxX] = range(points.map(({ x }) => x));
  const [minY, maxY] = range(points.map(({ y }) => y));
  const cells = Array.from({ length: PLOT.rows }, () => new Array<string>(PLOT.columns).fill(' '));
  const place = (entry: Entry, mark: string) => {
    const { x, y } = at(entry);
    const column = Math.round(((x - minX) / (maxX - minX || 1)) * (PLOT.columns - 1));
    const row = Math.round(((maxY - y) / (maxY - minY || 1)) * (PLOT.rows - 1));
    if (cells[row]?.[column] !== undefined) cells[row][column] = mark;
  };
  for (const entry of ranking) place(entry, '·');
  for (const entry of front) place(entry, '*');
  const width = Math.max(amount(maxY).length, amount(minY).length);
  const label = (row: number) =>
    (row === 0 ? amount(maxY) : row === PLOT.rows - 1 ? amount(minY) : '').padStart(width);
  return [
    `${METRICS[yTarget].title} (${METRICS[yTarget].unit}) against ${METRICS[xTarget].title} (${METRICS[xTarget].unit}); * cannot be bettered`,
    ...cells.map((row, index) => `${label(index)} │${row.join('')}`),
    `${' '.repeat(width)} └${'─'.repeat(PLOT.columns)}`,
    `${' '.repeat(width + 2)}${amount(minX)}${amount(maxX).padStart(PLOT.columns - amount(minX).length)}`,
  ];
}

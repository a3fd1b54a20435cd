import type { SweepCandidate, SweepPicture } from '../report/sweep-picture.js';
import { readData } from './data.js';
import { element, section, Tooltip, table } from './dom.js';
import { exact, short } from './format.js';
import { addHeader } from './header.js';
import { parallelCoordinates } from './parallel.js';
import { ParetoPlot, titleOf } from './pareto.js';
import { Selection } from './selection.js';
import { tornado } from './tornado.js';

/** Rows of the ranking. */
const MOST_ROWS = 25;

/** What there is to know of one candidate. */
function candidatePanel({ axes }: SweepPicture, candidate: SweepCandidate): HTMLElement[] {
  const { id, name, status, reason, values, numbers, config } = candidate;
  const command = `cat > candidate-${id}.yaml <<'END'\n${config}END\ndynosim replay --config candidate-${id}.yaml --html candidate-${id}.html`;
  const rows = [
    ...axes.flatMap((axis) => {
      const value = values[axis.key];
      return value == null ? [] : [[titleOf(axis), exact(value)]];
    }),
    ...Object.entries(numbers).map(([key, value]) => [key, exact(value)]),
  ];
  const copy = element(
    'button',
    { onclick: () => void navigator.clipboard?.writeText(command) },
    'Copy the command that repeats it',
  );
  return [
    element('h3', {}, `${id}: ${name}`),
    element(
      'p',
      { class: status === 'feasible' ? 'good' : 'bad', role: 'status' },
      status === 'feasible' ? 'keeps the goals' : `${status}: ${reason}`,
    ),
    element('div', { class: 'wide' }, table(['Number', 'Value'], rows)),
    ...(config === ''
      ? []
      : [copy, element('h3', {}, 'Configuration, and its run report'), element('pre', {}, command)]),
  ];
}

function rankingTable(picture: SweepPicture, selection: Selection): HTMLElement {
  const { axes, parameters, ranking, candidates, front } = picture;
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  const shown = ranking.length > 0 ? ranking : picture.winner === null ? [] : [picture.winner];
  const chosen = shown.slice(0, MOST_ROWS).flatMap((id) => byId.get(id) ?? []);
  const rows = chosen.map(({ id, point, values }) => [
    `${front.includes(id) ? '★ ' : ''}${id}`,
    ...parameters.map(({ options }, axis) => options[point[axis]]),
    ...axes.map(({ key }) => (values[key] == null ? '–' : short(values[key]))),
  ]);
  const made = table(['', ...parameters.map(({ name }) => name), ...axes.map(titleOf)], rows);
  made.querySelectorAll('tbody tr').forEach((row, at) => {
    const { id } = chosen[at];
    row.setAttribute('data-id', String(id));
    row.addEventListener('click', () => selection.select(id));
    selection.mark(id, row);
  });
  return element('div', { class: 'wide ranking' }, made);
}

/** Why candidates were rejected, how many for each reason. */
function rejections({ candidates }: SweepPicture): HTMLElement {
  const counts = new Map<string, number>();
  for (const { status, reason } of candidates) {
    if (status === 'feasible') continue;
    const kind = `${status}: ${reason.replace(/ [\d.,]+ (ms|s|%|tokens\/s|requests\/s)\b.*$/, '')}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([kind, count]) => [kind, String(count)]);
  if (rows.length === 0) return element('p', { class: 'note' }, 'None was.');
  return element('div', { class: 'wide' }, table(['Reason', 'Candidates'], rows.slice(0, MOST_ROWS)));
}

const picture = await readData<SweepPicture>();
document.title = `dynosim: ${picture.title}`;
addHeader(picture.title);
const selection = new Selection();
const tooltip = new Tooltip();
const panel = element('div', { class: 'candidate' });
selection.onSelect((id) => {
  const candidate = picture.candidates.find((one) => one.id === id);
  if (candidate) panel.replaceChildren(...candidatePanel(picture, candidate));
});
const { candidates, looked_at: lookedAt, by_formula: byFormula } = picture;
const counted = `${candidates.length} candidates were simulated${byFormula > 0 ? `, ${byFormula} more of ${lookedAt} judged by formula` : ''}.`;
document
  .getElementById('page')!
  .append(
    element(
      'section',
      { id: 'answer', class: 'answer' },
      ...picture.answer.map((line) => element('p', {}, line)),
    ),
    element('p', { class: 'note' }, counted),
    section(
      'candidates',
      'Candidates',
      element(
        'div',
        { class: 'split' },
        element(
          'div',
          {},
          new ParetoPlot(picture, selection, tooltip).node,
          element(
            'p',
            { class: 'note' },
            'Green: cannot be bettered. Blue: keeps the goals. Grey: does not. Click a point for its configuration.',
          ),
        ),
        panel,
      ),
    ),
    section(
      'parallel',
      'Settings and numbers',
      element('div', { class: 'wide' }, parallelCoordinates(picture, selection, tooltip)),
    ),
    section('tornado', 'What the winner hangs on', tornado(picture, selection, tooltip)),
    section('ranking', 'Ranking', rankingTable(picture, selection)),
    section('rejected', 'Why others were rejected', rejections(picture)),
  );
if (picture.winner !== null) selection.select(picture.winner);
document.body.dataset.ready = 'true';

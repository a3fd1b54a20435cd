import type { PageRun } from '../report/picture-types.js';
import type { PlannerMeasures } from '../report/planner-measures.js';
import { readData } from './data.js';
import { element, section } from './dom.js';
import { addHeader } from './header.js';
import { type DrawnRun, Latencies, reuseCharts } from './latency.js';
import { plannerSection } from './planner.js';
import { latencyBands, slowestRequests } from './requests.js';
import { comparison, detailsOf, settingsOf, summary } from './summary.js';
import { Timeline } from './timeline.js';

function timelines({ pictures }: DrawnRun): HTMLElement[] {
  return pictures.pools.map((pool) => {
    const { node } = new Timeline(pool);
    if (pool.stage !== '') node.prepend(element('h3', {}, `${pool.stage} workers`));
    return node;
  });
}

function draw(runs: readonly PageRun[]): HTMLElement[] {
  const drawn = runs.flatMap(({ label, report }) =>
    report.pictures ? [{ label, pictures: report.pictures }] : [],
  );
  const each = (show: (run: DrawnRun) => (Node | undefined)[]) =>
    drawn.flatMap((run) => [drawn.length > 1 ? element('h3', {}, run.label) : undefined, ...show(run)]);
  const isOne = runs.length === 1;
  const sections = [
    isOne
      ? section('summary', 'Summary', summary(runs[0]), ...detailsOf(runs[0]), settingsOf(runs[0]))
      : section('summary', 'Comparison', comparison(runs)),
  ];
  if (!isOne)
    sections.push(
      section(
        'findings',
        'Findings',
        ...runs.flatMap((run) => [
          element('h3', {}, run.label),
          summary(run),
          ...detailsOf(run),
          settingsOf(run),
        ]),
      ),
    );
  const planners = runs.flatMap(({ label, report }) => {
    const { planner_picture: picture, planner, gpu_hours, gpu_cost } = report;
    const cost = typeof gpu_cost === 'number' ? gpu_cost : undefined;
    const facts = { picture: picture!, measures: planner as PlannerMeasures, gpuCost: cost };
    return picture ? [{ label, facts: { ...facts, gpuHours: gpu_hours as number } }] : [];
  });
  if (planners.length > 0)
    sections.push(
      section(
        'planner',
        'Planner',
        ...planners.flatMap(({ label, facts }) => [
          planners.length > 1 ? element('h3', {}, label) : undefined,
          plannerSection(facts),
        ]),
      ),
    );
  if (drawn.length < runs.length)
    sections.push(
      element(
        'p',
        { class: 'note' },
        'Runs without pictures were made without --pictures: their reports hold the summary only.',
      ),
    );
  if (drawn.length === 0) return sections;
  sections.push(
    section('timeline', 'Workers over time', ...each(timelines)),
    section('latency', 'Latency', new Latencies(drawn).node),
    section('reuse', 'Traffic and cache reuse', reuseCharts(drawn)),
    section('parts', 'Where the time goes', ...each((run) => [latencyBands(run)])),
    section('slowest', 'Slowest requests', ...each((run) => [slowestRequests(run)])),
  );
  for (const { label, pictures } of drawn)
    if (pictures.requests.of > pictures.requests.row.length)
      sections.push(
        element(
          'p',
          { class: 'note' },
          `${label}: points, bands and stories show ${pictures.requests.row.length} of ${pictures.requests.of} requests, an even sample with the slowest; all else is of all requests.`,
        ),
      );
  return sections;
}

const runs = await readData<PageRun[]>();
document.title = `dynosim: ${runs.map(({ label }) => label).join(', ')}`;
addHeader(runs.map(({ label }) => label).join(' · '));
document.getElementById('page')!.append(...draw(runs));
document.body.dataset.ready = 'true';

import { type JsonObject, readJson } from '../../config/json.js';
import { yamlText } from '../../config/yaml.js';
import type { SweepAxis, SweepCandidate, SweepPicture } from '../../report/sweep-picture.js';
import type { Entry } from './ledger.js';
import { METRICS } from './metrics.js';
import type { StudyResult } from './study.js';
import { nameOf, sentences } from './words.js';

/** What candidates are compared by beside the targets. */
const ALWAYS = ['throughput_per_gpu', 'throughput_per_user', 'ttft', 'itl', 'e2e_latency', 'gpus'];
/** Numbers of a report that a reader asks for, by its keys. */
const NUMBERS = [
  'output_throughput_tok_s',
  'request_throughput_rps',
  'goodput_output_throughput_tok_s',
  'sla.attainment',
  'mean_ttft_ms',
  'p99_ttft_ms',
  'mean_tpot_ms',
  'p99_tpot_ms',
  'mean_e2e_latency_ms',
  'p99_e2e_latency_ms',
  'prefix_cache_reused_ratio',
  'completed_requests',
  'preempted_requests',
  'duration_ms',
  'gpu_hours',
];
const MOST_CANDIDATES = 5000;

/** What the page of an answer draws. @param title of the page */
export function pictureOf(result: StudyResult, title: string): SweepPicture {
  const { spec, entries, ranking, front, winner, sensitivity } = result;
  const simulated = entries.filter(({ isEstimate }) => !isEstimate).slice(0, MOST_CANDIDATES);
  const names = [...new Set([...spec.targets, ...ALWAYS])];
  const axes = names.map((key): SweepAxis => {
    const { title: name, unit, direction } = METRICS[key];
    return { key, title: name, unit, direction, isTarget: spec.targets.includes(key) };
  });
  const ids = (list: readonly Entry[]) => list.map(({ id }) => id);
  const loadAxis = spec.load?.setting;
  if (loadAxis !== undefined)
    axes.push({ key: loadAxis, title: loadAxis, unit: '', direction: 1, isTarget: false });
  return {
    title,
    answer: sentences(result),
    axes,
    parameters: spec.space.parameters.map(({ name, options }) => ({
      name,
      options: options.map(({ label }) => label),
    })),
    candidates: simulated.map((entry) => candidate(entry, names, spec)),
    ranking: ids(ranking),
    front: ids(front),
    winner: winner?.id ?? null,
    sensitivity: sensitivity.map(({ parameter, options }) => ({
      parameter,
      options: options.map(({ label, entry }) => ({ label, id: entry.id })),
    })),
    looked_at: entries.length,
    by_formula: entries.filter(({ isEstimate }) => isEstimate).length,
  };
}

function candidate(
  entry: Entry,
  axes: readonly string[],
  { targets, load: question }: StudyResult['spec'],
): SweepCandidate {
  const { id, status, reason, metrics, gpus, load, job, candidate: chosen } = entry;
  const isMeasured = Object.keys(metrics).length > 0;
  const values = Object.fromEntries(
    axes.map((key) => {
      const target = targets.indexOf(key);
      // Prices are known to the search alone, so that targets are taken as they were found.
      const value =
        target >= 0 ? entry.values[target] : METRICS[key].value({ metrics, gpus, gpuHourPrice: 0 });
      return [key, isMeasured ? finite(value) : null];
    }),
  );
  if (question) values[question.setting] = load ?? null;
  return {
    ...{ id, status, reason, values },
    name: nameOf(entry, question?.setting),
    point: chosen.point,
    numbers: Object.fromEntries(
      NUMBERS.flatMap((key) => (metrics[key] === undefined ? [] : [[key, metrics[key]]])),
    ),
    config: job ? yamlText(readJson(job.settings, 'candidate') as JsonObject) : '',
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

import { counted, percent } from '../../report/words.js';
import type { Entry } from './ledger.js';
import { METRICS } from './metrics.js';
import type { StudyResult } from './study.js';

/** A value of a target with its unit. */
export function targetText(name: string, value: number): string {
  return `${amount(value)} ${METRICS[name].unit}`;
}

export function amount(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(4)));
}

/** A candidate in a line: what was chosen for each parameter. */
export function nameOf({ candidate, load }: Entry, setting?: string): string {
  const labels = Object.entries(candidate.labels).map(([name, label]) =>
    name === 'fleet' ? label : `${name}=${label}`,
  );
  const named = labels.length > 0 ? labels.join(', ') : 'the fleet as it is';
  return load === undefined || setting === undefined ? named : `${named} at ${setting} ${amount(load)}`;
}

/** The answer in some sentences. */
export function sentences(result: StudyResult): string[] {
  const { winner, front, ranking, spec, confirmation } = result;
  if (!winner) return ['No candidate could be run.', ...overloadedBy(result)];
  const name = nameOf(winner, spec.load?.setting);
  if (ranking.length === 0)
    return [
      `No candidate keeps the goals; ${name} misses them least (${winner.reason}).`,
      ...overloadedBy(result),
    ];
  const lines = [
    spec.targets.length > 1
      ? `${counted(front.length, 'candidate')} of ${counted(ranking.length, 'feasible one')} cannot be bettered in all of ${spec.targets.join(', ')}.`
      : `Best: ${name} with ${targetText(spec.targets[0], winner.values[0])}${against(result)}.`,
    ...topologies(result),
    ...headroom(result),
  ];
  if (confirmation && confirmation.contenders.length > 0) {
    const [{ low, high, best }] = confirmation.contenders;
    lines.push(
      `Over ${confirmation.windows} windows of the workload its ${METRICS[spec.targets[0]].title} is ${targetText(spec.targets[0], low)} to ${amount(high)} (9 of 10 resamples), and it is the best in ${percent(best)} of them.`,
    );
  }
  if (confirmation?.heldOut)
    lines.push(
      confirmation.heldOut.status === 'feasible'
        ? `On the part of the workload that the search has not seen it keeps the goals, with ${targetText(spec.targets[0], confirmation.heldOut.values[0])}.`
        : `On the part of the workload that the search has not seen it misses the goals: ${confirmation.heldOut.reason}.`,
    );
  return lines;
}

/** How much better the best one is than the next. */
function against({ ranking, spec }: StudyResult): string {
  const [first, second] = ranking;
  if (!second) return ', the only one that keeps the goals';
  const ratio = ratioOf(first, second, spec.targets[0]);
  return ratio < 1.0005 ? ', as the next one' : `, ${percent(ratio - 1)} better than the next`;
}

function ratioOf(better: Entry, other: Entry, target: string): number {
  return METRICS[target].direction === 1
    ? better.values[0] / other.values[0]
    : other.values[0] / better.values[0];
}

/** Which kind of fleet is better, where both were simulated. */
function topologies({ entries, ranking, spec }: StudyResult): string[] {
  const isSplit = ({ candidate }: Entry) => candidate.settings.has('prefill_engine_args');
  const [first] = ranking;
  const other = ranking.find((entry) => isSplit(entry) !== isSplit(first));
  const tried = entries.filter((entry) => !entry.isEstimate && isSplit(entry) !== isSplit(first));
  const [mine, theirs] = isSplit(first) ? ['disaggregated', 'aggregated'] : ['aggregated', 'disaggregated'];
  if (tried.length === 0) return [];
  if (!other) return [`No ${theirs} fleet that was simulated keeps the goals.`];
  return [
    `${mine} ${ratioOf(first, other, spec.targets[0]).toFixed(2)}x better: the best ${theirs} one is ${nameOf(other)}.`,
  ];
}

/** How much more load than today's the winner carries. */
function headroom({ winner, spec }: StudyResult): string[] {
  const today = spec.load && spec.base.get(spec.load.setting);
  const now =
    spec.load?.setting === 'arrival_speedup_ratio'
      ? 1
      : Number((today as { text?: string } | undefined)?.text);
  if (!winner?.load || !(now > 0)) return [];
  return [`It keeps the goals up to ${(winner.load / now).toFixed(2)}x of today's load.`];
}

/** Why most candidates were rejected. */
function overloadedBy({ entries }: StudyResult): string[] {
  const counts = new Map<string, number>();
  for (const { reason, isEstimate } of entries) {
    if (isEstimate || reason === '') continue;
    const kind = reason.replace(/ [\d.,]+ ?(ms|s|%|tokens\/s|requests\/s)?\b.*$/, '');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([kind, count]) => `${counted(count, 'candidate')}: ${kind}.`);
}

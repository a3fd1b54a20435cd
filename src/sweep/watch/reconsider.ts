import { type JsonObject, type JsonValue, jsonText } from '../../config/json.js';
import type { Evaluator } from '../job.js';
import { candidateOf } from '../study/candidate.js';
import type { Entry } from '../study/ledger.js';
import { feasibleOrder } from '../study/ledger.js';
import { METRICS } from '../study/metrics.js';
import { sensitivityOf } from '../study/sensitivity.js';
import type { Point } from '../study/space.js';
import type { StudySpec } from '../study/spec.js';
import { runStudy } from '../study/study.js';
import { Trials } from '../study/trials.js';

/** What a window of traffic says about a deployment. */
export interface Reconsidered {
  /** The deployment as it is, on this window. */
  current: Entry;
  /** The best that keeps the goals; undefined where none does. */
  best: Entry | undefined;
  /** How much better the best one is, as a part; Infinity where the current one misses the goals. */
  gain: number;
  /** Whether a change is worth it. */
  isWorthIt: boolean;
}

/**
 * Runs a deployment and its neighbours on a workload; where none of them keeps the goals, all of the study.
 * @param margin part by which a change must win
 */
export async function reconsider(
  spec: StudySpec,
  point: Point,
  evaluator: Evaluator,
  margin: number,
): Promise<Reconsidered> {
  const trials = new Trials(spec, evaluator);
  const [current] = await trials.measure([point]);
  await sensitivityOf(trials, current);
  let [best] = feasibleOrder(trials.entries);
  // Where goals are missed all around, the answer lies further away.
  if (!best) [best] = (await runStudy(spec, evaluator)).ranking;
  const gain = best ? gainOf(current, best, spec.targets[0]) : 0;
  return { current, best, gain, isWorthIt: best !== undefined && best !== current && gain > margin };
}

function gainOf(current: Entry, best: Entry, target: string): number {
  if (current.status !== 'feasible') return Number.POSITIVE_INFINITY;
  const [now, then] = [current.values[0], best.values[0]];
  return METRICS[target].direction === 1 ? then / now - 1 : now / then - 1;
}

/** The candidate whose settings a deployment has; undefined where it is none of the space. */
export function pointOf(spec: StudySpec, deployed: JsonObject): Point | undefined {
  for (const point of spec.space.points()) {
    const { settings } = candidateOf(spec, point);
    if (chosenAlike(spec, point, settings, deployed)) return point;
  }
  return undefined;
}

/** Whether what a candidate chooses is so in a deployment too. */
function chosenAlike(spec: StudySpec, point: Point, settings: JsonObject, deployed: JsonObject): boolean {
  const roots = new Set(
    spec.space.optionsOf(point).flatMap(({ changes }) => [...changes.keys()].map((key) => key.split('.')[0])),
  );
  if (roots.delete('engine_args'))
    for (const root of settings.keys()) if (root.endsWith('_engine_args')) roots.add(root);
  return [...roots].every((root) => same(settings.get(root), deployed.get(root)));
}

function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => same(value, b.get(key)));
  const text = (value: JsonValue | undefined) =>
    value === undefined ? '' : jsonText(new Map([['', value]]));
  return text(a) === text(b);
}

import { candidateOf } from './candidate.js';
import type { Entry } from './ledger.js';
import type { Option, Point } from './space.js';
import type { StudySpec } from './spec.js';
import type { Trials } from './trials.js';

/** Options of one parameter that are tried beside the winner's, at most. */
const MOST_NEIGHBOURS = 4;

/** What becomes of the winner when one of its parameters is another. */
export interface Sensitivity {
  parameter: string;
  /** By the options of the parameter, in their order; the winner's own among them. */
  options: readonly { label: string; entry: Entry }[];
}

/** Measures the winner with other options of each parameter, next to its own where they are ordered. */
export async function sensitivityOf(trials: Trials, winner: Entry): Promise<Sensitivity[]> {
  const { space } = trials.spec;
  const all: Sensitivity[] = [];
  for (const [axis, { name, options }] of space.parameters.entries()) {
    if (options.length < 2) continue;
    const near = neighbours(trials.spec, winner, axis);
    const at = (option: number): Point =>
      winner.candidate.point.map((own, index) => (index === axis ? option : own));
    const entries = await trials.measure(near.map(at));
    const tried = near.map((option, index) => ({ label: options[option].label, entry: entries[index] }));
    all.push({ parameter: name, options: tried });
  }
  return all;
}

/** The winner's option and those that are looked at beside it. */
function neighbours(spec: StudySpec, { candidate }: Entry, axis: number): number[] {
  const { options, isOrdered } = spec.space.parameters[axis];
  const own = candidate.point[axis];
  const others = options.map((_, option) => option).filter((option) => option !== own);
  const near = isOrdered
    ? others.sort((a, b) => Math.abs(a - own) - Math.abs(b - own) || a - b)
    : others.sort((a, b) => distance(options[own], options[a]) - distance(options[own], options[b]) || a - b);
  const runnable = near.filter(
    (option) =>
      candidateOf(
        spec,
        candidate.point.map((other, index) => (index === axis ? option : other)),
      ).problem === undefined,
  );
  return [own, ...runnable.slice(0, isOrdered ? 2 : MOST_NEIGHBOURS)].sort((a, b) => a - b);
}

/** In how many settings two options differ; fleets of other sizes are further away. */
function distance(a: Option, b: Option): number {
  const keys = new Set([...a.changes.keys(), ...b.changes.keys()]);
  const text = (value: unknown) => JSON.stringify(value instanceof Map ? [...value] : value);
  let different = Math.abs((a.rank ?? 0) - (b.rank ?? 0));
  for (const key of keys) if (text(a.changes.get(key)) !== text(b.changes.get(key))) different += 4;
  return different;
}

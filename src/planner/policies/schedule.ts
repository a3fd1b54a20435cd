import { InputError } from '../../config/input-error.js';
import { describeJson, JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Planner, PlannerView, StageName, Targets } from '../planner.js';

interface Change {
  readonly atMs: number;
  readonly targets: Targets;
}

const STAGES: readonly StageName[] = ['agg', 'prefill', 'decode'];

/** Follows a timetable, whatever happens. */
export class Timetable implements Planner {
  private next = 0;

  /** @param changes by time */
  constructor(private readonly changes: readonly Change[]) {}

  get nextTickMs(): number {
    return this.changes[this.next]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  tick(_view: PlannerView): Targets {
    return this.changes[this.next++].targets;
  }
}

/**
 * A timetable from its settings: `changes`, a list of objects with `at_s` and the workers of stages.
 * @throws {InputError} naming the change
 */
export function timetableOf(settings: JsonObject, where: string): Timetable {
  for (const name of settings.keys())
    if (name !== 'changes') throw new InputError(`${where}: ${name}: unknown field; known is changes`);
  const list = settings.get('changes') ?? [];
  if (!Array.isArray(list))
    throw new InputError(`${where}: changes: expected a list, found ${describeJson(list)}`);
  const changes = list.map((entry, index) => readChange(entry, `${where}: changes[${index}]`));
  changes.forEach(({ atMs }, index) => {
    if (index > 0 && !(atMs > changes[index - 1].atMs))
      throw new InputError(`${where}: changes[${index}]: at_s must be later than that of the change before`);
  });
  return new Timetable(changes);
}

function readChange(entry: JsonValue, where: string): Change {
  if (!(entry instanceof Map))
    throw new InputError(`${where}: expected an object, found ${describeJson(entry)}`);
  const targets: { [stage in StageName]?: number } = {};
  for (const name of entry.keys()) {
    if (name === 'at_s') continue;
    const stage = STAGES.find((known) => known === name);
    if (!stage)
      throw new InputError(`${where}: ${name}: unknown field; known are at_s, ${STAGES.join(', ')}`);
    targets[stage] = numberOf(entry, name, where);
    if (!Number.isInteger(targets[stage]))
      throw new InputError(`${where}: ${name}: expected a whole number, found ${targets[stage]}`);
  }
  return { atMs: numberOf(entry, 'at_s', where) * 1000, targets };
}

function numberOf(entry: JsonObject, name: string, where: string): number {
  const value = entry.get(name);
  if (value instanceof JsonNumber && value.value >= 0) return value.value;
  throw new InputError(`${where}: ${name}: expected a number from 0, found ${describeJson(value ?? null)}`);
}

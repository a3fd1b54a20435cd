import { InputError } from '../config/input-error.js';
import type { JsonObject, JsonValue } from '../config/json.js';
import { keyNames, type Names } from '../config/scenario/names.js';
import { jsonOf, OPTION_NAMES, optionsJson, type ReplayOptions } from '../config/scenario/options.js';
import { type Kinds, readScenarioOf } from '../config/scenario/read.js';
import { type Scenario, scenarioJson } from '../config/scenario/scenario.js';
import { ENGINES, ROUTERS } from './kinds.js';

const KINDS: Kinds = { engines: ENGINES, routers: ROUTERS };

/**
 * Reads a scenario, every number exactly, and checks it as a whole.
 * @param json settings under the keys of a configuration file, such as `num_workers`
 * @param where the name of the text in messages, or what each setting is called there
 * @throws {InputError} for the first problem: the setting, what was found and what is allowed
 */
export function readScenario(json: JsonValue, where: string | Names): Scenario {
  return readScenarioOf(KINDS, json, typeof where === 'string' ? keyNames(where) : where);
}

/** The scenario that options of the library describe. @throws {InputError} */
export function scenarioOf(options: ReplayOptions): Scenario {
  return readScenario(optionsJson(options), OPTION_NAMES);
}

/** A scenario must have a workload; that of a live fleet comes from outside. */
const NO_WORKLOAD: ReplayOptions = { inputTokens: 1, outputTokens: 1, requestCount: 1, replayConcurrency: 1 };

/** The scenario of a fleet whose requests come from outside. @throws {InputError} */
export function fleetScenario(options: ReplayOptions): Scenario {
  return scenarioOf({ ...options, ...NO_WORKLOAD });
}

/** The same from JSON. @throws {InputError} */
export function readFleet(json: JsonObject, where: string | Names): Scenario {
  return readScenario(new Map([...json, ...optionsJson(NO_WORKLOAD)]), where);
}

/** Settings by key; a point reaches into an object, as in `extra_engine_args.block_size`. */
export type Changes = Readonly<Record<string, unknown>>;

/**
 * Another scenario, in which some settings are others; undefined takes one away.
 * @throws {InputError} as for a scenario that is read anew
 */
export function withSettings(scenario: Scenario, changes: Changes, where: string): Scenario {
  const json = scenarioJson(scenario);
  for (const [path, value] of Object.entries(changes))
    setAt(json, path, value === undefined ? undefined : jsonOf(value, `${where}: ${path}`), where);
  return readScenario(json, where);
}

/** Sets one value, or takes it away, within an object where the path has points. @throws {InputError} */
export function setAt(json: JsonObject, path: string, value: JsonValue | undefined, where: string): void {
  const names = path.split('.');
  const last = names.pop()!;
  let inner = json;
  for (const name of names) {
    const member = inner.get(name) ?? new Map();
    if (!(member instanceof Map)) throw new InputError(`${where}: ${path}: ${name} is no object`);
    const copy: JsonObject = new Map(member);
    inner.set(name, copy);
    inner = copy;
  }
  if (value === undefined) inner.delete(last);
  else inner.set(last, value);
}

import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { suggestion } from '../config/fields.js';
import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue, readJson } from '../config/json.js';
import { flagNames } from '../config/scenario/names.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { SETTINGS } from '../config/scenario/settings.js';
import { readYaml, readYamlValue, yamlText } from '../config/yaml.js';
import { setAt } from '../setup/scenario.js';
import { flagSettings, type GivenSettings } from './replay-flags.js';

/** Flags that are about the configuration itself. */
const OWN_FLAGS = ['config', 'set', 'printConfig'];
const SETTING_KEYS: ReadonlySet<string> = new Set(SETTINGS.map(({ key }) => key));

/** Flags that are no settings of a scenario but can stand in a configuration, by their names there. */
export function extraFlags(command: Command, leftOut: readonly string[] = []): Map<string, Option> {
  return new Map(
    command.options
      .filter((option) => !option.negate && ![...OWN_FLAGS, ...leftOut].includes(option.attributeName()))
      .map((option) => [option.long!.slice(2).replaceAll('-', '_'), option] as const)
      .filter(([key]) => !SETTING_KEYS.has(key)),
  );
}

/**
 * The settings of a command line that names a configuration: what the file says, then `--set`, then flags.
 * @param leftOut flags that no configuration sets
 * @throws {InputError} naming file, line and key
 */
export function configuredSettings(
  command: Command,
  files: readonly string[],
  path: string | undefined,
  sets: readonly string[],
  leftOut: readonly string[] = [],
): GivenSettings {
  const json: JsonObject = new Map();
  const places = new Map<string, string>();
  if (path !== undefined)
    for (const [key, { value, where }] of readConfig(path)) {
      json.set(key, value);
      places.set(key, where);
    }
  for (const set of sets) applySet(json, places, set);
  takeExtras(command, json, places, leftOut);
  const given = flagSettings(command, files);
  for (const [key, value] of given.json) {
    json.set(key, value);
    places.delete(key);
  }
  return { json, names: flagNames(places) };
}

interface Place {
  value: JsonValue;
  where: string;
}

/** Reads a configuration, in YAML or JSON; a report carries the one that it was made with. */
function readConfig(path: string): Map<string, Place> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`--config: cannot read ${path} (${(error as Error).message})`);
  }
  if (path.endsWith('.json')) {
    const json = readJson(text, path);
    const scenario = json instanceof Map ? (json.get('scenario') ?? json) : json;
    if (!(scenario instanceof Map)) throw new InputError(`${path}: expected keys and values`);
    return new Map([...scenario].map(([key, value]) => [key, { value, where: path }]));
  }
  return new Map(
    [...readYaml(text, path)].map(([key, { value, line }]) => [key, { value, where: `${path}:${line}` }]),
  );
}

/** Sets one value, within an object where the name has points. */
function applySet(json: JsonObject, places: Map<string, string>, set: string): void {
  const where = `--set ${set}`;
  const at = set.indexOf('=');
  if (at < 1) throw new InputError(`${where}: expected KEY=VALUE`);
  const path = set.slice(0, at);
  const [key] = path.split('.');
  const { rule } = SETTINGS.find((setting) => setting.key === key) ?? {};
  const known = json.get(key);
  if (rule?.type === 'json' && typeof known === 'string')
    json.set(key, readJson(known, `${places.get(key)}: ${key}`));
  setAt(json, path, readYamlValue(set.slice(at + 1), where), where);
  places.set(key, where);
}

/** Hands what is no setting of the scenario to the flags of its names, and takes it out. */
function takeExtras(
  command: Command,
  json: JsonObject,
  places: ReadonlyMap<string, string>,
  leftOut: readonly string[],
): void {
  const extras = extraFlags(command, leftOut);
  for (const [key, value] of [...json]) {
    if (SETTING_KEYS.has(key)) continue;
    const where = `${places.get(key)}: ${key}`;
    const option = extras.get(key);
    if (!option)
      throw new InputError(`${where}: unknown key${suggestion(key, [...SETTING_KEYS, ...extras.keys()])}`);
    json.delete(key);
    if (command.getOptionValueSource(option.attributeName()) === 'cli') continue;
    command.setOptionValueWithSource(option.attributeName(), extraValue(option, value, where), 'config');
  }
}

function extraValue(option: Option, value: JsonValue, where: string): string | boolean {
  if (option.isBoolean()) {
    if (typeof value === 'boolean') return value;
    throw new InputError(`${where}: expected true or false, found ${shown(value)}`);
  }
  if (typeof value === 'string') return value;
  throw new InputError(`${where}: expected a text, found ${shown(value)}`);
}

function shown(value: JsonValue): string {
  return value instanceof JsonNumber ? value.text : JSON.stringify(value);
}

/** What a command line and a configuration come to, as a configuration that says the same. */
export function configText(command: Command, scenario: Scenario, leftOut: readonly string[] = []): string {
  const json: JsonObject = new Map();
  for (const { key, default: usual } of SETTINGS) {
    const value = scenario.given.get(key) ?? (usual === undefined ? undefined : defaultJson(usual));
    if (value !== undefined) json.set(key, isSingle(value) ? value[0] : value);
  }
  for (const [key, option] of extraFlags(command, leftOut)) {
    const value = command.getOptionValue(option.attributeName());
    if (value !== undefined) json.set(key, value);
  }
  return yamlText(json);
}

function isSingle(value: JsonValue): value is [JsonValue] {
  return Array.isArray(value) && value.length === 1;
}

function defaultJson(value: number | string | boolean): JsonValue {
  return typeof value === 'number' ? new JsonNumber(String(value)) : value;
}

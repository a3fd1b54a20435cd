import { suggestion } from '../fields.js';
import { InputError } from '../input-error.js';
import { JsonNumber, type JsonObject, type JsonValue, readJson } from '../json.js';
import { TYPICAL } from '../overheads.js';
import { camelCase, type Names } from './names.js';
import { type Options, optionName, type Setting } from './setting.js';
import type {
  CONTROL,
  ESTIMATE,
  FLEET,
  GOALS,
  ROUTING,
  RULES,
  SYNTHETIC,
  TIMING,
  WORKLOAD,
} from './settings.js';
import { SETTINGS } from './settings.js';

/** What to keep of a run beside its report. */
export interface RunControls {
  /** Which outcomes are kept: of requests that ended, or of all, unfinished ones included. */
  records?: 'ended' | 'all' | undefined;
  /** Whether what pictures show is kept in the report: workers over time, and requests. */
  pictures?: boolean | undefined;
  onProgress?: ((ended: number, total: number) => void) | undefined;
}

/** What to replay and on which fleet, under the names of the flags of `dynosim replay` in camel case. */
export type ReplayOptions = Options<typeof WORKLOAD> &
  Options<typeof SYNTHETIC> &
  Options<typeof FLEET> &
  Options<typeof RULES> &
  Options<typeof ROUTING> &
  Options<typeof CONTROL> &
  Options<typeof TIMING> &
  Options<typeof ESTIMATE> &
  Options<typeof GOALS> &
  RunControls;

/** Options that are no settings of the scenario. */
const CONTROLS: Readonly<Record<keyof RunControls, (value: unknown) => boolean>> = {
  records: (value) => value === 'ended' || value === 'all',
  pictures: (value) => typeof value === 'boolean',
  onProgress: (value) => typeof value === 'function',
};

const BY_OPTION: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [optionName(setting), setting]),
);
const BY_KEY: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((setting) => [setting.key, setting]));

/** Names in the library. */
export const OPTION_NAMES: Names = {
  whole: 'the options',
  of: (key) => nameOf(key),
  short: (key) => nameOf(key),
};

function nameOf(key: string): string {
  const setting = BY_KEY.get(key);
  return setting ? optionName(setting) : camelCase(key);
}

/** Settings of a replay as JSON. @throws {InputError} for an option that there is not, or that JSON cannot hold */
export function optionsJson(options: ReplayOptions): JsonObject {
  const json: JsonObject = new Map();
  for (const [name, value] of Object.entries(options as Record<string, unknown>)) {
    if (value === undefined) continue;
    const setting = BY_OPTION.get(name);
    if (setting) json.set(setting.key, settingJson(value, setting, name));
    else checkControl(name, value);
  }
  return json;
}

function checkControl(name: string, value: unknown): void {
  const isValid = Object.hasOwn(CONTROLS, name) ? CONTROLS[name as keyof RunControls] : undefined;
  if (!isValid)
    throw new InputError(
      `${name}: unknown option${suggestion(name, [...BY_OPTION.keys(), ...Object.keys(CONTROLS)])}`,
    );
  if (!isValid(value)) throw new InputError(`${name}: found ${describe(value)}`);
}

/** The value of a setting as JSON; objects may also be given as JSON text. */
export function settingJson(value: unknown, { rule }: Setting, where: string): JsonValue {
  if (rule.type !== 'json' || typeof value !== 'string') return jsonOf(value, where);
  // The planner's settings may be the path of a file, and overheads have a name.
  const isName =
    rule.of === 'overheads' ? value === TYPICAL : rule.of === 'planner' && !value.trimStart().startsWith('{');
  return isName ? value : readJson(value, where);
}

/** A value of JavaScript as JSON, its numbers exact. @throws {InputError} for what JSON does not have */
export function jsonOf(value: unknown, where: string): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (value instanceof JsonNumber || value instanceof Map) return value;
  if (typeof value === 'bigint') return new JsonNumber(String(value));
  if (typeof value === 'number') return new JsonNumber(numberText(value));
  if (Array.isArray(value)) return value.map((entry) => jsonOf(entry, where));
  if (typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return new Map(members.map(([key, member]) => [key, jsonOf(member, `${where}: ${key}`)]));
  }
  throw new InputError(`${where}: found ${describe(value)}`);
}

/** Integers that a number may have rounded are none, so that a seed must come as a bigint then. */
function numberText(value: number): string {
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return isRounded ? value.toExponential() : String(value);
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

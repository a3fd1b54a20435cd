import type { EngineArgs } from '../engine-type.js';
import { type FieldRule, inRange, readField, suggestion } from '../fields.js';
import { InputError } from '../input-error.js';
import { describeJson, JsonNumber, type JsonObject, type JsonValue } from '../json.js';
import { camelCase, type Names } from './names.js';

/** Lists of kinds that the program knows. */
export type KindList = 'engines' | 'routers';

/** What a setting may be. */
type SettingRule =
  | Exclude<FieldRule, { type: 'object' } | { type: 'any' }>
  /** The name of one of the kinds that there are. */
  | { type: 'kind'; of: KindList }
  /** A path or several. */
  | { type: 'paths' }
  /** An object with fields of its own, in flags as JSON text; `planner` may also be the path of a file, `overheads` a name. */
  | { type: 'json'; of: 'engine' | 'router' | 'timing' | 'overheads' | 'planner' | 'disturbances' };

/** What decides whether a setting has an effect. */
export interface Facts {
  /** Settings that are given and differ from their defaults. */
  readonly given: ReadonlyMap<string, JsonValue>;
  /** What a setting is called where it was written. */
  name(key: string): string;
  /** undefined for synthetic load. */
  readonly traceFormat: string | undefined;
  readonly isClosedLoop: boolean;
  readonly isSplit: boolean;
  /** Whether the router looks at workers at all. */
  readonly routes: boolean;
  /** Whether requests may skip the prefill workers. */
  readonly bypasses: boolean;
  readonly engines: readonly EngineArgs[];
}

/** One setting of a run, from which its flag, its key in YAML and JSON, and its option in the library follow. */
export interface Setting {
  /** In YAML and JSON; a flag has hyphens, an option of the library is in camel case. */
  readonly key: string;
  /** Name in the library, where it is another. */
  readonly option?: string;
  readonly rule: SettingRule;
  /** What a value is, with its unit, as help shows it. */
  readonly value?: string;
  readonly help: string;
  readonly default?: number | string | boolean;
  /** Values that say that there is none; words in any case. */
  readonly none?: readonly (string | number)[];
  /** Why it has no effect; anything but a text where it has. */
  readonly idle?: (facts: Facts) => string | false | undefined;
}

type Camel<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Key;
type OptionOf<S extends Setting> = S extends { option: infer Name extends string } ? Name : Camel<S['key']>;
type ValueOf<Rule extends SettingRule> = Rule extends { type: 'uint' | 'float' }
  ? number
  : Rule extends { type: 'u64' }
    ? bigint
    : Rule extends { type: 'bool' }
      ? boolean
      : Rule extends { type: 'choice'; choices: readonly (infer Choice)[] }
        ? Choice
        : Rule extends { type: 'paths' }
          ? readonly string[]
          : Rule extends { type: 'json' }
            ? JsonValue
            : string;

/** Values of settings by the names of the library, defaults filled in. */
export type Values<Settings extends readonly Setting[]> = {
  readonly [S in Settings[number] as OptionOf<S>]: S extends { default: unknown }
    ? ValueOf<S['rule']>
    : ValueOf<S['rule']> | undefined;
};

/** What the library takes for settings: big numbers also as plain ones, JSON also as objects. */
export type Options<Settings extends readonly Setting[]> = {
  readonly [S in Settings[number] as OptionOf<S>]?:
    | (S['rule'] extends { type: 'u64' }
        ? bigint | number
        : S['rule'] extends { type: 'json' }
          ? string | object
          : ValueOf<S['rule']>)
    | undefined;
};

/** The name of a setting in the library. */
export function optionName({ key, option }: Setting): string {
  return option ?? camelCase(key);
}

/** @throws {InputError} for a key that is no setting, with the nearest that is one */
export function checkKeys(json: JsonObject, settings: readonly Setting[], names: Names): void {
  const known = new Set(settings.map(({ key }) => key));
  for (const key of json.keys())
    if (!known.has(key))
      throw new InputError(
        `${names.of(key)}: unknown setting${suggestion(
          names.short(key),
          settings.map(({ key: other }) => names.short(other)),
        )}`,
      );
}

/**
 * Reads settings by their rules, each once.
 * @param kinds names of the kinds that there are
 * @throws {InputError} naming the setting, what was found and what is allowed
 */
export function readSettings<Settings extends readonly Setting[]>(
  json: JsonObject,
  settings: Settings,
  kinds: Readonly<Record<KindList, readonly string[]>>,
  names: Names,
): Values<Settings> {
  const values: Record<string, unknown> = {};
  for (const setting of settings) {
    const value = json.get(setting.key);
    values[optionName(setting)] =
      value === undefined ? setting.default : readValue(value, setting.rule, kinds, names.of(setting.key));
  }
  return values as Values<Settings>;
}

function readValue(
  value: JsonValue,
  rule: SettingRule,
  kinds: Readonly<Record<KindList, readonly string[]>>,
  where: string,
): unknown {
  switch (rule.type) {
    case 'json':
      return value;
    case 'kind':
      return readField(value, { type: 'choice', choices: kinds[rule.of] }, where);
    case 'paths': {
      const list = Array.isArray(value) ? value : [value];
      if (list.every((entry) => typeof entry === 'string')) return list;
      throw new InputError(`${where}: expected a path, or a list of paths, found ${describeJson(value)}`);
    }
    case 'float':
      // As Python reads it, which rounds better than the reference's reader of JSON.
      return value instanceof JsonNumber
        ? inRange(Number(value.text), rule, where)
        : readField(value, rule, where);
    default:
      return readField(value, rule, where);
  }
}

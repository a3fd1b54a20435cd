import { type Command, Option } from 'commander';
import { JsonNumber, type JsonObject, type JsonValue } from '../config/json.js';
import { flagName, flagNames, type Names } from '../config/scenario/names.js';
import { settingJson } from '../config/scenario/options.js';
import { optionName, type Setting } from '../config/scenario/setting.js';
import { SECTIONS, SETTINGS } from '../config/scenario/settings.js';
import { float, wholeNumber } from './flags.js';

/** The settings that a command line gives, and what they are called in messages. */
export interface GivenSettings {
  json: JsonObject;
  names: Names;
}

/** The traces are no flag. */
const flagged = SETTINGS.filter(({ rule }) => rule.type !== 'paths');

/** Adds a flag for every setting of a scenario. @param leftOut titles of sections that do not apply */
export function addSettingFlags(command: Command, leftOut: readonly string[] = []): void {
  for (const { title, settings } of SECTIONS) {
    if (leftOut.includes(title)) continue;
    command.optionsGroup(`${title}:`);
    for (const setting of settings) if (flagged.includes(setting)) command.addOption(settingOption(setting));
  }
}

function settingOption({ key, rule, value, help, default: usual }: Setting): Option {
  const option = new Option(value === undefined ? flagName(key) : `${flagName(key)} ${value}`, help);
  if (rule.type === 'choice') option.choices(rule.choices);
  if (rule.type === 'uint' || rule.type === 'u64')
    option.argParser((text) => new JsonNumber(String(wholeNumber(text))));
  if (rule.type === 'float') option.argParser((text) => new JsonNumber(String(float(text))));
  return usual === undefined ? option : option.default(usual);
}

export function addConfigFlags(command: Command): void {
  command
    .optionsGroup('Configuration:')
    .option(
      '--config <file>',
      'YAML file whose keys are these flags, as in num_workers: 4, or a report to repeat; flags given here win',
    )
    .option(
      '--set <key=value>',
      'set one key, also inside an object: extra_engine_args.block_size=16 (repeatable)',
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    )
    .option('--print-config', 'print what all of this comes to as such a file, and stop');
}

/** What the flags of a command line say. @throws {InputError} for JSON text that is none */
export function flagSettings(command: Command, files: readonly string[]): GivenSettings {
  const json: JsonObject = new Map();
  if (files.length > 0) json.set('trace', [...files]);
  for (const setting of flagged) {
    const name = optionName(setting);
    if (command.getOptionValueSource(name) !== 'cli') continue;
    const value = command.getOptionValue(name) as JsonValue;
    json.set(setting.key, settingJson(value, setting, flagName(setting.key)));
  }
  return { json, names: flagNames() };
}

import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { isMap, isScalar, LineCounter, parse, parseDocument, stringify, YAMLParseError } from 'yaml';
import { suggestion } from '../config/fields.js';
import { InputError } from '../config/input-error.js';

/** Flags that take JSON text; a configuration writes them as objects. */
const JSON_FLAGS = [
  'extraEngineArgs',
  'prefillEngineArgs',
  'decodeEngineArgs',
  'routerConfig',
  'timing',
  'overheads',
  'plannerConfig',
];
/** Flags that are about the configuration itself. */
const OWN_FLAGS = ['config', 'set', 'printConfig'];
const TRACE = 'trace';

type Settings = Map<string, { value: unknown; where: string }>;

/** Options that a configuration may set, by the names that it uses for them. */
export function configurable(command: Command, leftOut: readonly string[] = []): Map<string, Option> {
  return new Map(
    command.options
      .filter((option) => ![...OWN_FLAGS, ...leftOut].includes(option.attributeName()))
      .map((option) => [option.long!.slice(2).replaceAll('-', '_'), option]),
  );
}

/**
 * Lets a configuration, and `--set`, fill in what the command line does not say.
 * @param leftOut flags that no configuration sets
 * @returns the trace files
 * @throws {InputError} naming file, line and key
 */
export function applyConfig(
  command: Command,
  files: readonly string[],
  path: string | undefined,
  sets: readonly string[],
  leftOut: readonly string[] = [],
): string[] {
  const settings: Settings = path === undefined ? new Map() : readConfig(path);
  for (const set of sets) applySet(settings, set);
  const options = configurable(command, leftOut);
  let traces = [...files];
  for (const [key, { value, where }] of settings) {
    if (key === TRACE) {
      if (files.length === 0) traces = traceFiles(value, where);
      continue;
    }
    const option = options.get(key);
    if (!option)
      throw new InputError(`${where}: ${key}: unknown key${suggestion(key, [TRACE, ...options.keys()])}`);
    if (command.getOptionValueSource(option.attributeName()) === 'cli') continue;
    command.setOptionValueWithSource(
      option.attributeName(),
      optionValue(option, value, `${where}: ${key}`),
      'config',
    );
  }
  return traces;
}

function readConfig(path: string): Settings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`--config: cannot read ${path} (${(error as Error).message})`);
  }
  const lines = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: lines });
  const [problem] = parsed.errors;
  if (problem)
    throw new InputError(`${path}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split('\n')[0]}`);
  const settings: Settings = new Map();
  const root = parsed.contents;
  if (root === null) return settings;
  if (!isMap(root)) throw new InputError(`${path}:1: expected keys and values`);
  for (const { key, value } of root.items) {
    if (!isScalar(key)) throw new InputError(`${path}: keys must be plain names`);
    const where = `${path}:${lines.linePos(key.range![0]).line}`;
    settings.set(String(key.value), { value: plainValue(value, parsed), where });
  }
  return settings;
}

function plainValue(node: unknown, parsed: ReturnType<typeof parseDocument>): unknown {
  const hasValue = typeof node === 'object' && node !== null && 'toJS' in node;
  return hasValue ? (node as { toJS(doc: typeof parsed): unknown }).toJS(parsed) : undefined;
}

/** Sets one value, within an object where the name has points. */
function applySet(settings: Settings, set: string): void {
  const where = `--set ${set}`;
  const at = set.indexOf('=');
  if (at < 1) throw new InputError(`${where}: expected KEY=VALUE`);
  const [key, ...inner] = set.slice(0, at).split('.');
  let value: unknown;
  try {
    value = parse(set.slice(at + 1));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new InputError(`${where}: ${error.message.split('\n')[0]}`);
  }
  const known = settings.get(key)?.value;
  settings.set(key, { value: inner.length === 0 ? value : withInner(known, inner, value, where), where });
}

function withInner(
  known: unknown,
  [name, ...rest]: readonly string[],
  value: unknown,
  where: string,
): unknown {
  const object = typeof known === 'string' ? parse(known) : (known ?? {});
  if (typeof object !== 'object' || Array.isArray(object))
    throw new InputError(`${where}: ${name} is not inside an object`);
  const members = object as Record<string, unknown>;
  return { ...members, [name]: rest.length === 0 ? value : withInner(members[name], rest, value, where) };
}

function traceFiles(value: unknown, where: string): string[] {
  const list = Array.isArray(value) ? value : [value];
  if (!list.every((entry) => typeof entry === 'string'))
    throw new InputError(`${where}: ${TRACE}: expected a path, or a list of paths`);
  return list;
}

function optionValue(option: Option, value: unknown, where: string): unknown {
  if (option.isBoolean()) {
    if (typeof value !== 'boolean')
      throw new InputError(`${where}: expected true or false, found ${shown(value)}`);
    return value;
  }
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && !JSON_FLAGS.includes(option.attributeName()))
    throw new InputError(`${where}: expected a single value, found ${shown(value)}`);
  if (value === undefined || value === null) throw new InputError(`${where}: has no value`);
  const text = isObject ? JSON.stringify(value) : String(value);
  try {
    return option.parseArg ? option.parseArg(text, undefined as never) : text;
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InputError(`${where}: ${error.message.replace(/\.$/, '')}, found ${text}`);
  }
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

/** What a command line and a configuration come to, as a configuration that says the same. */
export function configText(
  command: Command,
  files: readonly string[],
  leftOut: readonly string[] = [],
): string {
  const settings: Record<string, unknown> = {};
  if (files.length > 0) settings[TRACE] = files.length === 1 ? files[0] : files;
  for (const [key, option] of configurable(command, leftOut)) {
    const name = option.attributeName();
    const value = command.getOptionValue(name);
    if (value === undefined) continue;
    const isJson =
      JSON_FLAGS.includes(name) && typeof value === 'string' && value.trimStart().startsWith('{');
    settings[key] = isJson ? parse(value) : typeof value === 'bigint' ? Number(value) : value;
  }
  return stringify(settings);
}

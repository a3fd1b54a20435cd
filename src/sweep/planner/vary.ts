import { suggestion } from '../../config/fields.js';
import { InputError } from '../../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import { SETTINGS } from '../../config/scenario/settings.js';
import { setAt } from '../../setup/scenario.js';

/** A setting and the values that it takes in turn. */
export interface Axis {
  /** As it was written, such as `startup-time`. */
  readonly name: string;
  readonly values: readonly (number | string)[];
}

/** One point of a grid: a value for every axis, and the settings of its run. */
export interface GridPoint {
  readonly values: readonly (number | string)[];
  readonly settings: JsonObject;
}

const MOST_POINTS = 10_000;
const WHERE = '--vary';

/** Names that stand for a place within settings. */
const PLACES: Readonly<Record<string, (json: JsonObject) => string[]>> = {
  'startup-time': (json) => engineKeys(json).map((key) => `${key}.startup_time`),
  'load-interval': () => ['planner_config.load_adjustment_interval_seconds'],
  'throughput-interval': () => ['planner_config.throughput_adjustment_interval_seconds'],
};
/** Other names of the same fields in the planner's settings, which would win. */
const SHADOWS: Readonly<Record<string, string>> = {
  'load-interval': 'load_adjustment_interval',
  'throughput-interval': 'throughput_adjustment_interval',
};

/**
 * Reads `name=values`, where values are a list as in `1,2,5`, or a range as in `0..300/10`.
 * @throws {InputError} for what is neither
 */
export function readAxis(text: string): Axis {
  const at = text.indexOf('=');
  const [name, list] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 1 || list === '')
    throw new InputError(`${WHERE}: expected name=values, such as startup-time=0..300/10, found "${text}"`);
  const values = list.split(',').flatMap((part) => readRange(part.trim(), name));
  return { name, values };
}

function readRange(text: string, name: string): (number | string)[] {
  const range = /^(-?[\d.]+)\.\.(-?[\d.]+)\/([\d.]+)$/.exec(text);
  if (!range) {
    if (text === '' || text.includes('..'))
      throw new InputError(
        `${WHERE}: ${name}: expected a value, or a range as in 0..300/10, found "${text}"`,
      );
    return [Number.isFinite(Number(text)) ? Number(text) : text];
  }
  const [from, to, step] = range.slice(1).map(Number);
  const count = Math.floor((to - from) / step + 1e-9);
  if (!(step > 0 && count >= 0 && count < MOST_POINTS))
    throw new InputError(
      `${WHERE}: ${name}: a range goes up in steps, ${MOST_POINTS} at most, found "${text}"`,
    );
  return Array.from({ length: count + 1 }, (_, index) => Number((from + index * step).toPrecision(12)));
}

/**
 * Every combination of the values, the last axis quickest.
 * @param base settings that all have in common; a planner's are an object
 * @throws {InputError} for names that are no setting, and for too many points
 */
export function gridOf(base: JsonObject, axes: readonly Axis[]): GridPoint[] {
  let points: GridPoint[] = [{ values: [], settings: base }];
  for (const { name, values } of axes) {
    const paths = placesOf(name, base);
    points = points.flatMap(({ values: before, settings }) =>
      values.map((value) => ({
        values: [...before, value],
        settings: withValue(settings, name, paths, jsonOf(value)),
      })),
    );
    if (points.length > MOST_POINTS)
      throw new InputError(`${WHERE}: ${MOST_POINTS} runs at most, found ${points.length}`);
  }
  return points;
}

function withValue(settings: JsonObject, name: string, paths: readonly string[], value: JsonValue) {
  const changed: JsonObject = new Map(settings);
  const shadow = SHADOWS[name];
  if (shadow) setAt(changed, `planner_config.${shadow}`, undefined, WHERE);
  for (const path of paths) setAt(changed, path, value, WHERE);
  return changed;
}

function jsonOf(value: number | string): JsonValue {
  return typeof value === 'number' ? new JsonNumber(String(value)) : value;
}

function placesOf(name: string, json: JsonObject): string[] {
  if (Object.hasOwn(PLACES, name)) return PLACES[name](json);
  const [head, ...inner] = name.split('.');
  const key = head.replaceAll('-', '_');
  const known = SETTINGS.map((setting) => setting.key);
  if (known.includes(key)) return [[key, ...inner].join('.')];
  const names = [...Object.keys(PLACES), ...known.map((other) => other.replaceAll('_', '-'))];
  throw new InputError(`${WHERE}: ${name}: unknown setting${suggestion(name, names)}`);
}

/** The engines that a fleet is made of. */
function engineKeys(json: JsonObject): string[] {
  const split = ['prefill_engine_args', 'decode_engine_args'].filter((key) => json.has(key));
  return split.length > 0 ? split : ['extra_engine_args'];
}

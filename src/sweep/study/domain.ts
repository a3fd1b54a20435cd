import { JsonNumber, type JsonValue, jsonText } from '../../config/json.js';
import type { Fields } from './reader.js';
import type { Option, Parameter } from './space.js';

const MOST_VALUES = 10_000;

/**
 * Reads what a search decides about one setting: `choices`, a `range`, or, under a name that is no setting, a `preset`
 * that sets several at once.
 * @param check refuses what is no setting
 * @throws {InputError}
 */
export function readParameter(search: Fields, name: string, check: (key: string) => void): Parameter {
  const domain = search.inner(name, ['choices', 'range', 'preset']);
  if (domain.names.length !== 1) search.fail(name, 'expected one of choices, range, preset');
  if (domain.has('preset')) return presetParameter(domain, name, check);
  check(name);
  const values = domain.has('choices') ? domain.list('choices', []) : rangeValues(domain);
  return parameterOf(name, values);
}

/** A setting with some values. */
function parameterOf(name: string, values: readonly JsonValue[]): Parameter {
  const options = values.map(
    (value): Option => ({
      label: typeof value === 'string' ? value : jsonText(value),
      changes: new Map([[name, value]]),
      ...(value instanceof JsonNumber && { rank: value.value }),
    }),
  );
  return { name, options, isOrdered: options.every(({ rank }) => rank !== undefined) };
}

function presetParameter(domain: Fields, name: string, check: (key: string) => void): Parameter {
  const presets = domain.inner('preset');
  if (presets.names.length === 0) domain.fail('preset', 'must not be empty');
  const options = presets.names.map((label): Option => {
    const settings = presets.inner(label);
    for (const key of settings.names) check(key);
    return { label, changes: new Map(settings.names.map((key) => [key, settings.value(key)])) };
  });
  return { name, options, isOrdered: false };
}

function rangeValues(domain: Fields): JsonNumber[] {
  const range = domain.inner('range', ['min', 'max', 'step', 'scale', 'count']);
  const [min, max] = [range.number('min', undefined), range.number('max', undefined)];
  if (max < min) range.fail('max', `lies below min (${min})`);
  const scale = range.choice('scale', ['linear', 'log'], 'linear');
  const values = scale === 'log' ? logValues(range, min, max) : linearValues(range, min, max);
  if (values.length > MOST_VALUES) domain.fail('range', `has more than ${MOST_VALUES} values`);
  return values.map((value) => new JsonNumber(String(value)));
}

/** Values a step apart; without one a step of 1, or so many values as `count` says. */
function linearValues(range: Fields, min: number, max: number): number[] {
  if (range.has('count')) {
    const count = range.number('count', undefined, { min: 2, max: MOST_VALUES, isWhole: true });
    return rounded(
      Array.from({ length: count }, (_, index) => min + ((max - min) * index) / (count - 1)),
      min,
      max,
    );
  }
  const step = range.number('step', 1);
  if (!(step > 0)) range.fail('step', `must be above 0, found ${step}`);
  // A step that fits but for its last bit fits.
  const count = Math.floor((max - min) / step + 1e-9) + 1;
  return Array.from({ length: Math.min(count, MOST_VALUES + 1) }, (_, index) => min + index * step);
}

/** Values of equal ratio, doublings where no count is given. */
function logValues(range: Fields, min: number, max: number): number[] {
  if (!(min > 0)) range.fail('min', `must be above 0 on a log scale, found ${min}`);
  const doublings = Math.max(1, Math.round(Math.log2(max / min)));
  const count = range.number('count', doublings + 1, { min: 2, max: MOST_VALUES, isWhole: true });
  return rounded(
    Array.from({ length: count }, (_, index) => min * (max / min) ** (index / (count - 1))),
    min,
    max,
  );
}

/** Values that are whole where both ends are, each once. */
function rounded(values: readonly number[], min: number, max: number): number[] {
  const isWhole = Number.isInteger(min) && Number.isInteger(max);
  return [...new Set(isWhole ? values.map(Math.round) : values)];
}

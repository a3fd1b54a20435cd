import { type FieldRules, readFields } from '../../config/fields.js';
import { InputError } from '../../config/input-error.js';
import { describeJson, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Planner, StageView } from '../planner.js';
import { BOUND_FIELDS } from './bounds.js';
import { FixedFleet } from './fixed.js';
import { HorizontalAutoscaler } from './horizontal-autoscaler.js';
import { SaturationAutoscaler } from './saturation.js';
import { timetableOf } from './schedule.js';

/** Makes a planner of its settings. @throws {InputError} when they are wrong */
type PlannerReader = (settings: JsonObject, where: string) => Planner;

type Numbers = { readonly [name: string]: number };

const part = { type: 'float', above: 0, max: 1 } as const;
const positive = { type: 'float', above: 0 } as const;
const notNegative = { type: 'float', min: 0 } as const;

const POLICIES: { readonly [name: string]: PlannerReader } = {
  none: (settings, where) => {
    readFields(settings, {}, where);
    return new FixedFleet();
  },
  hpa: horizontal(positive, 4, ({ waitingRequests }) => waitingRequests),
  keda: horizontal(part, 0.7, ({ loads }) => loads.reduce((sum, { kvUse }) => sum + kvUse, 0)),
  saturation,
  schedule: timetableOf,
};

/** A HorizontalPodAutoscaler over some metric; KEDA hands its metrics to one. */
function horizontal(
  targetRule: FieldRules[string],
  target: number,
  metric: (stage: StageView) => number,
): PlannerReader {
  const fields: FieldRules = {
    target: targetRule,
    interval_seconds: positive,
    tolerance: notNegative,
    down_window_seconds: notNegative,
  };
  const usual = { target, interval_seconds: 15, tolerance: 0.1, down_window_seconds: 300 };
  return (settings, where) => {
    const { bounds, values } = readNumbers(settings, fields, usual, where);
    return new HorizontalAutoscaler(
      {
        ...bounds,
        target: values.target,
        intervalMs: values.interval_seconds * 1000,
        tolerance: values.tolerance,
        downWindowMs: values.down_window_seconds * 1000,
      },
      metric,
    );
  };
}

function saturation(settings: JsonObject, where: string): Planner {
  const fields: FieldRules = {
    interval_seconds: positive,
    kv_threshold: part,
    queue_threshold: positive,
    kv_spare: { ...notNegative, max: 1 },
    queue_spare: notNegative,
  };
  const usual = {
    ...{ interval_seconds: 30, kv_threshold: 0.8, queue_threshold: 5 },
    ...{ kv_spare: 0.1, queue_spare: 3 },
  };
  const { bounds, values } = readNumbers(settings, fields, usual, where);
  return new SaturationAutoscaler({
    ...bounds,
    intervalMs: values.interval_seconds * 1000,
    kvThreshold: values.kv_threshold,
    queueThreshold: values.queue_threshold,
    kvSpare: values.kv_spare,
    queueSpare: values.queue_spare,
  });
}

/** Settings that are numbers, with the limits that every policy keeps. */
function readNumbers(settings: JsonObject, fields: FieldRules, usual: Numbers, where: string) {
  const given = readFields(settings, { ...BOUND_FIELDS, ...fields }, where);
  const values: { [name: string]: number } = { min_workers: 1, max_workers: 8, ...usual };
  for (const [name, value] of Object.entries(given)) if (typeof value === 'number') values[name] = value;
  const { min_workers: minWorkers, max_workers: maxWorkers } = values;
  if (minWorkers > maxWorkers)
    throw new InputError(`${where}: min_workers ${minWorkers} must not be above max_workers ${maxWorkers}`);
  return { bounds: { minWorkers, maxWorkers }, values };
}

/**
 * A policy by its name.
 * @param where what the settings are called in messages
 * @throws {InputError} for a name that there is not, and for settings that are wrong
 */
export function policyOf(name: string, settings: JsonValue, where: string): Planner {
  if (!Object.hasOwn(POLICIES, name))
    throw new InputError(
      `planner: no policy ${JSON.stringify(name)}, there are reference, ${Object.keys(POLICIES).join(', ')}, and files such as ./policy.js`,
    );
  if (!(settings instanceof Map))
    throw new InputError(`${where}: expected an object, found ${describeJson(settings)}`);
  return POLICIES[name](settings, where);
}

import { type FieldRules, type FieldValues, readFields } from '../../config/fields.js';
import { InputError } from '../../config/input-error.js';
import { describeJson, type JsonValue } from '../../config/json.js';
import type { Planner, StageView } from '../planner.js';
import { BOUND_FIELDS } from './bounds.js';
import { FixedFleet } from './fixed.js';
import { HorizontalAutoscaler } from './horizontal-autoscaler.js';
import { SaturationAutoscaler } from './saturation.js';

/** A way to scale a fleet, by its name. */
interface PolicyKind {
  readonly fields: FieldRules;
  create(values: Numbers): Planner;
}

type Numbers = { readonly [name: string]: number };

const part = { type: 'float', above: 0, max: 1 } as const;
const seconds = { type: 'float', above: 0 } as const;
const HORIZONTAL_FIELDS = {
  ...BOUND_FIELDS,
  interval_seconds: seconds,
  tolerance: { type: 'float', min: 0 },
  down_window_seconds: { type: 'float', min: 0 },
} as const satisfies FieldRules;

const DEFAULTS: Numbers = { min_workers: 1, max_workers: 8 };

const POLICIES: { readonly [name: string]: PolicyKind } = {
  none: { fields: {}, create: () => new FixedFleet() },
  hpa: horizontal({ type: 'float', above: 0 }, 4, ({ waitingRequests }) => waitingRequests),
  keda: horizontal(part, 0.7, ({ loads }) => loads.reduce((sum, { kvUse }) => sum + kvUse, 0)),
  saturation: {
    fields: {
      ...BOUND_FIELDS,
      interval_seconds: seconds,
      kv_threshold: part,
      queue_threshold: { type: 'float', above: 0 },
      kv_spare: { type: 'float', min: 0, max: 1 },
      queue_spare: { type: 'float', min: 0 },
    },
    create: (given) => {
      const usual = {
        interval_seconds: 30,
        kv_threshold: 0.8,
        queue_threshold: 5,
        kv_spare: 0.1,
        queue_spare: 3,
      };
      const values: Numbers = { ...usual, ...given };
      return new SaturationAutoscaler({
        ...boundsOf(values),
        intervalMs: values.interval_seconds * 1000,
        kvThreshold: values.kv_threshold,
        queueThreshold: values.queue_threshold,
        kvSpare: values.kv_spare,
        queueSpare: values.queue_spare,
      });
    },
  },
};

/** A HorizontalPodAutoscaler over some metric; KEDA hands its metrics to one. */
function horizontal(
  targetRule: FieldRules[string],
  target: number,
  metric: (stage: StageView) => number,
): PolicyKind {
  return {
    fields: { ...HORIZONTAL_FIELDS, target: targetRule },
    create: (given) => {
      const usual = { target, interval_seconds: 15, tolerance: 0.1, down_window_seconds: 300 };
      const values: Numbers = { ...usual, ...given };
      const settings = {
        ...boundsOf(values),
        target: values.target,
        intervalMs: values.interval_seconds * 1000,
        tolerance: values.tolerance,
        downWindowMs: values.down_window_seconds * 1000,
      };
      return new HorizontalAutoscaler(settings, metric);
    },
  };
}

function boundsOf({ min_workers: minWorkers, max_workers: maxWorkers }: Numbers) {
  return { minWorkers, maxWorkers };
}

/** Names of the policies that need no file. */
const POLICY_NAMES: readonly string[] = Object.keys(POLICIES);

/**
 * A policy by its name.
 * @param where what the settings are called in messages
 * @throws {InputError} for a name that there is not, and for settings that are wrong
 */
export function policyOf(name: string, settings: JsonValue, where: string): Planner {
  if (!Object.hasOwn(POLICIES, name))
    throw new InputError(
      `planner: no policy ${JSON.stringify(name)}, there are reference, ${POLICY_NAMES.join(', ')}, and files such as ./policy.js`,
    );
  if (!(settings instanceof Map))
    throw new InputError(`${where}: expected an object, found ${describeJson(settings)}`);
  const { fields, create } = POLICIES[name];
  const values = { ...DEFAULTS, ...numbersOf(readFields(settings, fields, where)) };
  if (values.min_workers > values.max_workers)
    throw new InputError(
      `${where}: min_workers ${values.min_workers} must not be above max_workers ${values.max_workers}`,
    );
  return create(values);
}

function numbersOf(values: FieldValues): Numbers {
  const numbers: { [name: string]: number } = {};
  for (const [name, value] of Object.entries(values)) if (typeof value === 'number') numbers[name] = value;
  return numbers;
}

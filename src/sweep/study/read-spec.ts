import { suggestion } from '../../config/fields.js';
import { JsonNumber, type JsonObject } from '../../config/json.js';
import { SETTINGS } from '../../config/scenario/settings.js';
import type { SpecDocument } from '../document.js';
import { readParameter } from './domain.js';
import { fleetParameter } from './fleet.js';
import { GOAL_KINDS, type Goal } from './goals.js';
import { METRICS } from './metrics.js';
import { readFleet } from './read-fleet.js';
import { Fields } from './reader.js';
import { Space } from './space.js';
import { ALGORITHMS, LOADS, type LoadQuestion, type Prices, type StudySpec } from './spec.js';

const SECTIONS = [
  'base',
  'fleet',
  'search',
  'goals',
  'target',
  'constraints',
  'gpu_hour_price',
  'load',
  'optimizer',
  'windows',
];
const SETTING_KEYS = SETTINGS.map(({ key }) => key);
/** Engine arguments of whatever engines a candidate has. */
const ALL_ENGINES = 'engine_args';
const DEFAULT_TRIALS = 320;
const DEFAULT_SEED = 42;
/** Metrics of a front, where `pareto` names none. */
const FRONT = ['throughput_per_gpu', 'throughput_per_user'];
/** Goals that are also bounds on each request, from which goodput follows. */
const REQUEST_BOUNDS = { ttft_ms: 'sla_ttft_ms', itl_ms: 'sla_itl_ms', e2e_ms: 'sla_e2e_ms' };

/**
 * Reads what a search is asked.
 * @param systemsFolder AI Configurator tables, which fleets are timed by where they have them
 * @throws {InputError} naming file, line and field
 */
export function readStudySpec(document: SpecDocument, systemsFolder: string): StudySpec {
  const root = Fields.of(document, SECTIONS);
  const goals = readGoals(root.inner('goals'));
  const base = readBase(root, goals);
  const search = root.inner('search');
  const checked = (name: string) => (key: string) => checkSetting(key, search, name);
  const parameters = search.names.map((name) => readParameter(search, name, checked(name)));
  if (root.has('fleet')) parameters.unshift(fleetParameter(readFleet(root, systemsFolder)));
  const targets = readTargets(root);
  const prices = readPrices(root);
  if (targets.includes('cost') && prices === 0) root.fail('gpu_hour_price', 'target cost needs it');
  for (const name of targets)
    if (METRICS[name].needsGoals && !Object.values(REQUEST_BOUNDS).some((key) => base.has(key)))
      root.fail('target', `${name} needs goals on ttft_ms, itl_ms or e2e_ms`);
  if (parameters.length === 0 && !root.has('load'))
    root.fail('search', 'nothing to search: fleet and search are missing');
  const constraints = root.inner('constraints', ['min_gpus', 'max_gpus']);
  return {
    base,
    space: new Space(parameters),
    ...{ goals, targets, prices },
    minGpus: constraints.number('min_gpus', 0, { min: 0 }),
    maxGpus: constraints.number('max_gpus', Number.POSITIVE_INFINITY, { min: 0 }),
    load: readLoad(root, goals),
    ...readEffort(root),
  };
}

function readEffort(root: Fields): Pick<StudySpec, 'optimizer' | 'windows'> {
  const optimizer = root.inner('optimizer', ['algorithm', 'max_trials', 'seed', 'stop_hopeless']);
  const windows = root.inner('windows', ['count', 'held_out']);
  return {
    optimizer: {
      algorithm: optimizer.has('algorithm') ? optimizer.choice('algorithm', ALGORITHMS) : undefined,
      maxTrials: optimizer.number('max_trials', DEFAULT_TRIALS, { min: 1, isWhole: true }),
      seed: BigInt(optimizer.number('seed', DEFAULT_SEED, { min: 0, isWhole: true })),
      stopsHopeless: optimizer.boolean('stop_hopeless', true),
    },
    windows: {
      count: windows.number('count', 0, { min: 0, max: 100, isWhole: true }),
      heldOut: windows.number('held_out', 0, { min: 0, max: 0.9 }),
    },
  };
}

/** Settings of the base, with bounds on requests where goals say so and the base does not. */
function readBase(root: Fields, goals: readonly Goal[]): JsonObject {
  const fields = root.inner('base');
  const base: JsonObject = new Map();
  for (const key of fields.names) {
    checkSetting(key, root, 'base');
    base.set(key, fields.value(key));
  }
  for (const [name, key] of Object.entries(REQUEST_BOUNDS)) {
    const goal = goals.find((one) => one.name === name);
    if (goal && !base.has(key)) base.set(key, new JsonNumber(String(goal.bound)));
  }
  return base;
}

function checkSetting(key: string, fields: Fields, where: string): void {
  const [root] = key.split('.');
  if (root === ALL_ENGINES && key !== ALL_ENGINES) return;
  if (!SETTING_KEYS.includes(root))
    fields.fail(where, `${root} is no setting${suggestion(root, [...SETTING_KEYS, ALL_ENGINES])}`);
}

function readGoals(goals: Fields): Goal[] {
  return goals.names.map((name) => {
    if (!GOAL_KINDS.has(name))
      goals.fail(
        name,
        `unknown goal${suggestion(name, [...GOAL_KINDS.keys()])}; known are ${[...GOAL_KINDS.keys()].join(', ')}`,
      );
    const bound = goals.number(name, undefined, { min: 0 });
    if (name === 'attainment' && bound > 1) goals.fail(name, `is a part of all requests, found ${bound}`);
    return { name, bound };
  });
}

function readTargets(root: Fields): string[] {
  const targets = root.value('target');
  if (targets === 'pareto') return FRONT;
  const names = root.list('target', ['throughput']);
  if (names.length > 3) root.fail('target', `one to three metrics, found ${names.length}`);
  const metrics = names.map((name) => root.choiceOf('target', name, Object.keys(METRICS)));
  if (new Set(metrics).size < metrics.length) root.fail('target', 'names a metric twice');
  return metrics;
}

function readPrices(root: Fields): Prices {
  if (!(root.value('gpu_hour_price') instanceof Map)) return root.number('gpu_hour_price', 0, { min: 0 });
  const prices = root.inner('gpu_hour_price');
  return new Map(prices.names.map((gpu) => [gpu, prices.number(gpu, undefined, { min: 0 })]));
}

function readLoad(root: Fields, goals: readonly Goal[]): LoadQuestion | undefined {
  if (!root.has('load')) return undefined;
  const load = root.inner('load', LOADS);
  const [setting] = LOADS.filter((name) => load.has(name));
  if (setting === undefined || load.names.length !== 1)
    root.fail('load', `expected one of ${LOADS.join(', ')}`);
  if (goals.length === 0) root.fail('load', 'the highest load that keeps the goals needs goals');
  const bounds = load.inner(setting, ['min', 'max']);
  const isWhole = setting === 'replay_concurrency';
  const min = bounds.number('min', isWhole ? 1 : 0.01, { min: isWhole ? 1 : Number.MIN_VALUE, isWhole });
  const max = bounds.number('max', undefined, { min, isWhole });
  return { setting, min, max };
}

/** Whether a document is a study, going by its sections. */
export function isStudy({ root }: SpecDocument): boolean {
  return root instanceof Map && [...root.keys()].some((key) => ['base', 'fleet', 'search'].includes(key));
}

import { InputError } from '../../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import { readScenario, setAt } from '../../setup/scenario.js';
import type { Point } from './space.js';
import type { StudySpec } from './spec.js';

const ENGINES = ['extra_engine_args', 'prefill_engine_args', 'decode_engine_args'];
const ALL_ENGINES = 'engine_args';
const ROUTER = 'router_config';

/** A deployment that a search may evaluate. */
export interface Candidate {
  point: Point;
  /** The chosen values by parameter, as tables name them. */
  labels: Readonly<Record<string, string>>;
  settings: JsonObject;
  /** GPUs of its fleet as it starts; 0 where its settings are wrong. */
  gpus: number;
  /** The kind of its GPUs, where its timing tells. */
  gpu: string | undefined;
  /** Why it cannot be run. */
  problem: string | undefined;
}

/** The deployment of a point of the space; settings that do not fit together are told and not thrown. */
export function candidateOf(spec: StudySpec, point: Point): Candidate {
  const { space, minGpus, maxGpus, load } = spec;
  const labels = space.labelsOf(point);
  const settings: JsonObject = new Map(spec.base);
  try {
    for (const { changes } of space.optionsOf(point))
      for (const [key, value] of changes) change(settings, key, value);
    if (settings.get('router_mode') !== 'kv_router' && !spec.base.has(ROUTER)) settings.delete(ROUTER);
    const tried = load ? withLoad(settings, load.setting, load.min) : settings;
    const scenario = readScenario(tried, 'candidate');
    const gpus = gpusOf(scenario);
    const problem =
      gpus > maxGpus || gpus < minGpus
        ? `${gpus} GPUs, which is ${gpus > maxGpus ? `more than the ${maxGpus}` : `less than the ${minGpus}`} of the constraints`
        : undefined;
    return { point, labels, settings, gpus, gpu: gpuName(scenario), problem };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const problem = error.message.replace(/^candidate: /, '');
    return { point, labels, settings, gpus: 0, gpu: undefined, problem };
  }
}

/** Settings with a load; other ways to say how many requests come are taken away. */
export function withLoad(settings: JsonObject, setting: string, value: number): JsonObject {
  const json: JsonObject = new Map(settings);
  if (setting !== 'arrival_speedup_ratio')
    for (const other of ['request_rate', 'replay_concurrency', 'arrival_interval_ms']) json.delete(other);
  return json.set(setting, new JsonNumber(String(value)));
}

/**
 * Sets a value. `engine_args` are those of all engines that there are; arguments of a kind of engine that the candidate does
 * not have are no matter.
 */
function change(settings: JsonObject, key: string, value: JsonValue): void {
  const [root] = key.split('.');
  const isSplit = settings.has('prefill_engine_args') || settings.has('decode_engine_args');
  const own = isSplit ? ENGINES.slice(1) : ENGINES.slice(0, 1);
  if (root === ALL_ENGINES)
    for (const engine of own) setAt(settings, `${engine}${key.slice(root.length)}`, value, 'candidate');
  else if (key === root || !ENGINES.includes(root) || own.includes(root))
    setAt(settings, key, value, 'candidate');
}

function gpusOf({ stages }: Scenario): number {
  return stages.reduce((sum, { engine, workers }) => sum + workers * engine.tensorParallel * engine.ranks, 0);
}

function gpuName({ stages: [{ engine }] }: Scenario): string | undefined {
  return engine.timing?.type === 'roofline' ? engine.timing.gpu : engine.aic?.system;
}

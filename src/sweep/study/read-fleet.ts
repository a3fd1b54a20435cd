import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject, JsonValue } from '../../config/json.js';
import { DEFAULT_VERSIONS } from '../../timing/aic/versions.js';
import type { EngineChoice, FleetSpec, Parallelism, Topology } from './fleet.js';
import type { Fields } from './reader.js';

const FIELDS = [
  'model',
  'gpu',
  'backend',
  'backend_version',
  'timing',
  'min_gpus',
  'max_gpus',
  'topologies',
  'tensor_parallel',
  'parallelism',
  'engine_args',
];
const SPREADS = ['tensor', 'attention_data', 'moe_tensor', 'moe_expert'];
const TOPOLOGIES: readonly Topology[] = ['aggregated', 'disaggregated'];
const MOST_GPUS = 1024;

/** Reads the fleet that is to be sized. @throws {InputError} */
export function readFleet(root: Fields, systemsFolder: string): FleetSpec {
  const fleet = root.inner('fleet', FIELDS);
  const maxGpus = fleet.number('max_gpus', undefined, { min: 1, max: MOST_GPUS, isWhole: true });
  const args = fleet.inner('engine_args');
  const engineArgs: JsonObject = new Map(args.names.map((name) => [name, args.value(name)]));
  return {
    engines: readEngines(fleet, systemsFolder),
    minGpus: fleet.number('min_gpus', 1, { min: 1, max: maxGpus, isWhole: true }),
    maxGpus,
    topologies: fleet
      .list('topologies', TOPOLOGIES)
      .map((one) => fleet.choiceOf('topologies', one, TOPOLOGIES)),
    parallelisms: readParallelisms(fleet).filter(
      ({ tensor, attentionData }) => tensor * attentionData <= maxGpus,
    ),
    engineArgs,
  };
}

/** Models on GPUs with backends: all combinations of what is listed. */
function readEngines(fleet: Fields, systemsFolder: string): EngineChoice[] {
  const backends = Object.keys(DEFAULT_VERSIONS);
  const texts = (name: string, missing: readonly JsonValue[]) =>
    fleet
      .list(name, missing)
      .map((one) => (typeof one === 'string' ? one : fleet.fail(name, 'expected names')));
  if (!fleet.has('model')) fleet.fail('model', 'is missing');
  if (!fleet.has('gpu')) fleet.fail('gpu', 'is missing');
  return texts('model', []).flatMap((model) =>
    texts('gpu', []).flatMap((gpu) =>
      texts('backend', ['vllm']).map((name): EngineChoice => {
        const backend = fleet.choiceOf('backend', name, backends);
        const hasTables = existsSync(join(systemsFolder, `${gpu}.yaml`));
        return {
          ...{ model, gpu, backend },
          backendVersion: fleet.text('backend_version', DEFAULT_VERSIONS[backend]),
          timing: fleet.choice('timing', ['aic', 'roofline'], hasTables ? 'aic' : 'roofline'),
        };
      }),
    ),
  );
}

function readParallelisms(fleet: Fields): Parallelism[] {
  const range = { min: 1, max: MOST_GPUS, isWhole: true };
  if (fleet.has('parallelism')) {
    if (fleet.has('tensor_parallel')) fleet.fail('parallelism', 'cannot be combined with tensor_parallel');
    return fleet.objects('parallelism', SPREADS).map((one) => ({
      tensor: one.number('tensor', 1, range),
      attentionData: one.number('attention_data', 1, range),
      moeTensor: one.has('moe_tensor') ? one.number('moe_tensor', 1, range) : undefined,
      moeExpert: one.has('moe_expert') ? one.number('moe_expert', 1, range) : undefined,
    }));
  }
  const sizes = fleet.has('tensor_parallel')
    ? fleet.list('tensor_parallel', []).map((size) => fleet.numberOf('tensor_parallel', size, range))
    : [1, 2, 4, 8];
  return sizes.map((tensor) => ({ tensor, attentionData: 1, moeTensor: undefined, moeExpert: undefined }));
}

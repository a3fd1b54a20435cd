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
  'prefill_parallelism',
  'decode_parallelism',
  'engine_args',
];
const SPREADS = ['replicas', 'tensor', 'attention_data', 'moe_tensor', 'moe_expert'];
const TOPOLOGIES: readonly Topology[] = ['aggregated', 'disaggregated'];
const MOST_GPUS = 1024;
const COUNT = { min: 1, max: MOST_GPUS, isWhole: true };

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
    parallelisms: readParallelisms(fleet, maxGpus),
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

/** How workers of each kind may be spread: those of prefill and decode as all are, where nothing else is said. */
function readParallelisms(fleet: Fields, maxGpus: number): FleetSpec['parallelisms'] {
  const all = readSpreads(fleet, 'parallelism') ?? readSizes(fleet);
  if (fleet.has('parallelism') && fleet.has('tensor_parallel'))
    fleet.fail('parallelism', 'cannot be combined with tensor_parallel');
  const fitting = (spreads: readonly Parallelism[]) =>
    spreads.filter(({ tensor, attentionData }) => tensor * attentionData <= maxGpus);
  return {
    aggregated: fitting(all),
    prefill: fitting(readSpreads(fleet, 'prefill_parallelism') ?? all),
    decode: fitting(readSpreads(fleet, 'decode_parallelism') ?? all),
  };
}

function readSpreads(fleet: Fields, name: string): Parallelism[] | undefined {
  if (!fleet.has(name)) return undefined;
  return fleet.objects(name, SPREADS).map((one) => {
    const count = (field: string) => (one.has(field) ? one.number(field, 1, COUNT) : undefined);
    return {
      tensor: count('tensor') ?? 1,
      attentionData: count('attention_data') ?? 1,
      moeTensor: count('moe_tensor'),
      moeExpert: count('moe_expert'),
      workers: count('replicas'),
    };
  });
}

function readSizes(fleet: Fields): Parallelism[] {
  const sizes = fleet.has('tensor_parallel')
    ? fleet.list('tensor_parallel', []).map((size) => fleet.numberOf('tensor_parallel', size, COUNT))
    : [1, 2, 4, 8];
  return sizes.map((tensor) => ({
    tensor,
    attentionData: 1,
    moeTensor: undefined,
    moeExpert: undefined,
    workers: undefined,
  }));
}

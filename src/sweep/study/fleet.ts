import { JsonNumber, type JsonObject, type JsonValue } from '../../config/json.js';
import type { Option, Parameter } from './space.js';

/** How a model is spread over the GPUs of a worker; counts. */
export interface Parallelism {
  tensor: number;
  attentionData: number;
  /** Of experts; undefined for models without, and where the timing says. */
  moeTensor: number | undefined;
  moeExpert: number | undefined;
  /** The number of workers; undefined for any that fits. */
  workers: number | undefined;
}

/** What runs on the GPUs, and what its passes are timed by. */
export interface EngineChoice {
  model: string;
  backend: string;
  backendVersion: string;
  gpu: string;
  timing: 'aic' | 'roofline';
}

export type Topology = 'aggregated' | 'disaggregated';

/** A fleet to be sized. */
export interface FleetSpec {
  engines: readonly EngineChoice[];
  minGpus: number;
  maxGpus: number;
  topologies: readonly Topology[];
  /** By kind of worker. */
  parallelisms: Readonly<Record<CellStage['kind'], readonly Parallelism[]>>;
  /** What all engines have in common. */
  engineArgs: JsonObject;
}

interface CellStage {
  kind: 'aggregated' | 'prefill' | 'decode';
  parallelism: Parallelism;
  workers: number;
}

/** A fleet: workers of one kind, or of prefill and decode. */
interface Cell {
  gpus: number;
  stages: readonly CellStage[];
}

/** GPUs of one worker. */
function gpusOf({ tensor, attentionData }: Parallelism): number {
  return tensor * attentionData;
}

/** All fleets within the budget, as one parameter of a search. */
export function fleetParameter(fleet: FleetSpec): Parameter {
  const cells = cellsOf(fleet);
  const isOneEngine = fleet.engines.length === 1;
  const options = fleet.engines.flatMap((engine) =>
    cells.map(
      (cell): Option => ({
        label: isOneEngine
          ? labelOf(cell)
          : `${labelOf(cell)} of ${engine.model} on ${engine.gpu} (${engine.backend})`,
        changes: changesOf(fleet, engine, cell),
        rank: cell.gpus,
      }),
    ),
  );
  return { name: 'fleet', isOrdered: false, options };
}

function cellsOf({ parallelisms, minGpus, maxGpus, topologies }: FleetSpec): Cell[] {
  const cells: Cell[] = [];
  const counts = (gpus: number, parallelism: Parallelism) => {
    const most = Math.floor(gpus / gpusOf(parallelism));
    const { workers } = parallelism;
    if (workers !== undefined) return workers <= most ? [workers] : [];
    return Array.from({ length: most }, (_, index) => index + 1);
  };
  const add = (...stages: CellStage[]) => {
    const gpus = stages.reduce((sum, { parallelism, workers }) => sum + workers * gpusOf(parallelism), 0);
    if (gpus >= minGpus) cells.push({ gpus, stages });
  };
  if (topologies.includes('aggregated'))
    for (const parallelism of parallelisms.aggregated)
      for (const workers of counts(maxGpus, parallelism)) add({ kind: 'aggregated', parallelism, workers });
  if (topologies.includes('disaggregated'))
    for (const prefill of parallelisms.prefill)
      for (const prefills of counts(maxGpus, prefill))
        for (const decode of parallelisms.decode)
          for (const decodes of counts(maxGpus - prefills * gpusOf(prefill), decode))
            add(
              { kind: 'prefill', parallelism: prefill, workers: prefills },
              { kind: 'decode', parallelism: decode, workers: decodes },
            );
  return cells;
}

function labelOf({ stages }: Cell): string {
  return stages
    .map(({ kind, parallelism, workers }) => {
      const { tensor, attentionData, moeExpert } = parallelism;
      const spread = [
        `TP${tensor}`,
        ...(attentionData > 1 ? [`DP${attentionData}`] : []),
        ...(moeExpert !== undefined && moeExpert > 1 ? [`EP${moeExpert}`] : []),
      ].join('');
      return `${workers} x ${spread}${kind === 'aggregated' ? '' : ` ${kind}`}`;
    })
    .join(' + ');
}

function changesOf(fleet: FleetSpec, engine: EngineChoice, { stages }: Cell): Map<string, JsonValue> {
  const changes = new Map<string, JsonValue>();
  for (const { kind, parallelism, workers } of stages) {
    const isOne = kind === 'aggregated';
    const args: JsonObject = new Map([...engineArgs(engine, parallelism), ...fleet.engineArgs]);
    if (!isOne) args.set('worker_type', kind);
    changes.set(isOne ? 'extra_engine_args' : `${kind}_engine_args`, args);
    changes.set(isOne ? 'num_workers' : `num_${kind}_workers`, whole(workers));
  }
  return changes;
}

function engineArgs(engine: EngineChoice, parallelism: Parallelism): JsonObject {
  const { model, gpu, backend, backendVersion, timing } = engine;
  const { tensor, attentionData, moeTensor, moeExpert } = parallelism;
  const args: JsonObject = new Map<string, JsonValue>([
    ['engine_type', backend],
    ['aic_tp_size', whole(tensor)],
  ]);
  const add = (to: JsonObject, key: string, count: number | undefined) => {
    if (count !== undefined && count !== 1) to.set(key, whole(count));
  };
  add(args, 'dp_size', attentionData);
  if (timing === 'roofline') {
    const formula: JsonObject = new Map<string, JsonValue>([
      ['type', 'roofline'],
      ['gpu', gpu],
      ['model', model],
      ['tp', whole(tensor)],
    ]);
    add(formula, 'moe_tp', moeTensor);
    add(formula, 'ep', moeExpert);
    args.set('timing', formula);
    return args;
  }
  args.set('aic_backend', backend);
  args.set('aic_backend_version', backendVersion);
  args.set('aic_system', gpu);
  args.set('aic_model_path', model);
  add(args, 'aic_attention_dp_size', attentionData);
  add(args, 'aic_moe_tp_size', moeTensor);
  add(args, 'aic_moe_ep_size', moeExpert);
  return args;
}

function whole(count: number): JsonNumber {
  return new JsonNumber(String(count));
}

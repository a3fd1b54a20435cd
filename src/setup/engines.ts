import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineArgs } from '../config/engine-type.js';
import { InputError } from '../config/input-error.js';
import type { RouterSettings } from '../config/router-config.js';
import { readRouterPolicy } from '../config/router-policy.js';
import type { Liberties } from '../config/scenario/liberties.js';
import type { Scenario } from '../config/scenario/scenario.js';
import type { AicArgs, TimingArgs } from '../config/timing-args.js';
import type { EngineKind } from '../engine/kind.js';
import type { PrefillEstimator } from '../router/prefill-load.js';
import type { Routing } from '../router/router.js';
import { AicError } from '../timing/aic/aic-error.js';
import { kvValuesPerToken } from '../timing/aic/model.js';
import { aicModel, openEstimator } from '../timing/aic/open.js';
import { formatCost } from '../timing/aic/quant.js';
import { cacheFolder } from '../timing/aic/store.js';
import { DEFAULT_VERSIONS } from '../timing/aic/versions.js';
import { fittedTiming } from '../timing/fitted.js';
import { GridTiming } from '../timing/grid.js';
import { readTable } from '../timing/read-table.js';
import { RememberedTiming } from '../timing/remembered.js';
import { type CapacityQuestion, rooflineBlocks, rooflineKvBytes } from '../timing/roofline/capacity.js';
import { filledOptions, isKnownByNameAlone, type Substitution } from '../timing/roofline/filled.js';
import { rooflineOptions } from '../timing/roofline/open.js';
import { RooflineTiming } from '../timing/roofline/roofline.js';
import { fixedTiming, polynomialTiming, type TimingModel } from '../timing/timing-model.js';
import type { Shelf } from '../workload/shelf.js';
import { ENGINES, kindOf, ROUTERS } from './kinds.js';
import { tableTiming } from './table-timing.js';

/** An engine whose KV pool has its size, and its timing model. */
interface Stage {
  kind: EngineKind;
  args: EngineArgs;
  timing: TimingModel;
  /** What was used where tables have no row, so far; undefined where nothing is. */
  substitutions?: (() => Substitution[]) | undefined;
}

type TimedEngine = Omit<Stage, 'kind'>;

export interface ResolvedEngines {
  /** The engine of the fleet, or those of prefill and decode. */
  stages: readonly Stage[];
  routing: Routing;
}

const BACKENDS = ['trtllm', 'sglang', 'vllm'];

/** Loads timing models, and sizes KV pools by what the GPUs hold. @throws {InputError} for what is not there */
export function resolveEngines(scenario: Scenario, warnings: string[], shelf?: Shelf): ResolvedEngines {
  const engines = scenario.stages.map(({ engine }) => engine);
  const folder = systemsFolder(scenario.aicSystems);
  const stages = engines
    .map((engine) => ({
      kind: kindOf(ENGINES, engine.type.name),
      ...resolveEngine(engine, { folder, liberties: scenario.liberties, shelf }, warnings),
    }))
    .map((stage) => (scenario.kvOffload ? withTiers(stage, folder) : stage));
  if (!scenario.kvOffload && engines.some(({ offload }) => offload.g2Blocks > 0))
    warnings.push(
      'num_g2_blocks only changes the pool, as in the reference; --kv-offload simulates the tiers',
    );
  return { stages, routing: routingOf(scenario, folder) };
}

function routingOf({ router }: Scenario, folder: string): Routing {
  const { mode, settings, modelName, seed, estimate, eventLagMs } = router;
  return {
    kind: kindOf(ROUTERS, mode),
    settings: withPolicy(settings, modelName),
    ...{ seed, eventLagMs },
    estimator: estimate && routerEstimator(estimate, folder),
  };
}

/** Settings with the policy classes of the file that they name. @throws {InputError} */
export function withPolicy(settings: RouterSettings, modelName: string | undefined): RouterSettings {
  const { policyPath } = settings;
  if (policyPath === undefined) return settings;
  return { ...settings, policy: readRouterPolicy(policyText(policyPath), policyPath, modelName) };
}

function policyText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new InputError(`--router-policy-config: cannot read ${path}`);
  }
}

/** Folder of the tables: as given, from the environment, or where `dynosim timing install` puts them. */
export function systemsFolder(given: string | undefined): string {
  return given ?? process.env.DYNOSIM_AIC_SYSTEMS ?? join(cacheFolder(), 'aiconfigurator', 'systems');
}

/** Where timing models come from. */
interface Sources {
  /** Of AI Configurator's tables. */
  folder: string;
  liberties: Liberties;
  /** With those that other runs have made. */
  shelf: Shelf | undefined;
}

function resolveEngine(
  engine: EngineArgs,
  { folder, liberties: { fillsTables, takesAnyValue }, shelf }: Sources,
  warnings: string[],
): TimedEngine {
  const { aic, timing } = engine;
  if (timing?.type === 'roofline') return rooflineStage(engine, timing, folder, shelf);
  if (timing?.type === 'table') return { args: engine, timing: new RememberedTiming(readTable(timing.path)) };
  if (timing?.type === 'fixed')
    return { args: engine, timing: fixedTiming(timing.prefillMs, timing.decodeMs) };
  if (timing?.type === 'fitted') return { args: engine, timing: fittedTiming(timing) };
  if (!aic) return { args: engine, timing: gridTiming(engine.timingGridPath, takesAnyValue, warnings) };
  const args = engine.estimatesBlocks
    ? {
        ...engine,
        gpuBlocks: kept(shelf, ['blocks', folder, aic, engine.maxSequences, fillsTables], () =>
          tableBlocks(engine, aic, folder, fillsTables),
        ),
      }
    : engine;
  const question = checked(aic);
  const { kvFraction, blockTokens, maxBatchedTokens, ...asked } = question;
  const timed = kept(shelf, ['aic', folder, asked, fillsTables], () => {
    const told: string[] = [];
    return { ...tableTiming(folder, question, fillsTables, told), told };
  });
  warnings.push(...timed.told);
  return { args, timing: timed.timing, substitutions: timed.substitutions };
}

/** What is kept under a key, or is made now. */
function kept<T>(shelf: Shelf | undefined, key: unknown, make: () => T): T {
  if (!shelf) return make();
  const text = JSON.stringify(key);
  return shelf.get<T>(text) ?? shelf.put(text, make());
}

/** KV blocks by the estimate that goes with tables; by ours for models that only we know, where that is allowed. */
function tableBlocks(engine: EngineArgs, aic: AicArgs, folder: string, fills: boolean): number {
  const { modelPath, kvFraction, version } = aic;
  if (!fills || modelPath === undefined || !isKnownByNameAlone(folder, modelPath))
    return capacity(aic, folder);
  return rooflineBlocks(filledOptions(folder, checked(aic)), capacityQuestion(engine, kvFraction, version));
}

/** An engine with its lower cache tiers, whose transfers need the size of a block. */
function withTiers(stage: Stage, folder: string): Stage {
  const { args } = stage;
  const bytesPerToken = args.transfer.bytesPerToken ?? kvBytesPerToken(args, folder);
  if (bytesPerToken === undefined || bytesPerToken === 0)
    throw new InputError(
      '--kv-offload needs kv_bytes_per_token (or aic_model_path, or roofline timing) to size transfers',
    );
  const offload = { ...args.offload, blockBytes: bytesPerToken * args.blockTokens };
  return { ...stage, args: { ...args, offload } };
}

/** KV bytes of a token on one rank, where the engine names a model. */
function kvBytesPerToken({ aic, timing }: EngineArgs, folder: string): number | undefined {
  if (timing?.type === 'roofline') return rooflineKvBytes(rooflineOptions(timing, folder));
  if (aic?.modelPath === undefined) return undefined;
  const version = aic.version ?? DEFAULT_VERSIONS[aic.backend];
  const { model, quant, parallel } = aicModel(folder, {
    ...aic,
    modelPath: aic.modelPath,
    version,
    draftTokens: 0,
  }).options;
  return formatCost('kvcache', quant.kvcache)!.bytes * kvValuesPerToken(model, parallel.tensor);
}

function rooflineStage(
  engine: EngineArgs,
  timing: Extract<TimingArgs, { type: 'roofline' }>,
  folder: string,
  shelf: Shelf | undefined,
): TimedEngine {
  const question = ['roofline', folder, engine.type.name, timing];
  const { options, model } = kept(shelf, question, () => {
    const found = rooflineOptions(timing, folder, engine.type.name);
    return { options: found, model: new RooflineTiming({ ...found, isFused: timing.isFused }) };
  });
  const asked = capacityQuestion(engine, timing.memoryShare, timing.engineVersion);
  const gpuBlocks = engine.estimatesBlocks
    ? kept(shelf, [...question, asked], () => rooflineBlocks(options, asked))
    : engine.gpuBlocks;
  return { args: { ...engine, gpuBlocks }, timing: model };
}

function capacityQuestion(
  { blockTokens, maxBatchedTokens, maxSequences }: EngineArgs,
  memoryShare: number | undefined,
  engineVersion: string | undefined,
): CapacityQuestion {
  return { blockTokens, maxBatchedTokens, maxSequences, memoryShare, engineVersion };
}

/** KV blocks of one rank by what the GPU holds. */
function capacity(aic: AicArgs, folder: string): number {
  if (!BACKENDS.includes(aic.backend))
    throw new AicError(
      `aic_backend: the capacity estimate does not support ${aic.backend}, only ${BACKENDS.join(', ')}; set num_gpu_blocks`,
    );
  if (aic.modelPath === undefined)
    throw new AicError('aic_model_path: needed to estimate num_gpu_blocks; give one of the two');
  const version = aic.version ?? DEFAULT_VERSIONS[aic.backend];
  const model = aicModel(folder, { ...aic, modelPath: aic.modelPath, version, draftTokens: 0 });
  return model.capacity(aic.maxBatchedTokens, aic.kvFraction, aic.blockTokens).blocks;
}

function checked(aic: AicArgs): AicArgs & { modelPath: string; version: string } {
  const { backend, modelPath, version } = aic;
  if (!BACKENDS.includes(backend))
    throw new AicError(`aic_backend: expected ${BACKENDS.join(', ')}, found ${backend}`);
  if (modelPath === undefined) throw new AicError('aic_model_path: needed for timing from AI Configurator');
  if (version === undefined)
    throw new AicError(
      `aic_backend_version: needed for timing from AI Configurator, for example ${DEFAULT_VERSIONS[backend]}`,
    );
  return { ...aic, modelPath, version };
}

function routerEstimator(aic: AicArgs, folder: string): PrefillEstimator {
  const estimator = openEstimator(folder, checked(aic));
  return (newTokens, cachedTokens) => {
    try {
      return estimator.prefillMs(1, newTokens + cachedTokens, cachedTokens);
    } catch (error) {
      if (error instanceof AicError) return undefined;
      throw error;
    }
  };
}

/** Timing from a measured grid, or the default; like the reference, a grid that cannot be used gives way to it. */
function gridTiming(path: string | undefined, mayFail: boolean, warnings: string[]): TimingModel {
  if (path === undefined) return polynomialTiming;
  if (!path.endsWith('.npz'))
    throw new InputError(
      `planner_profile_data: ${path} is not an .npz timing grid (folders of a profiler are not read)`,
    );
  try {
    return GridTiming.load(path);
  } catch (error) {
    if (!mayFail)
      throw new InputError(`planner_profile_data ${path} cannot be used: ${(error as Error).message}`);
    warnings.push(
      `planner_profile_data ${path} cannot be used, default timing is: ${(error as Error).message}`,
    );
    return polynomialTiming;
  }
}

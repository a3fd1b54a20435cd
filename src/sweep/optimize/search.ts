import { InputError } from '../../config/input-error.js';
import { optionsJson, type ReplayOptions } from '../../config/scenario/options.js';
import { type Evaluator, jobOf } from '../job.js';
import { descend } from './descent.js';
import { aggregatedOptions, recordOf, splitOptions } from './evaluation.js';
import { bestInfeasible, bestOf, feasibleOrder, type SweepRecord } from './ranking.js';
import type { OptimizeSpec } from './spec.js';
import { AggregatedSpace, type RouterState, routerStates, SplitSpace, type StateSpace } from './states.js';

/** Tables of a search; positions are those of `evaluated`. */
export interface SearchTables {
  /** All records in the order in which their states were visited. */
  evaluated: SweepRecord[];
  /** Positions of the feasible ones, best first. */
  feasible: number[];
  bestFeasible: number | null;
  /** The one that misses the goals least. */
  bestInfeasible: number | null;
}

export interface Comparison {
  agg: SearchTables;
  disagg: SearchTables;
  /** The better of the two answers, and of which fleet it is. */
  chosen: SweepRecord | null;
  chosenMode: 'agg' | 'disagg' | null;
}

export interface SearchSettings {
  evaluator: Evaluator;
  /** Version of the timing tables. */
  version: string;
  /** Folder of those tables, where it is not the usual one. */
  aicSystems?: string | undefined;
  /** Told of every record as soon as it is there. */
  onRecord?: ((record: SweepRecord) => void) | undefined;
}

/** Searches fleets of workers that do everything. @throws {InputError} when the spec does not hold for them */
export async function searchAggregated(spec: OptimizeSpec, settings: SearchSettings): Promise<SearchTables> {
  if (spec.engine.baseEngineArgs === null)
    throw new InputError('engine.baseEngineArgs: needed for an aggregated search');
  const routers = routerStates(spec.router);
  const space = new AggregatedSpace(spec.hardware.gpuSku, spec.hardware.totalGpus, routers);
  return search(spec, space, routers, settings, (state) => aggregatedOptions(spec, settings.version, state));
}

/** Searches fleets of prefill and decode workers. @throws {InputError} when the spec does not hold for them */
export async function searchSplit(spec: OptimizeSpec, settings: SearchSettings): Promise<SearchTables> {
  const { basePrefillEngineArgs, baseDecodeEngineArgs } = spec.engine;
  if (basePrefillEngineArgs === null || baseDecodeEngineArgs === null)
    throw new InputError(
      'engine: a disaggregated search needs both basePrefillEngineArgs and baseDecodeEngineArgs',
    );
  if (spec.hardware.totalGpus < 2)
    throw new InputError(
      `hardware.totalGpus: a disaggregated search needs at least 2, found ${spec.hardware.totalGpus}`,
    );
  const routers = routerStates(spec.router);
  const space = new SplitSpace(spec.hardware.gpuSku, spec.hardware.totalGpus, routers);
  return search(spec, space, routers, settings, (state) => splitOptions(spec, settings.version, state));
}

/** Both searches, and the better of their answers; an aggregated fleet where they are equal. */
export async function searchBoth(spec: OptimizeSpec, settings: SearchSettings): Promise<Comparison> {
  const agg = await searchAggregated(spec, settings);
  const disagg = await searchSplit(spec, settings);
  return compared(agg, disagg);
}

function compared(agg: SearchTables, disagg: SearchTables): Comparison {
  const pick = (which: 'bestFeasible' | 'bestInfeasible') =>
    [agg, disagg].flatMap((tables) => {
      const at = tables[which];
      return at === null ? [] : [tables.evaluated[at]];
    });
  const feasible = pick('bestFeasible');
  const candidates = feasible.length > 0 ? feasible : pick('bestInfeasible');
  const chosen = candidates[bestOf(candidates)] ?? null;
  return { agg, disagg, chosen, chosenMode: chosen === null ? null : 'tp' in chosen ? 'agg' : 'disagg' };
}

async function search<State extends { router: RouterState }>(
  spec: OptimizeSpec,
  space: StateSpace<State>,
  routers: readonly RouterState[],
  { evaluator, onRecord, aicSystems }: SearchSettings,
  optionsOf: (state: State) => ReplayOptions,
): Promise<SearchTables> {
  let failed: string | undefined;
  let isAnyRun = false;
  const records = await descend(space, routers[0], async (states) => {
    const toRecord = (index: number, outcome: Parameters<typeof recordOf>[3]) =>
      recordOf(spec, space, states[index], outcome);
    const outcomes = await Promise.all(
      states.map(async (state, index) => {
        const outcome = await evaluator.run(jobOf(optionsJson({ ...optionsOf(state), aicSystems })));
        onRecord?.(toRecord(index, outcome));
        return outcome;
      }),
    );
    for (const outcome of outcomes)
      if ('metrics' in outcome) isAnyRun = true;
      else if (outcome.isInput) failed ??= outcome.failure;
    if (!isAnyRun && failed !== undefined) throw new InputError(failed);
    return outcomes.map((outcome, index) => toRecord(index, outcome));
  });
  return tablesOf(records);
}

function tablesOf(evaluated: SweepRecord[]): SearchTables {
  const feasible = feasibleOrder(evaluated);
  return {
    evaluated,
    feasible,
    bestFeasible: feasible[0] ?? null,
    bestInfeasible: bestInfeasible(evaluated) ?? null,
  };
}

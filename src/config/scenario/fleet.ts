import { readEngineArgs } from '../engine-args.js';
import type { EngineArgs, EngineType } from '../engine-type.js';
import { InputError } from '../input-error.js';
import type { JsonValue } from '../json.js';
import type { Liberties } from './liberties.js';
import type { Names } from './names.js';
import type { Scenario, StageSpec } from './scenario.js';
import type { Values } from './setting.js';
import type { FLEET } from './settings.js';

interface Reading {
  engines: readonly EngineType[];
  liberties: Liberties;
  names: Names;
}

/** Reads the engines of a fleet. @param timing of those that name none @throws {InputError} */
export function readStages(
  fleet: Values<typeof FLEET>,
  timing: JsonValue | undefined,
  reading: Reading,
): StageSpec[] {
  const { names } = reading;
  checkTopology(fleet, names);
  const read = (json: JsonValue, key: string) => readEngine(json, timing, key, reading);
  const { prefillEngineArgs: prefill, decodeEngineArgs: decode } = fleet;
  if (prefill === undefined || decode === undefined) {
    const engine = read(fleet.extraEngineArgs ?? new Map(), 'extra_engine_args');
    return [{ name: '', engine, workers: fleet.numWorkers }];
  }
  const stages: StageSpec[] = [
    { name: 'prefill', engine: read(prefill, 'prefill_engine_args'), workers: fleet.numPrefillWorkers },
    { name: 'decode', engine: read(decode, 'decode_engine_args'), workers: fleet.numDecodeWorkers },
  ];
  return stages;
}

function readEngine(
  json: JsonValue,
  timing: JsonValue | undefined,
  key: string,
  { engines, liberties, names }: Reading,
): EngineArgs {
  const shared = timing === undefined ? undefined : { json: timing, where: names.of('timing') };
  const engine = readEngineArgs(json, names.of(key), { types: engines, liberties, timing: shared });
  if (liberties.transfersAtOnce && engine.transfer.gigabytesPerSecond === 0)
    engine.transfer.gigabytesPerSecond = undefined;
  return engine;
}

function checkTopology(fleet: Values<typeof FLEET>, names: Names): void {
  const { extraEngineArgs, prefillEngineArgs, decodeEngineArgs } = fleet;
  const { numWorkers, numPrefillWorkers, numDecodeWorkers } = fleet;
  const [extra, prefill, decode] = ['extra_engine_args', 'prefill_engine_args', 'decode_engine_args'].map(
    names.short,
  );
  const [workers, ofPrefill, ofDecode] = ['num_workers', 'num_prefill_workers', 'num_decode_workers'].map(
    names.short,
  );
  const isSplit = prefillEngineArgs !== undefined || decodeEngineArgs !== undefined;
  if (isSplit && extraEngineArgs !== undefined)
    throw new InputError(`${extra} cannot be combined with ${prefill} or ${decode}`);
  if (isSplit && (prefillEngineArgs === undefined || decodeEngineArgs === undefined))
    throw new InputError(`${prefill} and ${decode} must be given together`);
  if (isSplit && numWorkers !== 1)
    throw new InputError(`${workers} is for aggregated fleets; use ${ofPrefill} and ${ofDecode}`);
  if (!isSplit && (numPrefillWorkers !== 1 || numDecodeWorkers !== 1))
    throw new InputError(`${ofPrefill} and ${ofDecode} need a disaggregated fleet; use ${workers}`);
}

/** Looks for what does not go together in a fleet. @throws {InputError} */
export function checkFleet(scenario: Scenario, names: Names): void {
  checkOffload(scenario, names);
  if (scenario.stages.length > 1) checkSplit(scenario, names);
  else checkAggregated(scenario, names);
  checkBypass(scenario);
}

function checkOffload({ kvOffload, stages }: Scenario, names: Names): void {
  if (!kvOffload) return;
  const refuse = (problem: string): never => {
    throw new InputError(`${names.short('kv_offload')} ${problem}`);
  };
  const [{ engine }] = stages;
  if (stages.length > 1) refuse('is for aggregated fleets');
  if (!engine.type.traits.hasTiers) refuse(`does not support engine_type=${engine.type.name}`);
  if (engine.offload.g2Blocks === 0) refuse(`needs num_g2_blocks in ${names.short('extra_engine_args')}`);
  if (!engine.prefixCaching) refuse('needs enable_prefix_caching=true');
}

function checkAggregated({ stages, router, control, liberties }: Scenario, names: Names): void {
  const [{ engine, workers }] = stages;
  const isOnline = control.replayMode === 'online';
  const mayBeOne = isOnline || control.planner !== undefined || liberties.routesToOne;
  if (router.looks && workers * engine.ranks <= 1 && !mayBeOne)
    throw new InputError(
      `${names.short('router_mode')} ${router.mode} needs more than one worker or rank (${names.short('num_workers')}, dp_size); ${names.short('beyond_reference')} allows one`,
    );
  if (engine.workerType !== 'aggregated')
    throw new InputError(
      `${names.of('extra_engine_args')}: worker_type must be aggregated here, found ${engine.workerType}`,
    );
  if (isOnline && engine.ranks !== 1)
    throw new InputError(
      `${names.short('replay_mode')} online supports dp_size 1 only, found ${engine.ranks}`,
    );
  if (isOnline && (engine.offload.g3Blocks > 0 || engine.offload.g4))
    throw new InputError(
      `${names.short('replay_mode')} online supports the cache tiers G1 and G2 only (num_g3_blocks, enable_g4_storage)`,
    );
}

function checkSplit({ stages, control, liberties }: Scenario, names: Names): void {
  const refuse = (problem: string): never => {
    throw new InputError(problem);
  };
  const hint = `; ${names.short('beyond_reference')} allows it`;
  if (control.replayMode === 'online')
    refuse(`a disaggregated fleet needs ${names.short('replay_mode')} offline`);
  const [prefill, decode] = stages.map(({ engine }) => engine);
  const types = [prefill.type, decode.type];
  const unsplit = types.find(({ traits }) => !traits.isSplitInReference);
  if (unsplit && !liberties.splitsAnyEngine)
    refuse(`a disaggregated fleet does not support engine_type=${unsplit.name}${hint}`);
  if (prefill.type !== decode.type)
    refuse(
      `prefill and decode engine_type must be equal, found ${types.map(({ name }) => name).join(' and ')}`,
    );
  for (const { name, engine } of stages)
    if (engine.workerType !== name)
      refuse(`${names.of(`${name}_engine_args`)}: worker_type must be ${name}, found ${engine.workerType}`);
  if ((prefill.ranks !== 1 || decode.ranks !== 1) && !liberties.splitsRanks)
    refuse(
      `a disaggregated fleet needs dp_size 1, found ${prefill.ranks} (prefill) and ${decode.ranks} (decode)`,
    );
  if (prefill.blockTokens !== decode.blockTokens && !liberties.splitsUnequalBlocks)
    refuse(
      `prefill and decode block_size must be equal, found ${prefill.blockTokens} and ${decode.blockTokens}${hint}`,
    );
}

function checkBypass({ router, stages, liberties }: Scenario): void {
  if (!router.settings.bypass || !liberties.bypasses) return;
  if (stages.length === 1) throw new InputError('conditional_disagg_enabled needs a disaggregated fleet');
  const { name, traits } = stages[0].engine.type;
  if (!traits.decodesWhole)
    throw new InputError(`conditional_disagg_enabled does not support engine_type=${name}`);
}

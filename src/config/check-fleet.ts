import type { EngineArgs } from './engine-type.js';
import { InputError } from './input-error.js';
import type { RouterSettings } from './router-config.js';

/** What a replay asks of its fleet. */
interface FleetOptions {
  numWorkers?: number | undefined;
  numPrefillWorkers?: number | undefined;
  numDecodeWorkers?: number | undefined;
  routerMode?: 'round_robin' | 'kv_router' | undefined;
  replayMode?: 'offline' | 'online' | undefined;
  plannerConfig?: string | undefined;
  kvOffload?: boolean | undefined;
  beyondReference?: boolean | undefined;
}

/** The engines of a replay as they were given; those of prefill and decode come together. */
export interface Engines {
  aggregated: EngineArgs;
  prefill: EngineArgs | undefined;
  decode: EngineArgs | undefined;
}

function checkOffload({ kvOffload }: FleetOptions, { prefill, aggregated }: Engines): void {
  if (!kvOffload) return;
  const refuse = (problem: string): never => {
    throw new InputError(`--kv-offload ${problem}`);
  };
  if (prefill) refuse('is for aggregated fleets');
  const { name, traits } = aggregated.type;
  if (!traits.hasTiers) refuse(`does not support engine_type=${name}`);
  if (aggregated.offload.g2Blocks === 0) refuse('needs num_g2_blocks in --extra-engine-args');
  if (!aggregated.prefixCaching) refuse('needs enable_prefix_caching=true');
}

export function checkFleet(options: FleetOptions, engines: Engines): void {
  const { prefill, decode, aggregated } = engines;
  checkOffload(options, engines);
  if (prefill && decode) {
    checkSplitFleet(options, prefill, decode);
    return;
  }
  const workers = options.numWorkers ?? 1;
  const isOnline = options.replayMode === 'online';
  if (
    options.routerMode === 'kv_router' &&
    workers * aggregated.ranks <= 1 &&
    !isOnline &&
    !options.plannerConfig &&
    !options.beyondReference
  )
    throw new InputError(
      '--router-mode kv_router needs more than one worker or rank (--num-workers, dp_size); --beyond-reference allows one',
    );
  if (workers === 0) throw new InputError('--num-workers: must be at least 1, found 0');
  if (aggregated.workerType !== 'aggregated')
    throw new InputError(
      `--extra-engine-args: worker_type must be aggregated here, found ${aggregated.workerType}`,
    );
  if (isOnline && aggregated.ranks !== 1)
    throw new InputError(`--replay-mode online supports dp_size 1 only, found ${aggregated.ranks}`);
}

function checkSplitFleet(options: FleetOptions, prefill: EngineArgs, decode: EngineArgs): void {
  const refuse = (problem: string): never => {
    throw new InputError(problem);
  };
  if (options.replayMode === 'online') refuse('a disaggregated fleet needs --replay-mode offline');
  const { beyondReference } = options;
  const hint = '; --beyond-reference allows it';
  const types = [prefill.type, decode.type];
  const unsplit = types.find(({ traits }) => !traits.isSplitInReference);
  if (!beyondReference && unsplit)
    refuse(`a disaggregated fleet does not support engine_type=${unsplit.name}${hint}`);
  if (prefill.type !== decode.type)
    refuse(
      `prefill and decode engine_type must be equal, found ${types.map(({ name }) => name).join(' and ')}`,
    );
  if (options.numPrefillWorkers === 0) refuse('--num-prefill-workers: must be at least 1, found 0');
  if (options.numDecodeWorkers === 0) refuse('--num-decode-workers: must be at least 1, found 0');
  if (prefill.workerType !== 'prefill')
    refuse(`--prefill-engine-args: worker_type must be prefill, found ${prefill.workerType}`);
  if (decode.workerType !== 'decode')
    refuse(`--decode-engine-args: worker_type must be decode, found ${decode.workerType}`);
  if (prefill.ranks !== 1 || decode.ranks !== 1)
    refuse(
      `a disaggregated fleet needs dp_size 1, found ${prefill.ranks} (prefill) and ${decode.ranks} (decode)`,
    );
  if (!beyondReference && prefill.blockTokens !== decode.blockTokens)
    refuse(
      `prefill and decode block_size must be equal, found ${prefill.blockTokens} and ${decode.blockTokens}${hint}`,
    );
}

export function checkBypass({ prefill }: Engines, { bypass }: RouterSettings): void {
  if (!bypass) return;
  if (!prefill) throw new InputError('conditional_disagg_enabled needs a disaggregated fleet');
  if (!prefill.type.traits.decodesWhole)
    throw new InputError(`conditional_disagg_enabled does not support engine_type=${prefill.type.name}`);
}

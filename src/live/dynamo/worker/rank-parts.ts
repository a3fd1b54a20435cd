import { planReplay } from '../../../config/replay-options.js';
import { resolveEngines } from '../../../setup/engines.js';
import { ENGINES } from '../../../setup/kinds.js';
import type { WorkerRole } from '../discovery/card.js';
import type { HandoffOptions } from './generate.js';
import type { RankParts } from './rank.js';

/** A plan must have a workload and a fleet; a rank has neither. */
const ALONE = { inputTokens: 1, outputTokens: 1, requestCount: 1, replayConcurrency: 1, numWorkers: 1 };

/**
 * The engine of a worker's ranks, with its timing and the size of its KV pool.
 * @param engineArguments JSON text, as `--extra-engine-args` of a replay has it
 * @throws {InputError}
 */
export function rankParts(
  engineArguments: string,
  role: WorkerRole,
  { timing: timingArgs, aicSystems }: { timing?: string; aicSystems?: string } = {},
  warn: (line: string) => void = () => {},
): RankParts {
  const plan = planReplay(
    { ...ALONE, extraEngineArgs: engineArguments, timing: timingArgs, aicSystems },
    ENGINES,
  );
  const warnings: string[] = [];
  const { stages } = resolveEngines(plan, warnings);
  for (const line of warnings) warn(line);
  const { kind, timing, args } = stages[0];
  return {
    kind,
    timing,
    args: { ...args, workerType: role },
    rules: plan.rules,
    overheads: plan.overheads,
  };
}

/** How prompts leave a worker, or come to it. */
export function handoffOf({ kind, args }: RankParts): HandoffOptions {
  const { gigabytesPerSecond, bytesPerToken, countsMissing } = args.transfer;
  return {
    order: kind.traits.prefillsFirst ? 'SourceFirst' : 'DestinationFirst',
    engineType: kind.name,
    timing: {
      mode: countsMissing ? 'destination_missing' : 'full_prompt',
      kvBytesPerToken: bytesPerToken,
      gigabytesPerSecond,
    },
  };
}

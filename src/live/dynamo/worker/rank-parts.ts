import { resolveEngines } from '../../../setup/engines.js';
import { fleetScenario } from '../../../setup/scenario.js';
import type { WorkerRole } from '../discovery/card.js';
import type { HandoffOptions } from './generate.js';
import type { RankParts } from './rank.js';

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
  const scenario = fleetScenario({ extraEngineArgs: engineArguments, timing: timingArgs, aicSystems });
  const warnings: string[] = [];
  const { stages } = resolveEngines(scenario, warnings);
  for (const line of warnings) warn(line);
  const { kind, timing, args } = stages[0];
  return {
    kind,
    timing,
    args: { ...args, workerType: role },
    rules: scenario.rules,
    overheads: scenario.overheads,
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

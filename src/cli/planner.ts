import { Command } from 'commander';
import type { CheckFlags } from './planner-check.js';

const EXAMPLES = `
Examples:
  dynosim planner check transcript.json                  what ours decides on what another planner saw
  dynosim planner check transcript.json --json out.json  the same, tick by tick`;

export function plannerCommand(): Command {
  const command = new Command('planner')
    .description('Autoscaling: check, compare and try planners before they cost GPUs')
    .addHelpText('after', EXAMPLES);
  command
    .command('check')
    .description('Decide again what a planner decided, on the same observations')
    .argument('<file>', 'transcript: configuration, capabilities, and what was seen and decided at each tick')
    .option('--json <path>', 'every tick of ours, and the match rate')
    .option('--force', 'write over an existing file')
    .option('--aic-systems <folder>', 'AI Configurator tables, for aic_perf_model')
    .action(async (file: string, flags: CheckFlags) => {
      const { runCheck } = await import('./planner-check.js');
      await runCheck(file, flags);
    });
  return command;
}

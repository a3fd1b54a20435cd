import { Command } from 'commander';
import { integer, notNegative, positiveInteger } from './flags.js';
import type { CheckFlags } from './planner-check.js';
import type { CompareFlags } from './planner-compare.js';
import type { SweepFlags } from './planner-sweep.js';
import { addSettingFlags } from './replay-flags.js';

const EXAMPLES = `
Examples:
  dynosim planner sweep trace.jsonl --planner-config sla.yaml --vary startup-time=0..300/10
  dynosim planner sweep trace.jsonl --planner-config sla.yaml --vary load-interval=1,2,5,10 --vary startup-time=0,60
  dynosim planner compare trace.jsonl --planner-config sla.yaml --gpu-hour-price 2.5
  dynosim planner compare trace.jsonl --sla-ttft-ms 500 --with none --with 'hpa={"target":8}' --with ./policy.js
  dynosim planner check transcript.json                  what ours decides on what another planner saw
  dynosim planner check transcript.json --json out.json  the same, tick by tick
  dynosim planner check decisions.csv trace.jsonl --planner-config sla.yaml   how production decided`;

export function plannerCommand(): Command {
  const command = new Command('planner')
    .description('Autoscaling: check, compare and try planners before they cost GPUs')
    .addHelpText('after', EXAMPLES);
  command.addCommand(sweepCommand());
  command.addCommand(compareCommand());
  command.addCommand(checkCommand());
  return command;
}

const repeated = (value: string, before: string[] | undefined) => [...(before ?? []), value];

function sweepCommand(): Command {
  const command = new Command('sweep')
    .description('Run a planner over a grid of settings, and find where the goals break')
    .argument('[trace_files...]', 'trace to replay; without one, synthetic load');
  addSettingFlags(command);
  addRunsFlags(command);
  return command
    .requiredOption(
      '--vary <name=values>',
      'startup-time, load-interval, throughput-interval or any setting, as in num-workers=1,2,4 or planner_config.max_gpu_budget=4..16/4 (repeatable)',
      repeated,
    )
    .option('--no-plot', 'print the table alone')
    .action(async (files: string[], flags: SweepFlags) => {
      const { runPlannerSweep } = await import('./planner-sweep.js');
      await runPlannerSweep(command, files, flags);
    });
}

function compareCommand(): Command {
  const command = new Command('compare')
    .description(
      'Put planners side by side on one workload, and beside the fewest GPU hours that keep the goals',
    )
    .argument('[trace_files...]', 'trace to replay; without one, synthetic load');
  addSettingFlags(command);
  addRunsFlags(command);
  return command
    .option(
      '--with <planner>',
      'a planner to compare, with settings as in hpa={"target":8} (repeatable; default: none, hpa, keda, saturation)',
      repeated,
    )
    .option('--oracle-runs <n>', 'runs to look for the fewest GPU hours; 0 for none', integer, 200)
    .option(
      '--oracle-most-workers <n>',
      'workers of a stage that it may use (default: what the planners used)',
      positiveInteger,
    )
    .action(async (files: string[], flags: CompareFlags) => {
      const { runPlannerCompare } = await import('./planner-compare.js');
      await runPlannerCompare(command, files, flags);
    });
}

function addRunsFlags(command: Command): void {
  command
    .optionsGroup('Runs:')
    .option('--config <file>', 'YAML file whose keys are the settings, or a report; flags given here win')
    .option('--set <key=value>', 'set one key, also inside an object (repeatable)', repeated)
    .option('--gpu-hour-price <price>', 'what a GPU costs for an hour', notNegative)
    .option('--json <path>', 'every run with its measures')
    .option('--csv <path>', 'the table')
    .option('--threads <n>', 'simulations at once (default: one a core)', positiveInteger)
    .option('--force', 'write over files that are there')
    .option('--quiet', 'print nothing but errors');
}

function checkCommand(): Command {
  const command = new Command('check')
    .description(
      'What ours decides on what another planner saw: a transcript, or decisions of production with their traffic',
    )
    .argument('<file>', 'transcript (JSON), or lines of at,stage,replicas (.csv)')
    .argument('[trace_files...]', 'with decisions: the traffic that they were made on');
  addSettingFlags(command);
  return command
    .optionsGroup('Output:')
    .option('--json <path>', 'every tick of ours, and the match rate')
    .option('--force', 'write over an existing file')
    .action(async (file: string, traces: string[], flags: CheckFlags) => {
      if (file.endsWith('.csv')) {
        const { checkDecisions } = await import('./planner-decisions.js');
        return checkDecisions(file, command, traces, flags);
      }
      const { runCheck } = await import('./planner-check.js');
      return runCheck(file, flags);
    });
}

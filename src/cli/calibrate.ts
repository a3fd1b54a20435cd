import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Calibration } from '../calibrate/calibrate.js';
import type { Group } from '../calibrate/parameters.js';
import { InputError } from '../config/input-error.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { addMeasuredFlags, MEASURED_FLAGS, type MeasuredFlags, measuredScenario } from './measured-flags.js';
import { writeOutputs } from './output.js';
import { addConfigFlags, addSettingFlags } from './replay-flags.js';

const GROUPS = ['overheads', 'timing', 'kv'];

const EXAMPLES = `
What is fitted (--fit, all by default):
  overheads   time of the frontend, the scheduler and the first token; see --overheads of replay
  timing      speedup_ratio and decode_speedup_ratio, where the timing model is clearly off
  kv          num_gpu_blocks, where requests wait for blocks

The measurement has a row a request (JSONL or CSV): ttft_ms and e2e_ms, and as far as known tpot_ms, arrival_ms,
input_length, output_length, cached_tokens. AIPerf's profile_export.jsonl, Dynamo request traces, detail files of the
benchmarks of vLLM and SGLang, and what LLMServingSim measured of vLLM are read too.
The first half of the requests is fitted, the second half judges the fit.

Examples:
  dynosim calibrate --measured measured.jsonl --trace trace.jsonl --output calibrated.yaml \\
      --extra-engine-args '{"block_size":16,"num_gpu_blocks":2588,"max_num_batched_tokens":2048}' \\
      --timing '{"type":"roofline","gpu":"rtx_4090","model":"meta-llama/Llama-3.1-8B"}'
  dynosim calibrate --measured profile_export.jsonl --measured-format aiperf --trace trace.jsonl --config run.yaml
  dynosim replay --config calibrated.yaml`;

interface Flags extends MeasuredFlags {
  engineLog?: string;
  fit: readonly Group[];
  output?: string;
  force?: boolean;
  quiet?: boolean;
}

export function calibrateCommand(): Command {
  const command = new Command('calibrate').description(
    'Fit a simulated fleet to what a real one was measured to do',
  );
  addMeasuredFlags(command);
  command
    .addOption(
      new Option('--fit <groups>', 'what to fit, with commas between').default(GROUPS).argParser(groupsOf),
    )
    .option('--engine-log <file>', 'log of the measured engine: its KV cache is taken as it stands there')
    .option('-o, --output <file>', 'write the calibrated settings as a configuration for replay')
    .option('--force', 'write over a file that is there')
    .option('--json', 'print settings and errors as JSON')
    .option('--quiet', 'no progress')
    .addHelpText('after', EXAMPLES);
  addSettingFlags(command, ['Synthetic load', 'Goals']);
  addConfigFlags(command);
  return command.action(async (flags: Flags) => {
    const { engineLog } = flags;
    const withItsLog = (read: Scenario) => (engineLog === undefined ? read : withLog(read, engineLog));
    const scenario = await measuredScenario(command, flags, OWN_FLAGS, withItsLog);
    if (scenario) await runCalibrate(command, scenario, command.opts());
  });
}

/** Flags that are about calibrating, and no part of a replay. */
const OWN_FLAGS = [...MEASURED_FLAGS, 'engineLog', 'fit', 'output', 'force', 'json', 'quiet'];

function groupsOf(text: string): string[] {
  const groups = text.split(',').map((group) => group.trim());
  const unknown = groups.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`expected some of ${GROUPS.join(', ')}, found '${unknown}'.`);
  return groups;
}

async function runCalibrate(command: Command, scenario: Scenario, flags: Flags): Promise<void> {
  const { measured, measuredFormat, output, force } = flags;
  if (output !== undefined && existsSync(output) && !force)
    throw new InputError(`--output: ${output} exists already; add --force to write over it`);
  const [
    { calibrate },
    { readMeasured },
    { withSource },
    { calibrationText, calibrationJson },
    { ReplayCounter },
  ] = await Promise.all([
    import('../calibrate/calibrate.js'),
    import('../calibrate/measured.js'),
    import('./trace-source.js'),
    import('../calibrate/summary.js'),
    import('./progress.js'),
  ]);
  const rows = await withSource(measured, async (source) => readMeasured(source, measuredFormat));
  const progress = new ReplayCounter(flags.quiet === true);
  let found: Calibration;
  try {
    found = await calibrate(scenario, rows, flags.fit, progress.callback);
  } finally {
    progress.stop();
  }
  process.stdout.write(
    flags.json ? `${JSON.stringify(calibrationJson(found), null, 2)}\n` : calibrationText(found),
  );
  if (output === undefined) return;
  const text = await calibratedConfig(command, found.scenario);
  await writeOutputs(new Map([[output, [text]]]), '--output', { force: force === true, inputs: [measured] });
  process.stdout.write(`Saved configuration to: ${output}\n`);
}

/** The scenario with the KV cache that the log of its engine tells of. @throws {InputError} */
async function withLog(scenario: Scenario, log: string): Promise<Scenario> {
  if (scenario.stages.length > 1)
    throw new InputError('--engine-log: is of one engine; set num_gpu_blocks of both stages instead');
  const [{ loggedBlocks }, { withSettings }] = await Promise.all([
    import('./engine-log.js'),
    import('../setup/scenario.js'),
  ]);
  const { blockTokens, given } = scenario.stages[0].engine;
  const blocks = loggedBlocks(log, blockTokens, given.block_size as number | undefined);
  return withSettings(scenario, { 'extra_engine_args.num_gpu_blocks': blocks }, '--engine-log');
}

/** The command line with what was fitted, as a configuration of a replay. */
async function calibratedConfig(command: Command, scenario: Scenario): Promise<string> {
  const { configText } = await import('./config-file.js');
  return `# Settings fitted to a measurement by dynosim calibrate\n${configText(command, scenario, OWN_FLAGS)}`;
}

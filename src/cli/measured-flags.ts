import { type Command, Option } from 'commander';
import type { MeasuredFormat } from '../calibrate/measured.js';
import { InputError } from '../config/input-error.js';
import type { Scenario } from '../config/scenario/scenario.js';

const FORMATS: readonly MeasuredFormat[] = [
  'requests',
  'aiperf',
  'bench',
  'dynamo-requests',
  'llmservingsim',
];
/** The flags below, which are no part of a replay. */
export const MEASURED_FLAGS = ['measured', 'measuredFormat', 'trace'];

/** Flags of a command that sets a measurement beside its simulation. */
export interface MeasuredFlags {
  [flag: string]: unknown;
  measured: string;
  measuredFormat: MeasuredFormat;
  trace?: string;
  json?: boolean;
  config?: string;
  set?: string[];
  printConfig?: boolean;
}

export function addMeasuredFlags(command: Command): void {
  command
    .optionsGroup('Measurement:')
    .requiredOption('--measured <file>', 'what was measured, a row a request')
    .addOption(
      new Option('--measured-format <name>', 'what the file is').choices(FORMATS).default('requests'),
    )
    .option('--trace <file>', 'the same requests as a trace');
}

/**
 * The scenario that is to be compared; undefined when it was only to be printed.
 * @param own the command's flags that are no part of a replay
 * @throws {InputError}
 */
export async function measuredScenario(
  command: Command,
  flags: MeasuredFlags,
  own: readonly string[],
  adjusted: (read: Scenario) => Scenario | Promise<Scenario> = (read) => read,
): Promise<Scenario | undefined> {
  const [{ configuredSettings, configText }, { readScenario }] = await Promise.all([
    import('./config-file.js'),
    import('../setup/scenario.js'),
  ]);
  const traces = flags.trace === undefined ? [] : [flags.trace];
  const { json, names } = configuredSettings(command, traces, flags.config, flags.set ?? [], own);
  if (!json.has('trace')) throw new InputError('--trace: give the trace of the measured requests');
  const scenario = await adjusted(readScenario(json, names));
  if (!flags.printConfig) return scenario;
  process.stdout.write(configText(command, scenario, own));
  return undefined;
}

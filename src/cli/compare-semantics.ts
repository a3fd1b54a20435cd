import Table from 'cli-table3';
import { Command } from 'commander';
import type { SemanticsComparison, Shift } from '../advice/compare-semantics.js';
import { InputError } from '../config/input-error.js';
import type { Semantics } from '../config/rules.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { counted, grouped, percent } from '../report/words.js';
import { addConfigFlags, addSettingFlags } from './replay-flags.js';

const EXAMPLES = `
A decision that was made with the older rules holds if the verdict and the numbers that it hangs on stay.

Examples:
  dynosim compare-semantics chat.jsonl --num-workers 4
  dynosim compare-semantics chat.jsonl --extra-engine-args '{"engine_type":"sglang"}' --sla-ttft-ms 500
  dynosim compare-semantics --config run.json --json`;

/** Flags that are no part of a replay. */
const OWN_FLAGS = ['json'];

interface Flags {
  [flag: string]: unknown;
  json?: boolean;
  printConfig?: boolean;
  config?: string;
  set?: string[];
}

export function compareSemanticsCommand(): Command {
  const command = new Command('compare-semantics')
    .description(
      'Run one workload under the rules of both releases, and tell which parts of its latency move',
    )
    .argument('[trace_files...]', 'trace to replay (several for --trace-format dynamo)')
    .option('--json', 'print the comparison as JSON')
    .addHelpText('after', EXAMPLES);
  addSettingFlags(command);
  addConfigFlags(command);
  return command.action(async (files: string[], flags: Flags) => {
    const [{ configuredSettings, configText }, { readScenario }] = await Promise.all([
      import('./config-file.js'),
      import('../setup/scenario.js'),
    ]);
    const { json, names } = configuredSettings(command, files, flags.config, flags.set ?? [], OWN_FLAGS);
    const read = (semantics: Semantics) => {
      const scenario = readScenario(new Map(json).set('semantics', semantics), names);
      if (scenario.control.replayMode === 'online')
        throw new InputError('--replay-mode online: rules are compared in simulated time');
      return scenario;
    };
    const { printConfig, json: printsJson } = command.opts<Flags>();
    if (printConfig) process.stdout.write(configText(command, readScenario(json, names), OWN_FLAGS));
    else await compare(read, printsJson === true);
  });
}

async function compare(read: (semantics: Semantics) => Scenario, printsJson: boolean): Promise<void> {
  const [{ compareSemantics }, { ProgressBar }] = await Promise.all([
    import('../advice/compare-semantics.js'),
    import('./progress.js'),
  ]);
  const bar = new ProgressBar(false);
  try {
    const found = await compareSemantics(read, bar.callback);
    bar.stop();
    process.stdout.write(printsJson ? `${JSON.stringify(found, null, 2)}\n` : comparisonText(found));
  } finally {
    bar.stop();
  }
}

function comparisonText({
  releases,
  numbers,
  parts,
  verdicts,
  requests,
  because,
}: SemanticsComparison): string {
  const { both, moved } = requests;
  const lines = [
    shiftTable(releases, numbers),
    '',
    'Mean latency, by what it goes to (ms):',
    shiftTable(releases, parts),
    '',
    verdicts[0] === verdicts[1]
      ? `Verdict: ${verdicts[0]} under both`
      : `Verdict: ${verdicts.join(', then ')}`,
    `Requests whose latency moves by more than a tenth: ${counted(moved, 'request')} of ${grouped(both)}`,
    `What ${releases[1]} does otherwise here:`,
    ...because.map((text) => `  ${text}`),
  ];
  return `${lines.join('\n')}\n`;
}

function shiftTable(releases: readonly string[], shifts: readonly Shift[]): string {
  const table = new Table({
    head: ['', ...releases, 'change'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, before, after } of shifts)
    table.push([name.replaceAll('_', ' '), shown(before), shown(after), changeOf(before, after)]);
  return table.toString();
}

function shown(value: number | null): string {
  if (value === null) return '-';
  return Number.isInteger(value) ? grouped(value) : grouped(value, Math.abs(value) < 10 ? 4 : 2);
}

function changeOf(before: number | null, after: number | null): string {
  if (before === null || after === null) return '-';
  if (before === after) return 'same';
  if (before === 0) return 'new';
  const change = (after - before) / Math.abs(before);
  return `${change > 0 ? '+' : ''}${percent(change)}`;
}

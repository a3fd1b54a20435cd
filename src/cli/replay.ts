import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import type { ReplayOptions } from '../config/replay-options.js';
import type { ReplayResult } from '../report/result.js';
import { float } from './flags.js';
import { writeOutputs } from './output.js';
import { compileForLength } from './quick-start.js';
import {
  addConfigFlags,
  addFleetFlags,
  addSyntheticFlags,
  addTraceFlags,
  toOptions,
} from './replay-flags.js';
import type { OutputFlags } from './replay-outputs.js';

const EXAMPLES = `
Examples:
  dynosim replay trace.jsonl --num-workers 8
  dynosim replay trace.jsonl.gz --extra-engine-args '{"block_size":64,"num_gpu_blocks":4096}' --sla-ttft-ms 500
  dynosim replay trace.jsonl --replay-concurrency 64 --report-json run.json --report-jsonl requests.jsonl
  dynosim replay --input-tokens 2048 --output-tokens 256 --request-count 5000 --request-rate 12
  dynosim replay --input-tokens 2048 --output-tokens 256 --request-count 5000 --replay-concurrency 64
  dynosim replay trace.jsonl --timing '{"type":"roofline","gpu":"h100_sxm","model":"meta-llama/Llama-3.1-8B"}'
  dynosim replay trace.jsonl --prefill-engine-args '{"worker_type":"prefill"}' --decode-engine-args '{"worker_type":"decode"}'`;

interface Flags extends OutputFlags {
  [flag: string]: unknown;
  reportJson?: string;
  plannerConfig?: string;
  requestCount?: number;
  plot?: boolean;
  quiet?: boolean;
  config?: string;
  set?: string[];
  printConfig?: boolean;
}

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('Replay a trace, or synthetic load, through a simulated fleet')
    .argument(
      '[trace_files...]',
      'trace to replay (several for --trace-format dynamo); .gz and .zst are unpacked',
    )
    .addHelpText('after', EXAMPLES);
  addTraceFlags(command);
  addSyntheticFlags(command);
  addFleetFlags(command);
  addOutputFlags(command);
  addConfigFlags(command);
  return command.action(async (files: string[], flags: Flags) => {
    if (flags.config === undefined && flags.set === undefined && !flags.printConfig)
      return runReplay(files, flags, askedFor(command, files));
    const { applyConfig, configText } = await import('./config-file.js');
    const traces = applyConfig(command, files, flags.config, flags.set ?? []);
    if (flags.printConfig) process.stdout.write(configText(command, traces));
    else await runReplay(traces, command.opts(), askedFor(command, traces));
  });
}

function addOutputFlags(command: Command): void {
  command
    .optionsGroup('Goals and output:')
    .option('--sla-ttft-ms <ms>', 'goodput bound on time to first token', float)
    .option('--sla-itl-ms <ms>', 'goodput bound on mean inter-token latency', float)
    .option('--sla-e2e-ms <ms>', 'goodput bound on request latency', float)
    .option('--report-json <path>', 'report file, or a folder for it (default: a timestamped name here)')
    .option('--report-jsonl <path>', 'per-request records of a trace replay, one JSON object a line')
    .option('--records <path>', 'the same for every request of every run, unfinished ones included')
    .option('--artifacts <folder>', 'the files that AIPerf writes of a benchmark, under its names')
    .option('--html <path>', 'a page to look at: workers over time, latencies, the slowest requests')
    .option('--pictures', 'keep in the report what `dynosim report` draws')
    .option('--trace-events <path>', 'workers and requests over time, for Perfetto or chrome://tracing')
    .option('--advise', 'try what would help by running it, however long that takes (small runs do anyway)')
    .option('--no-advise', 'try nothing: bottlenecks are named without remedies')
    .option('--plot', 'print histograms of the latencies')
    .option('--check', 'check conservation laws after every pass (slow)')
    .option('--quiet', 'print nothing but errors');
}

async function runReplay(files: string[], flags: Flags, settings: Record<string, string>): Promise<void> {
  const path = reportPath(flags.reportJson);
  if (flags.reportJsonl !== undefined && files.length === 0)
    throw new InputError('--report-jsonl is for trace replay; use --records, which works for every run');
  if (flags.reportJsonl !== undefined && flags.plannerConfig !== undefined)
    throw new InputError('--report-jsonl cannot be used with --planner-config; use --records');
  compileForLength(files, flags.requestCount);
  // Loaded here, so that help and errors in flags need not wait for it.
  const [{ replay }, { keepsPictures, keptRecords, replayOutputs }, { summaryTable }, { ProgressBar }] =
    await Promise.all([
      import('../replay.js'),
      import('./replay-outputs.js'),
      import('../report/table.js'),
      import('./progress.js'),
    ]);
  const bar = new ProgressBar(flags.quiet === true);
  const options: ReplayOptions = {
    ...toOptions(files, flags),
    records: keptRecords(flags),
    pictures: keepsPictures(flags),
    onProgress: bar.callback,
  };
  let result: ReplayResult;
  try {
    result = await replay(options);
  } finally {
    bar.stop();
  }
  await addAdvice(options, result, flags.advise as boolean | undefined);
  await writeOutputs(await replayOutputs(result, path, files, settings, flags));
  if (flags.quiet) return;
  for (const warning of (result.report.warnings as string[] | undefined) ?? [])
    process.stderr.write(`dynosim: warning: ${warning}\n`);
  process.stdout.write(summaryTable(result.report, process.stdout.isTTY === true));
  if (flags.plot) process.stdout.write(await plots(result));
  process.stdout.write(`Saved full report to: ${path}\n`);
  if (flags.html !== undefined) process.stdout.write(`Saved page to: ${flags.html}\n`);
}

/** Confirms the verdict and finds remedies, unless that would take long and was not asked for. */
async function addAdvice(
  options: ReplayOptions,
  result: ReplayResult,
  asked: boolean | undefined,
): Promise<void> {
  if (asked === false) return;
  const { advise, isCheap } = await import('../advice/advise.js');
  if (asked || isCheap(result.report)) Object.assign(result.report, await advise(options, result));
}

async function plots({ latencies: { ttftMs, tpotMs, e2eMs } }: ReplayResult): Promise<string> {
  const { histogram } = await import('./bars.js');
  const ms = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 4 });
  const plot = (title: string, sorted: Float64Array) => [
    `${title} (ms)`,
    ...histogram(sorted, (value) => ms.format(value)),
    '',
  ];
  const lines = [
    ...plot('Time to First Token', ttftMs),
    ...plot('Time per Output Token', tpotMs),
    ...plot('Request Latency', e2eMs),
  ];
  return `${lines.join('\n')}\n`;
}

/** Flags that are about what is written, not about what is simulated. */
const OUTPUT = new Set([
  'reportJson',
  'reportJsonl',
  'records',
  'artifacts',
  'html',
  'pictures',
  'traceEvents',
  'plot',
  'advise',
  'quiet',
  'config',
]);

/** What a command line or a configuration asks for beside the defaults, by the names of flags. */
function askedFor(command: Command, files: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = files.length > 0 ? { trace: files.join(', ') } : {};
  for (const option of command.options) {
    const name = option.attributeName();
    const value = command.getOptionValue(name);
    if (value === undefined || command.getOptionValueSource(name) === 'default' || OUTPUT.has(name)) continue;
    settings[option.long!.slice(2)] = String(value);
  }
  return settings;
}

function reportPath(given: string | undefined): string {
  if (given === '') throw new InputError('--report-json: must not be empty');
  if (given === undefined) return freeName(process.cwd());
  if (existsSync(given) && statSync(given).isDirectory()) return freeName(given);
  return given;
}

/** A timestamped name in a folder that no file has yet. */
function freeName(folder: string): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const base = join(folder, `dynamo_replay_report_${date}_${time}`);
  let name = `${base}.json`;
  for (let n = 2; existsSync(name); n++) name = `${base}_${n}.json`;
  return folder === process.cwd() ? resolve(name) : name;
}

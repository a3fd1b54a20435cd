import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonValue, jsonText } from '../config/json.js';
import type { RunControls } from '../config/scenario/options.js';
import type { Scenario } from '../config/scenario/scenario.js';
import type { ReplayResult } from '../report/result.js';
import { float, notNegative } from './flags.js';
import { OutputFiles } from './output.js';
import { compileForLength } from './quick-start.js';
import { addConfigFlags, addSettingFlags, flagSettings, type GivenSettings } from './replay-flags.js';
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
  gpuHourPrice?: number;
  target?: string;
  targetModel?: string;
  targetKeyEnv?: string;
  targetTimeoutSeconds?: number;
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
  addSettingFlags(command);
  addTargetFlags(command);
  addOutputFlags(command);
  addConfigFlags(command);
  return command.action(async (files: string[], flags: Flags) => {
    if (flags.config === undefined && flags.set === undefined && !flags.printConfig)
      return runReplay(flagSettings(command, files), flags);
    const { configuredSettings, configText } = await import('./config-file.js');
    const given = configuredSettings(command, files, flags.config, flags.set ?? []);
    if (!flags.printConfig) return runReplay(given, command.opts());
    const { readScenario } = await import('../setup/scenario.js');
    process.stdout.write(configText(command, readScenario(given.json, given.names)));
  });
}

function addTargetFlags(command: Command): void {
  command
    .optionsGroup('Load on an endpoint:')
    .option('--target <url>', 'put the load on this endpoint of OpenAI’s kind, in real time, and measure it')
    .option('--target-model <name>', 'model to ask for there (default: mock)')
    .option('--target-key-env <name>', 'variable that holds the key (default: OPENAI_API_KEY)')
    .option(
      '--target-timeout-seconds <s>',
      'silence after which an answer has failed (default: 600)',
      seconds,
    );
}

function seconds(text: string): number {
  const value = float(text);
  if (!(value > 0)) throw new InvalidArgumentError('must be more than 0.');
  return value;
}

function addOutputFlags(command: Command): void {
  command
    .optionsGroup('Output:')
    .option('--report-json <path>', 'report file, or a folder for it (default: a timestamped name here)')
    .option('--report-jsonl <path>', 'per-request records of a trace replay, one JSON object a line')
    .option('--records <path>', 'the same for every request of every run, unfinished ones included')
    .option('--artifacts <folder>', 'the files that AIPerf writes of a benchmark, under its names')
    .option('--html <path>', 'a page to look at: workers over time, latencies, the slowest requests')
    .option(
      '--gpu-hour-price <price>',
      'what a GPU costs for an hour: the report says what the run cost',
      notNegative,
    )
    .option('--pictures', 'keep in the report what `dynosim report` draws')
    .option('--trace-events <path>', 'workers and requests over time, for Perfetto or chrome://tracing')
    .option('--advise', 'try what would help by running it, however long that takes (small runs do anyway)')
    .option('--no-advise', 'try nothing: bottlenecks are named without remedies')
    .option('--force', 'write over files that are there')
    .option('--plot', 'print histograms of the latencies')
    .option('--quiet', 'print nothing but errors');
}

async function runReplay({ json, names }: GivenSettings, flags: Flags): Promise<void> {
  const path = reportPath(flags.reportJson);
  const traces = tracesOf(json.get('trace'));
  if (flags.reportJsonl !== undefined && traces.length === 0)
    throw new InputError('--report-jsonl is for trace replay; use --records, which works for every run');
  if (flags.reportJsonl !== undefined && json.has('planner_config') && !json.has('planner'))
    throw new InputError('--report-jsonl cannot be used with --planner-config alone; use --records');
  const requests = json.get('request_count');
  compileForLength(traces, requests instanceof JsonNumber ? requests.value : undefined);
  // Loaded here, so that help and errors in flags need not wait for it.
  const [
    { replay },
    { readScenario },
    { keepsPictures, keptRecords, outputTargets, replayOutputs },
    { summaryTable },
    { ProgressBar },
    { plannerText, scalingText },
  ] = await Promise.all([
    import('../replay.js'),
    import('../setup/scenario.js'),
    import('./replay-outputs.js'),
    import('../report/table.js'),
    import('./progress.js'),
    import('../report/planner-text.js'),
  ]);
  const scenario = readScenario(json, names);
  const isMeasured = flags.target !== undefined || scenario.control.replayMode === 'online';
  if (isMeasured) refusePictures(flags);
  const outputs = OutputFiles.open(outputTargets(flags, path), {
    force: flags.force === true,
    inputs: flags.config === undefined ? traces : [...traces, flags.config],
  });
  const bar = new ProgressBar(flags.quiet === true);
  let result: ReplayResult;
  let plannerPage: string | undefined;
  try {
    const controls = {
      records: keptRecords(flags),
      pictures: keepsPictures(flags),
      onProgress: bar.callback,
    };
    result = await (flags.target === undefined
      ? replay(scenario, controls)
      : replayAgainst(flags.target, flags, scenario, controls));
    if (flags.gpuHourPrice !== undefined)
      result.report.gpu_cost = (result.report.gpu_hours as number) * flags.gpuHourPrice;
    if (!isMeasured) await addAdvice(scenario, result, flags.advise as boolean | undefined);
    const contents = await replayOutputs(result, path, traces, settingsOf(scenario), flags);
    for (const [name, pieces] of contents) await outputs.write(name, pieces);
    outputs.commit();
    plannerPage = await plannerPageOf(result, traces, flags);
  } finally {
    outputs.discard();
    bar.stop();
  }
  if (path === '-') return;
  if (flags.quiet) return;
  for (const warning of (result.report.warnings as string[] | undefined) ?? [])
    process.stderr.write(`dynosim: warning: ${warning}\n`);
  const { planner, report } = result;
  if (planner) process.stdout.write(scalingText(planner));
  process.stdout.write(summaryTable(report, process.stdout.isTTY === true));
  if (flags.plot) process.stdout.write(await plots(result));
  process.stdout.write(`Saved full report to: ${path}\n`);
  if (planner) process.stdout.write(plannerText(planner, report));
  if (plannerPage !== undefined) process.stdout.write(`Planner diagnostics report: ${plannerPage}\n`);
  if (flags.html !== undefined) process.stdout.write(`Saved page to: ${flags.html}\n`);
}

async function plannerPageOf(result: ReplayResult, traces: readonly string[], { force }: Flags) {
  if (!result.planner?.page) return undefined;
  const [{ writePlannerPage }, { labelOf }] = await Promise.all([
    import('./planner-page.js'),
    import('./replay-outputs.js'),
  ]);
  return writePlannerPage(result, labelOf(traces), force === true);
}

/** Puts the load on an endpoint, and measures it. */
async function replayAgainst(
  url: string,
  { targetModel, targetKeyEnv, targetTimeoutSeconds = 600 }: Flags,
  scenario: Scenario,
  controls: RunControls,
): Promise<ReplayResult> {
  const { replayOnline } = await import('../live/load/online.js');
  return replayOnline(scenario, controls, {
    url,
    model: targetModel ?? 'mock',
    apiKey: process.env[targetKeyEnv ?? 'OPENAI_API_KEY'],
    idleMs: targetTimeoutSeconds * 1000,
  });
}

/** What pictures show of workers is not seen from outside. */
function refusePictures(flags: Flags): void {
  const asked = flags.html ? '--html' : flags.traceEvents ? '--trace-events' : flags.pictures && '--pictures';
  if (asked)
    throw new InputError(`${asked} is for simulated runs; --records tells of every request measured`);
}

/** Confirms the verdict and finds remedies, unless that would take long and was not asked for. */
async function addAdvice(
  scenario: Scenario,
  result: ReplayResult,
  asked: boolean | undefined,
): Promise<void> {
  if (asked === false) return;
  const { advise, isCheap } = await import('../advice/advise.js');
  if (asked || isCheap(result.report)) Object.assign(result.report, await advise(scenario, result));
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

function tracesOf(given: JsonValue | undefined): string[] {
  const list = Array.isArray(given) ? given : [given];
  return list.filter((path) => typeof path === 'string');
}

/** What is asked for beside the defaults, by the names of flags. */
function settingsOf({ given }: Scenario): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [key, value] of given)
    settings[key.replaceAll('_', '-')] =
      key === 'trace' ? tracesOf(value).join(', ') : typeof value === 'string' ? value : jsonText(value);
  return settings;
}

function reportPath(given: string | undefined): string {
  if (given === '') throw new InputError('--report-json: must not be empty');
  if (given === undefined) return freeName(process.cwd());
  if (existsSync(given) && statSync(given).isDirectory()) return freeName(given);
  return given;
}

/** A name in a folder that no other run takes: of the second, and of this process. */
function freeName(folder: string): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const name = join(folder, `dynamo_replay_report_${date}_${time}_${process.pid}.json`);
  return folder === process.cwd() ? resolve(name) : name;
}

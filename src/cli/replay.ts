import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { InputError } from '../config/input-error.js';
import type { ReplayOptions } from '../config/replay-options.js';
import { TRACE_FORMATS, type TraceFormat } from '../config/trace-formats.js';
import type { ReplayResult } from '../replay.js';
import { float, integer, wholeNumber } from './flags.js';
import { writeOutputs } from './output.js';
import { compileForLength } from './quick-start.js';
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

const DTYPE_FLAGS = ['gemm-dtype', 'moe-dtype', 'fmha-dtype', 'kv-cache-dtype', 'comm-dtype'];
const AIC_TEXT = ['backend', 'system', 'backend-version', 'model-path', ...DTYPE_FLAGS, 'nextn-accept-rates'];
const AIC_COUNTS = ['tp-size', 'moe-tp-size', 'moe-ep-size', 'attention-dp-size', 'nextn'];
/** Spellings of a dtype that mean that none is given. */
const NO_DTYPE = ['', 'auto', 'none', 'null'];

interface Flags extends OutputFlags {
  [flag: string]: unknown;
  reportJson?: string;
  plannerConfig?: string;
  requestCount?: number;
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

function addTraceFlags(command: Command): void {
  command
    .optionsGroup('Trace:')
    .addOption(
      new Option('--trace-format <format>', 'format of the trace').choices(TRACE_FORMATS).default('mooncake'),
    )
    .option('--trace-block-size <tokens>', 'tokens per hash id (default: 512, embedded for dynamo)', integer)
    .option(
      '--trace-shared-prefix-ratio <ratio>',
      'shared part of prompts (applied_compute_agentic)',
      float,
      0,
    )
    .option(
      '--trace-num-prefix-groups <n>',
      'groups that share a prefix (applied_compute_agentic)',
      integer,
      0,
    )
    .option(
      '--arrival-speedup-ratio <ratio>',
      'divide arrival times and delays by this (open loop)',
      float,
      1,
    )
    .option('--replay-concurrency <n>', 'closed loop: sessions, or requests, in flight at once', integer)
    .option('--max-sim-time-seconds <s>', 'stop after this much simulated time', float);
}

function addSyntheticFlags(command: Command): void {
  command
    .optionsGroup('Synthetic load:')
    .option('--input-tokens <n>', 'prompt length', integer)
    .option('--output-tokens <n>', 'output length', integer)
    .option('--request-count <n>', 'requests (sessions, with several turns)', integer)
    .option('--request-rate <rps>', 'Poisson arrivals per second', float)
    .option('--arrival-interval-ms <ms>', 'one arrival every so often', float)
    .option('--arrival-seed <seed>', 'seed of Poisson arrivals (default: 42)', wholeNumber)
    .option('--turns-per-session <n>', 'turns of each session', integer, 1)
    .option('--shared-prefix-ratio <ratio>', 'part of each prompt shared within its group', float, 0)
    .option('--num-prefix-groups <n>', 'groups that share a prefix', integer, 0)
    .option('--inter-turn-delay-ms <ms>', 'think time between turns', float, 0);
}

function addFleetFlags(command: Command): void {
  command
    .optionsGroup('Fleet:')
    .option('--extra-engine-args <json>', 'engine of an aggregated fleet, as JSON text')
    .option('--num-workers <n>', 'workers of an aggregated fleet', integer, 1)
    .option('--prefill-engine-args <json>', 'prefill engine of a disaggregated fleet')
    .option('--decode-engine-args <json>', 'decode engine of a disaggregated fleet')
    .option('--num-prefill-workers <n>', 'prefill workers', integer, 1)
    .option('--num-decode-workers <n>', 'decode workers', integer, 1)
    .option(
      '--single-token-prefill',
      'prefill workers stop after one token (the reference generates all of them)',
    )
    .option(
      '--kv-offload',
      'simulate the cache tiers G2 to G4 (num_g2_blocks, num_g3_blocks, enable_g4_storage)',
    )
    .option(
      '--beyond-reference',
      'allow what the reference refuses or ignores: TensorRT-LLM stages, unequal block sizes, one worker behind the KV router, conditional disaggregation, agentic traces with concurrency or caps',
    )
    .addOption(modeOption('--router-mode <mode>', 'how requests find workers', ['round_robin', 'kv_router']))
    .option('--router-config <json>', 'KV router settings, as JSON text')
    .option('--router-policy-config <path>', 'YAML file of router policy classes')
    .option('--router-seed <seed>', 'seed of choices among equal workers (default: 0xD1A05EED)', wholeNumber)
    .option('--model-name <name>', 'profile in the policy file')
    .addOption(modeOption('--replay-mode <mode>', 'simulated or real time', ['offline', 'online']))
    .option('--planner-config <json>', 'autoscaling planner, as a path or JSON text')
    .option('--benchmark-granularity <n>', 'sweep points of the planner’s bootstrap', integer, 8)
    .optionsGroup('Timing:')
    .option(
      '--timing <json>',
      'timing of engines that name none, such as {"type":"roofline","gpu":"h100_sxm",...}',
    )
    .option(
      '--overheads <json>',
      'time around the GPUs: frontend_ms, tokenize_ms_per_token, step_ms, step_ms_per_sequence, first_token_ms',
    )
    .option('--aic-systems <folder>', 'AI Configurator tables (default: $DYNOSIM_AIC_SYSTEMS)')
    .optionsGroup('Timing of the KV router’s load estimate:');
  for (const name of AIC_TEXT)
    command.option(`--aic-${name} <value>`, `AI Configurator ${name.replaceAll('-', ' ')}`);
  for (const name of AIC_COUNTS)
    command.option(`--aic-${name} <n>`, `AI Configurator ${name.replaceAll('-', ' ')}`, integer);
}

function modeOption(flags: string, description: string, choices: string[]): Option {
  return new Option(flags, description).choices(choices).default(choices[0]);
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
    .option('--check', 'check conservation laws after every pass (slow)')
    .option('--quiet', 'print nothing but errors');
}

function addConfigFlags(command: Command): void {
  command
    .optionsGroup('Configuration:')
    .option(
      '--config <file>',
      'YAML file whose keys are these flags, as in num_workers: 4; flags given here win',
    )
    .option(
      '--set <key=value>',
      'set one key, also inside an object: extra_engine_args.block_size=16 (repeatable)',
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    )
    .option('--print-config', 'print what all of this comes to as such a file, and stop');
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
  await writeOutputs(await replayOutputs(result, path, files, settings, flags));
  if (flags.quiet) return;
  for (const warning of (result.report.warnings as string[] | undefined) ?? [])
    process.stderr.write(`dynosim: warning: ${warning}\n`);
  process.stdout.write(summaryTable(result.report, process.stdout.isTTY === true));
  process.stdout.write(`Saved full report to: ${path}\n`);
  if (flags.html !== undefined) process.stdout.write(`Saved page to: ${flags.html}\n`);
}

/** What a command line or a configuration asks for beside the defaults, by the names of flags. */
function askedFor(command: Command, files: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = files.length > 0 ? { trace: files.join(', ') } : {};
  for (const option of command.options) {
    const name = option.attributeName();
    const value = command.getOptionValue(name);
    if (value === undefined || command.getOptionValueSource(name) === 'default') continue;
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

function toOptions(files: string[], flags: Flags): ReplayOptions {
  const aic: Record<string, string | number | undefined> = {};
  for (const name of [...AIC_TEXT, ...AIC_COUNTS])
    aic[name] = aicValue(name, flags[camelCase(`aic-${name}`)]);
  return {
    ...(flags as ReplayOptions),
    traceFiles: files,
    traceFormat: flags.traceFormat as TraceFormat,
    check: flags.check === true,
    aic,
  };
}

function aicValue(name: string, value: unknown): string | number | undefined {
  if (
    DTYPE_FLAGS.includes(name) &&
    typeof value === 'string' &&
    NO_DTYPE.includes(value.trim().toLowerCase())
  )
    return undefined;
  return value === 0 ? undefined : (value as string | number | undefined);
}

function camelCase(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

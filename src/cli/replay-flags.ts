import { type Command, Option } from 'commander';
import type { ReplayOptions } from '../config/replay-options.js';
import { TRACE_FORMATS, type TraceFormat } from '../config/trace-formats.js';
import { float, integer, wholeNumber } from './flags.js';

const DTYPE_FLAGS = ['gemm-dtype', 'moe-dtype', 'fmha-dtype', 'kv-cache-dtype', 'comm-dtype'];
const AIC_TEXT = ['backend', 'system', 'backend-version', 'model-path', ...DTYPE_FLAGS, 'nextn-accept-rates'];
const AIC_COUNTS = ['tp-size', 'moe-tp-size', 'moe-ep-size', 'attention-dp-size', 'nextn'];
/** Spellings of a dtype that mean that none is given. */
const NO_DTYPE = ['', 'auto', 'none', 'null'];

export function addTraceFlags(command: Command): void {
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

export function addSyntheticFlags(command: Command): void {
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

export function addFleetFlags(command: Command): void {
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

export function addConfigFlags(command: Command): void {
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

/** Options of a replay as the library takes them. @param flags as the command line has them */
export function toOptions(files: readonly string[], flags: Readonly<Record<string, unknown>>): ReplayOptions {
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

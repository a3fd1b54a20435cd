import { Command, Option } from 'commander';
import { InputError } from '../config/input-error.js';
import type { GenerateOptions, Spread } from '../workload/generate.js';
import { float, integer, positiveInteger, wholeNumber } from './flags.js';
import { writeRows } from './output.js';
import { convertCommand } from './trace-convert.js';
import { scaleCommand, sliceCommand } from './trace-edit.js';
import { inspectCommand } from './trace-inspect.js';

const EXAMPLES = `
Examples:
  dynosim trace generate --requests 2000 --output chat.jsonl
  dynosim trace generate --requests 500 --rate 2 --turns 1 --input-tokens 4000 --spread constant
  dynosim trace generate --requests 100 --shared-prefix-tokens 2048 --prefix-groups 3 --seed 7 | head`;

interface Flags {
  output?: string;
  force?: boolean;
  requests: number;
  seed?: bigint;
  rate: number;
  burstFactor: number;
  burstSeconds: number;
  burstEverySeconds: number;
  turns: number;
  inputTokens: number;
  outputTokens: number;
  spread: Spread['kind'];
  spreadWidth: number;
  thinkTimeMs: number;
  sharedPrefixTokens: number;
  prefixGroups: number;
  blockSize: number;
  maxContextTokens: number;
}

export function traceCommand(): Command {
  return new Command('trace')
    .description('Make, convert and look into traces')
    .addCommand(generateCommand())
    .addCommand(convertCommand())
    .addCommand(inspectCommand())
    .addCommand(sliceCommand())
    .addCommand(scaleCommand());
}

function generateCommand(): Command {
  return new Command('generate')
    .description('Make a Mooncake trace of made-up conversations; the same options give the same bytes')
    .option('--requests <n>', 'rows to make', positiveInteger, 2000)
    .option('--rate <n>', 'sessions that begin per second', float, 1)
    .option('--burst-factor <x>', 'so many times the rate in bursts', float, 1)
    .option('--burst-seconds <s>', 'length of a burst', float, 60)
    .option('--burst-every-seconds <s>', 'time from one burst to the next', float, 600)
    .option('--turns <n>', 'mean turns of a session', float, 3)
    .option('--input-tokens <n>', 'mean new input tokens of a turn', float, 600)
    .option('--output-tokens <n>', 'mean output tokens of a turn', float, 200)
    .addOption(
      new Option('--spread <kind>', 'how lengths vary')
        .choices(['constant', 'uniform', 'lognormal'])
        .default('lognormal'),
    )
    .option('--spread-width <x>', 'uniform: part of the mean either way; lognormal: sigma', float, 0.8)
    .option('--think-time-ms <ms>', 'mean time between turns', float, 8000)
    .option('--shared-prefix-tokens <n>', 'tokens that sessions of a group share', integer, 1024)
    .option('--prefix-groups <n>', 'groups of sessions', integer, 8)
    .option('--block-size <tokens>', 'tokens per hash id', positiveInteger, 512)
    .option('--max-context-tokens <n>', 'turns stop before the context exceeds this', positiveInteger, 32768)
    .option('--seed <seed>', 'seed of everything random (default: 1)', wholeNumber)
    .option('-o, --output <path>', 'file to write (default: standard output)')
    .option('--force', 'write over an existing file')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => runGenerate(flags));
}

async function runGenerate(flags: Flags): Promise<void> {
  const { generateTrace } = await import('../workload/generate.js');
  const rows = generateTrace(toOptions(flags));
  await writeRows(rows, flags.output, { force: flags.force === true });
}

function toOptions(flags: Flags): GenerateOptions {
  const atLeast = (name: string, value: number, min: number): number => {
    if (!(value >= min && Number.isFinite(value)))
      throw new InputError(`--${name}: must be a number of at least ${min}, found ${value}`);
    return value;
  };
  if (!(flags.rate > 0 && Number.isFinite(flags.rate)))
    throw new InputError(`--rate: must be a positive number, found ${flags.rate}`);
  if (!(flags.burstEverySeconds > flags.burstSeconds && Number.isFinite(flags.burstEverySeconds)))
    throw new InputError(
      `--burst-every-seconds: must be above --burst-seconds ${flags.burstSeconds}, found ${flags.burstEverySeconds}`,
    );
  const width = atLeast('spread-width', flags.spreadWidth, 0);
  return {
    requests: flags.requests,
    seed: flags.seed ?? 1n,
    sessionsPerSecond: flags.rate,
    bursts: {
      factor: atLeast('burst-factor', flags.burstFactor, 1),
      seconds: atLeast('burst-seconds', flags.burstSeconds, 0),
      everySeconds: flags.burstEverySeconds,
    },
    meanTurns: atLeast('turns', flags.turns, 1),
    inputTokens: atLeast('input-tokens', flags.inputTokens, 1),
    outputTokens: atLeast('output-tokens', flags.outputTokens, 1),
    spread: spreadOf(flags.spread, width),
    thinkTimeMs: atLeast('think-time-ms', flags.thinkTimeMs, 0),
    sharedPrefixTokens: atLeast('shared-prefix-tokens', flags.sharedPrefixTokens, 0),
    prefixGroups: atLeast('prefix-groups', flags.prefixGroups, 0),
    blockTokens: flags.blockSize,
    maxContextTokens: flags.maxContextTokens,
  };
}

function spreadOf(kind: Spread['kind'], width: number): Spread {
  if (kind === 'uniform') return { kind, ratio: Math.min(width, 1) };
  return kind === 'lognormal' ? { kind, sigma: width } : { kind };
}

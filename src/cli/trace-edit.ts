import { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { float, positiveInteger } from './flags.js';
import { writeRows } from './output.js';
import { withSource } from './trace-source.js';

interface OutputFlags {
  output?: string;
  force?: boolean;
}

interface SliceFlags extends OutputFlags {
  fromSeconds: number;
  toSeconds: number;
  first?: number;
  maxGap: number;
}

interface ScaleFlags extends OutputFlags {
  rate: number;
  input: number;
  outputTokens: number;
  blockSize: number;
}

export function sliceCommand(): Command {
  return withOutput(new Command('slice'))
    .description('Take a part of a Mooncake trace, by time or number of requests')
    .argument('<file>', 'trace to read; .gz and .zst are unpacked')
    .option('--from-seconds <s>', 'requests from this time on', float, 0)
    .option('--to-seconds <s>', 'requests before this time', float, Number.POSITIVE_INFINITY)
    .option('--max-gap <s>', 'cut times without a request down to this', float, Number.POSITIVE_INFINITY)
    .option('--first <n>', 'at most so many requests (or sessions)', positiveInteger)
    .addHelpText(
      'after',
      `
Examples:
  dynosim trace slice chat.jsonl --to-seconds 300 --output first-minutes.jsonl
  dynosim trace slice chat.jsonl --from-seconds 600 --first 500 | head`,
    )
    .action((file: string, flags: SliceFlags) =>
      withSource(file, async (source) => {
        const { slice } = await import('../traces/edit.js');
        const span = { fromMs: flags.fromSeconds * 1000, toMs: flags.toSeconds * 1000 };
        const most = flags.first ?? Number.POSITIVE_INFINITY;
        const rows = slice(source, { ...span, most, maxGapMs: 1000 * flags.maxGap });
        return writeRows(rows, flags.output, { force: flags.force === true, inputs: [file] });
      }),
    );
}

export function scaleCommand(): Command {
  return withOutput(new Command('scale'))
    .description('Make a Mooncake trace faster or slower, its prompts and outputs longer or shorter')
    .argument('<file>', 'trace to read; .gz and .zst are unpacked')
    .option('--rate <x>', 'times as many arrivals per second', float, 1)
    .option('--input <x>', 'times as long prompts; what is added is shared by nobody', float, 1)
    .option('--output-tokens <x>', 'times as long outputs', float, 1)
    .option('--block-size <tokens>', 'tokens per hash id', positiveInteger, 512)
    .addHelpText(
      'after',
      `
Examples:
  dynosim trace scale chat.jsonl --rate 2 --output busy.jsonl
  dynosim trace scale chat.jsonl --input 1.5 --output-tokens 0.5 --output longer.jsonl`,
    )
    .action((file: string, flags: ScaleFlags) =>
      withSource(file, async (source) => {
        const { scale } = await import('../traces/edit.js');
        const factors = { rate: flags.rate, input: flags.input, output: flags.outputTokens };
        const flagged = { rate: flags.rate, input: flags.input, 'output-tokens': flags.outputTokens };
        for (const [name, factor] of Object.entries(flagged))
          if (!(factor > 0 && Number.isFinite(factor)))
            throw new InputError(`--${name}: must be a positive number, found ${factor}`);
        return writeRows(scale(source, factors, flags.blockSize), flags.output, {
          force: flags.force === true,
          inputs: [file],
        });
      }),
    );
}

function withOutput(command: Command): Command {
  return command
    .option('-o, --output <path>', 'file to write (default: standard output)')
    .option('--force', 'write over an existing file');
}

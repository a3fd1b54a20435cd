import { Command } from 'commander';
import type { FormatName } from '../traces/formats.js';
import { float, positiveInteger } from './flags.js';
import { writeRows } from './output.js';
import { FORMATS_HELP, formatOption, withSource } from './trace-source.js';

const EXAMPLES = `
Examples:
  dynosim trace convert AzureLLMInferenceTrace_conv.csv --format azure --output azure.jsonl
  dynosim trace convert qwen_traceA_blksz_16.jsonl --format bailian --output qwen.jsonl
  dynosim trace convert traces.jsonl.gz --format weka --output agents.jsonl`;

interface Flags {
  format: FormatName;
  output?: string;
  force?: boolean;
  blockSize: number;
  charactersPerToken: number;
}

export function convertCommand(): Command {
  return new Command('convert')
    .description('Turn a foreign trace into Mooncake rows that replay takes')
    .argument('<file>', 'trace to read; .gz and .zst are unpacked')
    .addOption(formatOption().makeOptionMandatory())
    .option('--block-size <tokens>', 'tokens per hash id, where the format has none', positiveInteger, 512)
    .option('--characters-per-token <n>', 'for formats that hold text', float, 4)
    .option('-o, --output <path>', 'file to write (default: standard output)')
    .option('--force', 'write over an existing file')
    .addHelpText('after', `${FORMATS_HELP}\n${EXAMPLES}`)
    .action((file: string, flags: Flags) => runConvert(file, flags));
}

async function runConvert(path: string, flags: Flags): Promise<void> {
  const [{ IMPORTERS }, { convert, emptyConversion }] = await Promise.all([
    import('../traces/importers.js'),
    import('../traces/convert.js'),
  ]);
  const importer = IMPORTERS[flags.format];
  const { blockSize: blockTokens, charactersPerToken } = flags;
  const done = emptyConversion(importer.blockTokens ?? blockTokens);
  await withSource(path, (source) =>
    writeRows(
      convert(importer, source, { blockTokens, charactersPerToken }, done),
      flags.output,
      flags.force === true,
    ),
  );
  const format = importer.isGraph ? ' --trace-format agentic_mooncake' : '';
  const block = done.blockTokens === 512 ? '' : ` --trace-block-size ${done.blockTokens}`;
  process.stderr.write(
    `${done.rows} rows, ${done.inputTokens} input and ${done.outputTokens} output tokens${done.leftOut > 0 ? `; left out ${done.leftOut} requests without a prompt` : ''}; replay with: dynosim replay ${flags.output ?? 'FILE'}${format}${block}\n`,
  );
}

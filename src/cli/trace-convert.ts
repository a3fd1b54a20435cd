import { Command } from 'commander';
import { counted, grouped } from '../report/words.js';
import type { Conversion } from '../traces/convert.js';
import { writeRows } from './output.js';
import { addReadFlags, type ReadFlags, withTrace } from './trace-source.js';

const EXAMPLES = `
Examples:
  dynosim trace convert AzureLLMInferenceTrace_conv.csv --output azure.jsonl
  dynosim trace convert qwen_traceA_blksz_16.jsonl --open-loop --output qwen.jsonl
  dynosim trace convert ~/.claude/projects/app/session.jsonl --output agent.jsonl
  zcat log.jsonl.gz | dynosim trace convert - --format requests | head`;

interface Flags extends ReadFlags {
  output?: string;
  force?: boolean;
  openLoop?: boolean;
}

export function convertCommand(): Command {
  return addReadFlags(new Command('convert'), EXAMPLES)
    .description('Turn a foreign trace into Mooncake rows that replay takes')
    .option(
      '--open-loop',
      'turns of a session at their recorded times, whether or not the one before has ended',
    )
    .option('-o, --output <path>', 'file to write (default: standard output)')
    .option('--force', 'write over an existing file')
    .action((file: string, flags: Flags) => runConvert(file, flags));
}

async function runConvert(path: string, flags: Flags): Promise<void> {
  const { convert, emptyConversion } = await import('../traces/convert.js');
  await withTrace(path, flags, async ({ source, importer, options, format }) => {
    const done = emptyConversion(options.blockTokens);
    const rows = convert(importer, source, options, done, flags.openLoop ? 'open-loop' : 'sessions');
    await writeRows(rows, flags.output, { force: flags.force === true, inputs: [path] });
    const rowFormat = importer.isGraph
      ? 'agentic_mooncake'
      : format === 'mooncake-delta'
        ? format
        : undefined;
    const formatFlag = rowFormat === undefined ? '' : ` --trace-format ${rowFormat}`;
    process.stderr.write(
      `${format}: ${summary(done)}; replay with: dynosim replay ${flags.output ?? 'FILE'}${formatFlag}${blockFlag(done)}\n`,
    );
  });
}

function summary({ rows, sessions, inputTokens, outputTokens, leftOut }: Conversion): string {
  const parts = [
    `${counted(rows, 'row')}${sessions > 0 ? ` in ${counted(sessions, 'session')}` : ''}, ${grouped(inputTokens)} input and ${grouped(outputTokens)} output tokens`,
  ];
  for (const [reason, count] of leftOut) parts.push(`left out ${grouped(count)}: ${reason}`);
  return parts.join('; ');
}

function blockFlag({ blockTokens }: Conversion): string {
  return blockTokens === 512 ? '' : ` --trace-block-size ${blockTokens}`;
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../config/input-error.js';
import { FORMATS, type FormatName } from '../config/trace-formats.js';
import type { Importer, ImportOptions, TraceSource } from '../traces/form.js';
import type { TextFile } from '../workload/text-file.js';
import { float, positiveInteger, wholeNumber } from './flags.js';

/** Flags on how a trace is to be read. */
export interface ReadFlags {
  format?: FormatName;
  blockSize: number;
  charactersPerToken: number;
  rate?: number;
  seed?: bigint;
  span?: { fromS: number; toS: number };
}

/** A trace with what reads it. */
export interface OpenTrace {
  file: TextFile;
  source: TraceSource;
  format: FormatName;
  importer: Importer;
  options: ImportOptions;
}

/** Formats that can be read, a line each, for help. */
const FORMATS_HELP = `
Formats:
${Object.entries(FORMATS)
  .map(([name, title]) => `  ${name.padEnd(22)} ${title}`)
  .join('\n')}`;

export function addReadFlags(command: Command, examples: string): Command {
  return command
    .argument('<file>', 'trace to read, - for standard input; .gz and .zst are unpacked')
    .addOption(
      new Option('--format <name>', 'what the file is (default: told by its content)').choices(
        Object.keys(FORMATS),
      ),
    )
    .option('--block-size <tokens>', 'tokens per hash id, where the format has none', positiveInteger, 512)
    .option('--characters-per-token <n>', 'for formats that hold text', float, 4)
    .option('--rate <rps>', 'Poisson arrivals per second in place of the times of the trace', float)
    .option('--seed <seed>', 'seed of those arrivals (default: 42)', wholeNumber)
    .option('--span <from-to>', 'seconds to make requests for (servegen-chunks; default: 0-3600)', spanOf)
    .addHelpText('after', `${FORMATS_HELP}\n${examples}`);
}

function spanOf(text: string): { fromS: number; toS: number } {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (from === undefined || !(Number(to) > Number(from)))
    throw new InvalidArgumentError('expected seconds such as 72000-75600');
  return { fromS: Number(from), toS: Number(to) };
}

/** Opens a trace, packed or not, while `use` needs it. @throws {InputError} for what is no trace */
export async function withTrace<T>(
  path: string,
  flags: ReadFlags,
  use: (trace: OpenTrace) => Promise<T>,
): Promise<T> {
  if (flags.rate !== undefined && !(flags.rate > 0 && Number.isFinite(flags.rate)))
    throw new InputError(`--rate: must be a positive number, found ${flags.rate}`);
  const [{ IMPORTERS }, { sourceOf }] = await Promise.all([
    import('../traces/importers.js'),
    import('../traces/source.js'),
  ]);
  return withFile(path, async (file) => {
    const format = flags.format ?? (await formatOf(file));
    if (flags.span && format !== 'servegen-chunks')
      throw new InputError(
        `--span: is for servegen-chunks, the file is ${format}; trace slice takes a part of rows`,
      );
    const importer = IMPORTERS[format];
    const { blockSize: blockTokens, charactersPerToken, rate: requestsPerSecond, seed } = flags;
    const options = {
      blockTokens: importer.blockTokens ?? blockTokens,
      charactersPerToken,
      requestsPerSecond,
      seed,
      span: flags.span,
    };
    try {
      return await use({ file, source: sourceOf(file), format, importer, options });
    } catch (error) {
      throw await betterError(error, file, flags.format);
    }
  });
}

/** The error of a file that was taken for a format, said better where it is something else. */
async function betterError(error: unknown, file: TextFile, taken: FormatName | undefined): Promise<unknown> {
  const isOfFile = error instanceof InputError && error.message.startsWith(`${file.path}:`);
  if (!isOfFile || taken === undefined) return error;
  const { betterProblem } = await import('../traces/recognise.js');
  const better = betterProblem(error.message, file.path, file.head(), taken);
  return better === undefined ? error : new InputError(better.replace('--trace-format', '--format'));
}

/** Opens a file of lines while `use` needs it. */
export async function withSource<T>(path: string, use: (source: TraceSource) => Promise<T>): Promise<T> {
  const { sourceOf } = await import('../traces/source.js');
  return withFile(path, (file) => use(sourceOf(file)));
}

async function withFile<T>(path: string, use: (file: TextFile) => Promise<T>): Promise<T> {
  const { TextFile } = await import('../workload/text-file.js');
  const file = await TextFile.open(path, true);
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

async function formatOf(file: TextFile): Promise<FormatName> {
  const { recognise } = await import('../traces/recognise.js');
  const found = recognise(file.head());
  if (found?.format) return found.format;
  throw new InputError(
    `${file.path}: ${found?.isNot ? `is ${found.isNot}` : `no known format; name it with --format (${Object.keys(FORMATS).join(', ')})`}`,
  );
}

import { InputError } from '../config/input-error.js';
import type { Scenario, WorkloadSpec } from '../config/scenario/scenario.js';
import { type ForeignFormat, isForeign } from '../config/trace-formats.js';
import { loadWorkload, type NativeTrace, type Reading, type Workload } from '../workload/load.js';
import { TextFile } from '../workload/text-file.js';

/** Characters for a token of formats that hold text. */
const CHARACTERS_PER_TOKEN = 4;
const DEFAULT_BLOCK_TOKENS = 512;

/** Opens and checks the workload of a scenario, whatever format its trace has. @throws {InputError} for the first problem */
export async function openWorkload(scenario: Scenario, reading: Reading = {}): Promise<Workload> {
  try {
    return await loadWorkload(scenario, translated, reading);
  } catch (error) {
    throw await withHint(error, scenario.workload);
  }
}

/** Brings a trace of others into Mooncake rows; ours stay as they are. @throws {InputError} for a bad row */
async function translated(
  files: readonly TextFile[],
  { traceFormat: format, traceBlockSize }: WorkloadSpec,
): Promise<NativeTrace> {
  if (!isForeign(format)) return { files: [...files], format, hashBlockTokens: traceBlockSize };
  return imported(files[0], format, traceBlockSize);
}

async function imported(
  file: TextFile,
  format: ForeignFormat,
  blockSize: number | undefined,
): Promise<NativeTrace> {
  // Loaded here, since few replays are of foreign traces.
  const [{ IMPORTERS }, { convert, emptyConversion }, { sourceOf }] = await Promise.all([
    import('../traces/importers.js'),
    import('../traces/convert.js'),
    import('../traces/source.js'),
  ]);
  const importer = IMPORTERS[format];
  const blockTokens = importer.blockTokens ?? blockSize ?? DEFAULT_BLOCK_TOKENS;
  const done = emptyConversion(blockTokens);
  const options = { blockTokens, charactersPerToken: CHARACTERS_PER_TOKEN };
  const rows = TextFile.of(file.path, convert(importer, sourceOf(file), options, done));
  return {
    files: [rows],
    format: importer.isGraph ? 'agentic_mooncake' : 'mooncake',
    hashBlockTokens: done.blockTokens,
  };
}

/** The error of a trace that cannot be read, with what the file looks like where that is something else. */
async function withHint(error: unknown, { traceFiles = [], traceFormat }: WorkloadSpec): Promise<unknown> {
  const [path] = traceFiles;
  const isOfFile = error instanceof InputError && path !== undefined && error.message.startsWith(`${path}:`);
  if (!isOfFile || path === '-') return error;
  const { betterProblem } = await import('../traces/recognise.js');
  const file = await TextFile.open(path, isForeign(traceFormat)).catch(() => undefined);
  const better = file && betterProblem(error.message, path, file.head(), traceFormat);
  file?.close();
  return better === undefined ? error : new InputError(better);
}

import { Option } from 'commander';
import type { TraceSource } from '../traces/form.js';
import { FORMATS } from '../traces/formats.js';
import type { TextFile } from '../workload/text-file.js';

/** Formats that can be read, a line each, for help. */
export const FORMATS_HELP = `
Formats:
${Object.entries(FORMATS)
  .map(([name, title]) => `  ${name.padEnd(16)} ${title}`)
  .join('\n')}`;

export function formatOption(): Option {
  return new Option('--format <name>', 'what the file is').choices(Object.keys(FORMATS));
}

/** Reads a trace file, packed or not, while `use` needs it. */
export async function withSource<T>(path: string, use: (source: TraceSource) => Promise<T>): Promise<T> {
  const { TextFile } = await import('../workload/text-file.js');
  const file = await TextFile.open(path);
  try {
    return await use({ path, lines: () => linesOf(file) });
  } finally {
    file.close();
  }
}

function* linesOf(file: TextFile): Generator<{ line: number; text: string }> {
  let more = file.readAt(0);
  for (let line = 1; more; line++, more = file.next())
    if (!file.isBlank()) yield { line, text: file.bytes.toString('utf8', file.start, file.end).trimEnd() };
}

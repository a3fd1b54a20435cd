import type { TextFile } from '../workload/text-file.js';
import type { TraceSource } from './form.js';

/** A file as importers read it. */
export function sourceOf(file: TextFile): TraceSource {
  return { path: file.path, lines: () => linesOf(file), chunks: () => file.chunks() };
}

function* linesOf(file: TextFile): Generator<{ line: number; text: string }> {
  let more = file.readAt(0);
  for (let line = 1; more; line++, more = file.next())
    if (!file.isBlank()) yield { line, text: file.bytes.toString('utf8', file.start, file.end).trimEnd() };
}

import type { TextFile } from '../workload/text-file.js';
import type { TraceSource } from './form.js';

/** A file, or the files of a folder, as importers read them. */
export function sourceOf(file: TextFile): TraceSource {
  return new FileSource(file);
}

class FileSource implements TraceSource {
  /** The file that was read last. */
  path: string;

  constructor(private readonly file: TextFile) {
    this.path = file.path;
  }

  private get parts() {
    return this.file.parts ?? [{ path: this.file.path, offset: 0 }];
  }

  *lines(): Generator<{ line: number; text: string }> {
    const { file, parts } = this;
    let part = 0;
    let more = file.readAt(0);
    this.path = parts[0].path;
    for (let line = 1; more; line++, more = file.next()) {
      if (part + 1 < parts.length && file.offset >= parts[part + 1].offset) {
        part++;
        line = 1;
        this.path = parts[part].path;
      }
      if (!file.isBlank()) yield { line, text: file.bytes.toString('utf8', file.start, file.end).trimEnd() };
    }
  }

  *chunks(): Generator<Uint8Array> {
    const { file, parts } = this;
    for (const [index, { path, offset }] of parts.entries()) {
      this.path = path;
      yield* file.chunks(offset, parts[index + 1]?.offset);
    }
  }
}

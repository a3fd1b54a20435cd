import { readSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { decompress } from 'fzstd';
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';

/** Columns of public datasets that are large and that nothing here reads. */
const UNREAD = new Set(['openai_moderation', 'detoxify_moderation', 'header']);

const COMPRESSORS: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
  ZSTD: (bytes, length) => decompress(bytes, new Uint8Array(length)),
};

/**
 * Rows of a Parquet file as lines of JSON, a group of rows at a time. Whole numbers keep all their digits.
 * @param bytes length of the file
 * @throws what is wrong with the file
 */
export async function* parquetLines(descriptor: number, bytes: number): AsyncGenerator<string> {
  const file: AsyncBuffer = {
    byteLength: bytes,
    slice(start, end = bytes) {
      const part = new Uint8Array(end - start);
      for (let done = 0; done < part.length; ) {
        const read = readSync(descriptor, part, done, part.length - done, start + done);
        if (read === 0) throw new Error('it ends too early');
        done += read;
      }
      return part.buffer;
    },
  };
  const metadata = await parquetMetadataAsync(file);
  const columns = metadata.schema[0].num_children === undefined ? [] : topColumns(metadata.schema);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await parquetReadObjects({
      ...{ file, metadata, rowStart, rowEnd, compressors: COMPRESSORS },
      columns: columns.filter((name) => !UNREAD.has(name)),
    });
    for (const row of rows) yield JSON.stringify(row, exactly);
    rowStart = rowEnd;
  }
}

/** Names of the columns, without what is nested in them. */
function topColumns(schema: readonly { name: string; num_children?: number }[]): string[] {
  const names: string[] = [];
  const skip = (at: number): number => {
    let next = at + 1;
    for (let child = 0; child < (schema[at].num_children ?? 0); child++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) names.push(schema[at].name);
  return names;
}

/** Integers of 64 bits as numbers, or as texts where a number would round them. */
function exactly(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

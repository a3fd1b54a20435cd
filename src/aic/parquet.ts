import { readFileSync } from 'node:fs';
import { decompress } from 'fzstd';
import { parquetMetadata, parquetRead, parquetSchema } from 'hyparquet';
import { AicError } from './aic-error.js';

/** Columns of a table by name. */
export interface Columns {
  rows: number;
  /** Numbers of a column; the same number everywhere where the file has no such column. */
  numbers(name: string, missing?: number): Float64Array;
  /** Texts of a column; empty where the file has no such column. */
  texts(name: string): readonly string[];
}

/** Reads some columns of a Parquet file, those that it has. @throws {AicError} when the file is broken */
export async function readColumns(path: string, names: readonly string[]): Promise<Columns> {
  try {
    return await readFile(path, names);
  } catch (error) {
    throw new AicError(`${path}: not a readable Parquet file: ${(error as Error).message}`);
  }
}

async function readFile(path: string, names: readonly string[]): Promise<Columns> {
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  const present = new Set(parquetSchema(metadata).children.map(({ element }) => element.name));
  const rows = Number(metadata.num_rows);
  const columns = new Map<string, ArrayLike<unknown>[]>();
  await parquetRead({
    file,
    metadata,
    columns: names.filter((name) => present.has(name)),
    compressors: { ZSTD: (input, outputLength) => decompress(input, new Uint8Array(outputLength)) },
    onChunk: ({ columnName, columnData }) => {
      const chunks = columns.get(columnName);
      if (chunks) chunks.push(columnData);
      else columns.set(columnName, [columnData]);
    },
  });
  return {
    rows,
    numbers: (name, missing = 0) => {
      const values = new Float64Array(rows).fill(missing);
      let at = 0;
      for (const chunk of columns.get(name) ?? [])
        for (let i = 0; i < chunk.length; i++, at++) if (chunk[i] != null) values[at] = Number(chunk[i]);
      return values;
    },
    texts: (name) =>
      (columns.get(name) ?? []).flatMap((chunk) => Array.from(chunk, (value) => String(value ?? ''))),
  };
}

import { readFileSync } from 'node:fs';
import { decompress } from 'fzstd';
import type { ColumnMetaData, DataReader, FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { parquetMetadata } from 'hyparquet/src/metadata.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import { AicError } from './aic-error.js';

/** Columns of a table by name. Rows have 0 or an empty text in columns that the file lacks. */
export interface Columns {
  rows: number;
  number(name: string, missing?: number): ByRow<number>;
  text(name: string): ByRow<string>;
  /** A text for each row that hangs on nothing but some columns; it is made once for each combination of values. */
  described(names: readonly string[], describe: ByRow<string>): ByRow<string>;
}

type ByRow<T> = (row: number) => T;

/** A column as positions in lists of values, one list after the other; position 0 stands for none. */
interface Coded {
  codes: Int32Array;
  lists: ArrayLike<unknown>[];
  positions: number;
}

/**
 * Reads columns of a Parquet file, each when it is asked for. Performance tables are flat and repeat few values, so
 * that pages are decoded here into the codes of their dictionaries; the library's own assembly of nested rows takes
 * several times as long.
 * @throws {AicError} when the file is broken
 */
export function readColumns(path: string): Columns {
  try {
    const bytes = readFileSync(path);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    return columnsOf(path, file, parquetMetadata(file));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): AicError {
  return new AicError(`${path}: not a readable Parquet file: ${(error as Error).message}`);
}

function columnsOf(path: string, file: ArrayBuffer, metadata: FileMetaData): Columns {
  const rows = Number(metadata.num_rows);
  const read = new Map<string, Coded>();
  const coded = (name: string): Coded => {
    let column = read.get(name);
    if (!column) {
      try {
        column = readColumn(file, metadata, name);
      } catch (error) {
        throw unreadable(path, error);
      }
      read.set(name, column);
    }
    return column;
  };
  return {
    rows,
    number: (name, missing = 0) => {
      const { codes, lists, positions } = coded(name);
      const byCode = new Float64Array(positions);
      byCode[0] = missing;
      let at = 1;
      for (const list of lists) for (let i = 0; i < list.length; i++) byCode[at++] = Number(list[i]);
      return (row) => byCode[codes[row]];
    },
    text: (name) => {
      const { codes, lists } = coded(name);
      const byCode = ['', ...lists.flatMap((list) => Array.from(list, asText))];
      return (row) => byCode[codes[row]];
    },
    described: (names, describe) => {
      const columns = names.map(coded);
      const texts = new Map<number, string>();
      return (row) => {
        let combination = 0;
        for (const { codes, positions } of columns) combination = combination * positions + codes[row];
        let text = texts.get(combination);
        if (text === undefined) {
          text = describe(row);
          texts.set(combination, text);
        }
        return text;
      };
    },
  };
}

const utf8 = new TextDecoder();

function asText(value: unknown): string {
  return value instanceof Uint8Array ? utf8.decode(value) : String(value);
}

function readColumn(file: ArrayBuffer, { num_rows, row_groups, schema }: FileMetaData, name: string): Coded {
  const column: Coded = { codes: new Int32Array(Number(num_rows)), lists: [], positions: 1 };
  const isOptional = schema.some(
    (element) => element.name === name && element.repetition_type === 'OPTIONAL',
  );
  let row = 0;
  for (const { columns } of row_groups) {
    const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema.join('.') === name)?.meta_data;
    if (chunk) row = readChunk(file, chunk, isOptional, column, row);
  }
  return column;
}

/** Appends the rows of a column chunk to a column. @returns the row after them */
function readChunk(
  file: ArrayBuffer,
  chunk: ColumnMetaData,
  isOptional: boolean,
  column: Coded,
  firstRow: number,
): number {
  const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
  const view = new DataView(file, start, Number(chunk.total_compressed_size));
  const reader: DataReader = { view, offset: 0 };
  const endRow = firstRow + Number(chunk.num_values);
  const dictionary = column.positions;
  const addValues = (page: DataReader, count: number) => {
    column.lists.push(readPlain(page, chunk.type, count, undefined));
    column.positions += count;
  };
  for (let row = firstRow; row < endRow; ) {
    const header = parquetHeader(reader);
    const page = readPage(reader, header, chunk);
    const { dictionary_page_header: entries, data_page_header: data } = header;
    if (entries) {
      addValues(page, entries.num_values);
      continue;
    }
    if (!data) throw new Error(`pages of type ${header.type} are not read`);
    const levels = isOptional ? readLevels(page, data.num_values) : undefined;
    const count = levels ? levels.reduce((sum, level) => sum + level, 0) : data.num_values;
    const codes = column.codes.subarray(row, row + count);
    if (data.encoding === 'PLAIN') {
      for (let at = 0; at < count; at++) codes[at] = column.positions + at;
      addValues(page, count);
    } else {
      readCodes(page, codes, data.encoding);
      for (let at = 0; at < count; at++) codes[at] += dictionary;
    }
    if (levels) spread(column.codes.subarray(row, row + data.num_values), levels, count);
    row += data.num_values;
  }
  return endRow;
}

function readPage(
  reader: DataReader,
  header: ReturnType<typeof parquetHeader>,
  { codec }: ColumnMetaData,
): DataReader {
  const { compressed_page_size: size, uncompressed_page_size: fullSize } = header;
  const { buffer, byteOffset } = reader.view;
  const packed = new Uint8Array(buffer, byteOffset + reader.offset, size);
  reader.offset += size;
  const bytes = decompressPage(packed, fullSize, codec, {
    ZSTD: (input, length) => decompress(input, new Uint8Array(length)),
  });
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}

/** 1 for each row of a page that has a value, 0 for the others; undefined when all have. */
function readLevels(page: DataReader, count: number): Uint8Array | undefined {
  const { offset } = page;
  const end = offset + 4 + page.view.getUint32(offset, true);
  page.offset += 4;
  const run = readVarInt(page);
  if ((run & 1) === 0 && run >>> 1 === count && page.view.getUint8(page.offset) === 1) {
    page.offset = end;
    return undefined;
  }
  page.offset = offset;
  const levels = new Uint8Array(count);
  readRleBitPackedHybrid(page, 1, levels);
  return levels;
}

/** Moves codes that lie at the beginning to the rows that have a value. */
function spread(codes: Int32Array, levels: Uint8Array, count: number): void {
  for (let row = codes.length - 1, next = count - 1; row >= 0; row--)
    codes[row] = levels[row] === 1 ? codes[next--] : 0;
}

function readCodes(page: DataReader, codes: Int32Array, encoding: string): void {
  if (encoding !== 'RLE_DICTIONARY' && encoding !== 'PLAIN_DICTIONARY')
    throw new Error(`values of encoding ${encoding} are not read`);
  const width = page.view.getUint8(page.offset++);
  if (width > 0) readRleBitPackedHybrid(page, width, codes, page.view.byteLength - page.offset);
}

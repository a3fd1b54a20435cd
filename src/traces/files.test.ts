import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { FormatName } from '../config/trace-formats.js';
import { replay } from '../replay.js';
import { TextFile } from '../workload/text-file.js';
import { convert, emptyConversion } from './convert.js';
import { IMPORTERS } from './importers.js';
import { recognise } from './recognise.js';
import { sourceOf } from './source.js';

const root = mkdtempSync(join(tmpdir(), 'dynosim-files-'));
afterAll(() => rmSync(root, { recursive: true }));

let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'));
});

async function rowsOf(path: string, format?: FormatName) {
  const file = await TextFile.open(path, true);
  try {
    const importer = IMPORTERS[format ?? recognise(file.head())!.format!];
    const options = { blockTokens: 512, charactersPerToken: 4 };
    const rows = [...convert(importer, sourceOf(file), options, emptyConversion(512))];
    return rows.map((row) => JSON.parse(row));
  } finally {
    file.close();
  }
}

const agent = (id: string, t: number) => ({
  id,
  models: ['m'],
  block_size: 64,
  requests: [0, 1].map((turn) => ({
    t: t + turn,
    type: 'n',
    in: 64,
    out: 5,
    hash_ids: [turn],
    api_time: 0.5,
  })),
});

describe('a folder', () => {
  it('is read as all of its traces, packed ones too, in order of their names', async () => {
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'b.json'), JSON.stringify(agent('b', 5), null, 2));
    writeFileSync(join(folder, 'a.json'), `\uFEFF${JSON.stringify(agent('a', 3))}`);
    writeFileSync(join(folder, 'deep', 'c.jsonl.gz'), gzipSync(JSON.stringify(agent('c', 9))));
    writeFileSync(join(folder, 'README.md'), 'no trace');
    const rows = await rowsOf(folder);
    expect(rows.map(({ request_id }) => request_id)).toEqual(['a:0', 'a:1', 'b:0', 'b:1', 'c:0', 'c:1']);
    expect(rows.map(({ timestamp }) => timestamp)).toEqual([0, undefined, 2000, undefined, 6000, undefined]);
    expect(new Set(rows.flatMap(({ hash_ids }) => hash_ids)).size).toBe(6);
  });

  it('names the file and the line that is wrong', async () => {
    const row = (extra: object) =>
      JSON.stringify({ arrival_ms: 1, input_length: 5, output_length: 5, ...extra });
    writeFileSync(join(folder, 'a.jsonl'), `${row({})}\n${row({})}\n`);
    writeFileSync(join(folder, 'b.jsonl'), `${row({})}\n\n${row({ output_length: -1 })}`);
    await expect(rowsOf(folder, 'requests')).rejects.toThrow(`${join(folder, 'b.jsonl')}:3: output_length: `);
  });

  it('needs a trace in it, and a format of which a trace is several files', async () => {
    await expect(TextFile.open(folder, true)).rejects.toThrow(
      /the folder has no .json, .jsonl or .parquet file/,
    );
    writeFileSync(join(folder, 'a.jsonl'), '{}');
    await expect(replay({ traceFiles: [folder] })).rejects.toThrow(
      /cannot open the trace file \(it is a directory\)/,
    );
  });

  it('of agents is replayed', async () => {
    for (const name of ['a', 'b'])
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(agent(name, 0)));
    const { report } = await replay({ traceFiles: [folder], traceFormat: 'weka' });
    expect(report.completed_requests).toBe(4);
  });
});

describe('clients of ServeGen', () => {
  const dataset = (input: string, output: string) => ({ input_tokens: input, output_tokens: output });

  beforeEach(() => {
    const write = (client: number, windows: string, lengths: object) => {
      writeFileSync(join(folder, `chunk-${client}-trace.csv`), windows);
      writeFileSync(join(folder, `chunk-${client}-dataset.json`), JSON.stringify(lengths, null, 2));
    };
    write(0, '0,0.5,2,Gamma,0.25,8\n600,0,0,,0,0\n1200,0.1,1,Weibull,0.5,3\n', {
      0: dataset('{100: 0.5, 1000: 0.5}', '{10: 0.5, 20: 0.5}'),
      1200: dataset('{7: 1.0}', '{3: 1.0}'),
    });
    write(1, '0,1.001,1,Weibull,1,1\n600,0.01,1,Gamma,2,5\n1200,0,0,,0,0\n', {
      0: dataset('{50: 1}', '{5: 1}'),
      1200: dataset('{}', '{}'),
    });
  });

  it('send what their rates say, in order of time, the same each time', async () => {
    const rows = await rowsOf(folder);
    const of = (from: number, to: number, inputs: number[]) =>
      rows.filter(
        ({ timestamp, input_length }) =>
          timestamp + firstMs > from && timestamp + firstMs <= to && inputs.includes(input_length),
      ).length;
    // Times count from the first request; the last one of a window comes at its end.
    const firstMs = 600_000 - rows.findLast(({ input_length }) => input_length > 60)!.timestamp;
    expect(of(0, 600_000.01, [100, 1000])).toBe(300);
    expect(of(0, 600_000.01, [50])).toBe(601);
    expect(of(600_000.01, 1_200_000.01, [50])).toBe(6);
    expect(of(1_200_000.01, 1_800_000.01, [7])).toBe(60);
    expect(rows).toHaveLength(300 + 601 + 6 + 60);
    const times = rows.map(({ timestamp }) => timestamp);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // One draw decides both lengths.
    for (const { input_length, output_length } of rows)
      expect(output_length).toBe({ 100: 10, 1000: 20, 50: 5, 7: 3 }[input_length as number]);
    const long = rows.filter(({ input_length }) => input_length === 1000).length;
    expect(long).toBeGreaterThan(100);
    expect(long).toBeLessThan(200);
    expect(await rowsOf(folder)).toEqual(rows);
  });

  it.each<[string, string, RegExp]>([
    [
      'chunk-0-trace.csv',
      '0,1,1,Poisson,1,1',
      /chunk-0-trace.csv:1: pattern: expected Gamma or Weibull, found Poisson/,
    ],
    [
      'chunk-0-trace.csv',
      '0,1,1,Gamma,0,1',
      /chunk-0-trace.csv:1: shape: expected a number above 0, found 0/,
    ],
    [
      'chunk-1-dataset.json',
      '{"0": {"input_tokens": "{1: 1}"}}',
      /output_tokens: expected a text, found nothing/,
    ],
    ['other.json', '{}', /other.json: expected chunk-\*-trace.csv/],
  ])('%s: %s is refused', async (name, text, says) => {
    writeFileSync(join(folder, name), text);
    await expect(rowsOf(folder, 'servegen-chunks')).rejects.toThrow(says);
  });
});

/** A column of conversations, each a list of what was said, as the datasets of Hugging Face have it. */
const LIST = {
  name: 'conversation',
  schema: [
    { name: 'conversation', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', num_children: 3 },
    { name: 'content', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    { name: 'role', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    { name: 'timestamp', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'OPTIONAL' },
  ],
} as const;

function writeChats(path: string, ids: object, chats: readonly object[][]): void {
  const [idName] = Object.keys(ids);
  const bytes = parquetWriteBuffer({
    schema: [
      { name: 'root', num_children: 2 },
      { name: idName, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ...LIST.schema,
    ],
    columnData: [
      { name: idName, data: Object.values(ids)[0] },
      { name: 'conversation', data: chats.map((chat) => [...chat]) },
    ],
    rowGroupSize: 2,
  });
  writeFileSync(path, new Uint8Array(bytes));
}

describe('a Parquet file', () => {
  const said = (role: string, characters: number, seconds?: number) => ({
    role,
    content: 'x'.repeat(characters),
    ...(seconds !== undefined && { timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)) }),
  });

  it('of LMSYS: conversations are sessions whose prompts grow', async () => {
    const path = join(folder, 'lmsys.parquet');
    const chats = [4096, 40, 8].map((first) => [
      said('user', first),
      said('assistant', 400),
      said('user', 20),
      said('assistant', 80),
    ]);
    writeChats(path, { conversation_id: ['a', 'b', 'c'] }, chats);
    const rows = await rowsOf(path);
    expect(rows.map(({ session_id, timestamp, delay }) => [session_id, timestamp, delay])).toEqual([
      ['a', 0, undefined],
      ['a', undefined, 0],
      ['b', 1000, undefined],
      ['b', undefined, 0],
      ['c', 2000, undefined],
      ['c', undefined, 0],
    ]);
    expect(rows.map(({ input_length, output_length }) => [input_length, output_length])).toEqual([
      [1024, 100],
      [1129, 20],
      [10, 100],
      [115, 20],
      [2, 100],
      [107, 20],
    ]);
    expect(rows[1].hash_ids.slice(0, 2)).toEqual(rows[0].hash_ids);
  });

  it('of WildChat: turns have their times', async () => {
    const path = join(folder, 'wild.parquet');
    const chats = [
      [said('user', 40, 10), said('assistant', 40, 14), said('user', 40, 20), said('assistant', 40, 21)],
      [said('user', 40), said('assistant', 40, 12), said('user', 40), said('assistant', 40, 30)],
    ];
    writeChats(path, { conversation_hash: ['a', 'b'] }, chats);
    const rows = await rowsOf(path);
    expect(rows.map(({ session_id, timestamp, delay }) => [session_id, timestamp, delay])).toEqual([
      ['a', 0, undefined],
      ['a', undefined, 6000],
      ['b', 2000, undefined],
      ['b', undefined, 18_000],
    ]);
  });

  it('that is broken says so', async () => {
    const path = join(folder, 'broken.parquet');
    writeFileSync(path, 'PAR1 and nothing behind it');
    await expect(TextFile.open(path)).rejects.toThrow(/broken.parquet: cannot unpack the trace file/);
  });
});

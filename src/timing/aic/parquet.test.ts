import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Columns, readColumns } from './parquet.js';

const folder = mkdtempSync(join(tmpdir(), 'dynosim-parquet-'));
afterAll(() => rmSync(folder, { recursive: true }));

function columns(base64: string): Columns {
  const path = join(folder, 'table.parquet');
  writeFileSync(path, Buffer.from(base64, 'base64'));
  return readColumns(path);
}

/** The same five rows, written by pyarrow 26 with all values in dictionaries, and with the numbers plain. */
const TABLES = {
  'ZSTD, dictionaries':
    'UEFSMRUEFRQVJkwVBBUAEgAAKLUv/SAKUQAAAQAAAGEBAAAAYhUAFRIVJCwVChUQFQYVBhwAAAAotS/9IAlJAAACAAAAAw0BAwIVBBUwFTBMFQYVABIAACi1L/0gGH0AADgBAAIAAQAAAgDA4AFgARUAFRQVJiwVChUQFQYVBhwAAAAotS/9IApRAAACAAAAAxMCAyQAFQQVMBVCTBUGFQASAAAotS/9IBjBAAAAAAAAAADgPwAAAAAAAPg/AAAAAAAABEAVABUUFSYsFQoVEBUGFQYcAAAAKLUv/SAKUQAAAgAAAAMdAgMkABUEFRAVIkwVAhUAEgAAKLUv/SAIQQAACAAAAAAAAAAVABUSFSQsFQoVEBUGFQYcAAAAKLUv/SAJSQAAAgAAAAoBAQoAFQQZXDUAGAZzY2hlbWEVCAAVDCUCGARraW5kJQBMHAAAABUEJQIYBHNpemUAFQolAhgCbXMAFQQlAhgEZ3B1cwAWChkcGUwmABwVDBk1AAYQGRgEa2luZBUMFgoWaBaMASZKJggpLBUEFQAVAgAVABUQFQIAPBYGGQYZJgQGAAAAJgAcFQQZNQAGEBkYBHNpemUVDBYKFoYBFpgBJuABJpQBKSwVBBUAFQIAFQAVEBUCADwpBhkmBAYAAAAmABwVChk1AAYQGRgCbXMVDBYKFoYBFqoBJooDJqwCKSwVBBUAFQIAFQAVEBUCADwpBhkmAggAAAAmABwVBBk1AAYQGRgEZ3B1cxUMFgoWZBaIASaUBCbWAyksFQQVABUCABUAFRAVAgA8KQYZJgAKAAAAFtgDFgomCBbWBAAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGUwcAAAcAAAcAAAcAAAAawEAAFBBUjE=',
  'Snappy, plain numbers':
    'UEFSMRUEFRQVGEwVBBUAEgAACiQBAAAAYQEAAABiFQAVEhUWLBUKFRAVBhUGHAAAAAkgAgAAAAMNAQMCFQAVPBU2LBUKFQAVBhUGHAAAAB4cAgAAAAMTAQAJAQEOLAAAAAAAAAAAAAEAABUAFUwVQCwVChUAFQYVBhwAAAAmGAIAAAADHQAFAQTgPwUHBAD4DQgkBEAAAAAAAADgPxUAFVwVHiwVChUAFQYVBhwAAAAuHAIAAAAKAQgACQF+CAAVBBlcNQAYBnNjaGVtYRUIABUMJQIYBGtpbmQlAEwcAAAAFQQlAhgEc2l6ZQAVCiUCGAJtcwAVBCUCGARncHVzABYKGRwZTCYAHBUMGTUABhAZGARraW5kFQIWChZoFnAmPCYIKSwVBBUAFQIAFQAVEBUCADwWBhkGGSYEBgAAACYAHBUEGSUGABkYBHNpemUVAhYKFmIWXCZ4SRwVABUAFQIAPCkGGSYEBgAAACYAHBUKGSUGABkYAm1zFQIWChZyFmYm1AFJHBUAFQAVAgA8KQYZJgIIAAAAJgAcFQQZJQYAGRgEZ3B1cxUCFgoWggEWRCa6AkkcFQAVABUCADwpBhkmAAoAAAAWvgMWCiYIFvYCACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZTBwAABwAABwAABwAAABEAQAAUEFSMQ==',
};

describe.each(Object.entries(TABLES))('a table of five rows (%s)', (_, base64) => {
  const table = columns(base64);
  const rows = [0, 1, 2, 3, 4];

  it('reads texts and numbers, and what stands for missing ones', () => {
    expect(table.rows).toBe(5);
    expect(rows.map(table.text('kind'))).toEqual(['a', '', 'b', 'a', '']);
    expect(rows.map(table.number('size', -1))).toEqual([1, 2, -1, -1, 2 ** 40]);
    expect(rows.map(table.number('ms', Number.NaN))).toEqual([0.5, Number.NaN, 1.5, 2.5, 0.5]);
    expect(rows.map(table.text('gpus'))).toEqual(['8', '8', '8', '8', '8']);
  });

  it('takes columns that are not there for empty ones', () => {
    expect(rows.map(table.number('none', 7))).toEqual([7, 7, 7, 7, 7]);
    expect(rows.map(table.text('none'))).toEqual(['', '', '', '', '']);
  });

  it('describes each value of a dictionary once', () => {
    const asked: number[] = [];
    const describe = table.described(['kind'], (row) => {
      asked.push(row);
      return `${table.text('kind')(row)}${table.text('gpus')(row)}`;
    });
    expect(rows.map(describe)).toEqual(['a8', '8', 'b8', 'a8', '8']);
    expect(asked).toEqual([0, 1, 2]);
  });
});

it('says which file cannot be read', () => {
  expect(() => columns(Buffer.from('no parquet here').toString('base64'))).toThrow(
    /table\.parquet: not a readable Parquet file/,
  );
});

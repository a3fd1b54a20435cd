import { readFileSync } from 'node:fs';
import { InputError } from '../config/input-error.js';
import { type MeasuredPass, TableTiming } from './table.js';

const COLUMNS = ['phase', 'batch', 'tokens', 'context', 'ms'] as const;

/** Reads measured passes from a CSV file with a header, or a JSON list of objects. @throws {InputError} */
export function readTable(path: string): TableTiming {
  return new TableTiming(readPasses(path));
}

/** The rows of such a file. @throws {InputError} with file, line and field */
export function readPasses(path: string): MeasuredPass[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`${path}: cannot be read (${(error as Error).message})`);
  }
  const rows = text.trimStart().startsWith('[') ? jsonRows(text, path) : csvRows(text, path);
  const passes = rows.map(({ where, row }) => toPass(row, where));
  for (const phase of ['prefill', 'decode'] as const)
    if (!passes.some((pass) => pass.phase === phase)) throw new InputError(`${path}: has no ${phase} row`);
  return passes;
}

interface Row {
  where: string;
  row: Record<string, unknown>;
}

function jsonRows(text: string, path: string): Row[] {
  try {
    return (JSON.parse(text) as Record<string, unknown>[]).map((row, index) => ({
      where: `${path}: entry ${index + 1}`,
      row,
    }));
  } catch (error) {
    throw new InputError(`${path}: not valid JSON: ${(error as Error).message}`);
  }
}

function csvRows(text: string, path: string): Row[] {
  const lines = text.split(/\r?\n/);
  const header = lines[0].split(',').map((name) => name.trim());
  const missing = COLUMNS.filter((name) => !header.includes(name));
  if (missing.length > 0) throw new InputError(`${path}:1: has no column ${missing.join(', ')}`);
  return lines
    .map((line, index) => ({ line, where: `${path}:${index + 1}` }))
    .slice(1)
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, where }) => {
      const cells = line.split(',').map((cell) => cell.trim());
      return { where, row: Object.fromEntries(header.map((name, index) => [name, cells[index]])) };
    });
}

function toPass(row: Record<string, unknown>, where: string): MeasuredPass {
  const { phase } = row;
  if (phase !== 'prefill' && phase !== 'decode')
    throw new InputError(`${where}: phase: expected prefill or decode, found ${String(phase)}`);
  const number = (name: string) => {
    const value = row[name] === '' || row[name] === undefined ? Number.NaN : Number(row[name]);
    if (!(Number.isFinite(value) && value >= 0))
      throw new InputError(`${where}: ${name}: expected a number of at least 0, found ${String(row[name])}`);
    return value;
  };
  return {
    phase,
    batch: number('batch'),
    tokens: number('tokens'),
    context: number('context'),
    ms: number('ms'),
  };
}

import { parquetWriteBuffer } from 'hyparquet-writer';
import type { SweepRecord } from './optimize/ranking.js';
import type { Comparison, SearchTables } from './optimize/search.js';

/** Tables as JSON, under the reference's keys. Infinite penalties of failed runs have no form in JSON and become null. */
export function tablesJson(tables: SearchTables): object {
  return {
    columns: columnsOf(tables.evaluated),
    evaluated: tables.evaluated,
    feasible: tables.feasible,
    best_feasible: tables.bestFeasible,
    best_infeasible: tables.bestInfeasible,
  };
}

export function comparisonJson({ agg, disagg, chosen, chosenMode }: Comparison): object {
  return { agg: tablesJson(agg), disagg: tablesJson(disagg), chosen, chosen_mode: chosenMode };
}

/** Columns in the order of their first appearance. */
function columnsOf(records: readonly SweepRecord[]): string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))];
}

/** A table as CSV with a head; empty where there is no value. */
export function csvText(records: readonly SweepRecord[]): string {
  const columns = columnsOf(records);
  const lines = records.map((record) => columns.map((column) => csvCell(record[column])).join(','));
  return `${[columns.join(','), ...lines].join('\n')}\n`;
}

function csvCell(value: SweepRecord[string] | undefined): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table as a Parquet file, with a column of doubles, booleans or strings each. */
export function parquetBytes(records: readonly SweepRecord[]): Uint8Array {
  const columnData = columnsOf(records).map((name) => {
    const data = records.map((record) => record[name] ?? null);
    const sample = data.find((value) => value !== null);
    const type =
      typeof sample === 'string'
        ? ('STRING' as const)
        : typeof sample === 'boolean'
          ? ('BOOLEAN' as const)
          : ('DOUBLE' as const);
    return { name, data, type };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

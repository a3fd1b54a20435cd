import { availableParallelism } from 'node:os';
import Table from 'cli-table3';
import type { Command } from 'commander';
import pc from 'picocolors';
import type { JsonObject } from '../config/json.js';
import { plannerJson } from '../setup/planner/config-source.js';
import type { GridRow } from '../sweep/planner/grid.js';
import { configuredSettings } from './config-file.js';
import type { Target } from './output.js';
import { flagSettings, type GivenSettings } from './replay-flags.js';

/** Flags of commands that run several planners. */
export interface RunsFlags {
  json?: string;
  csv?: string;
  threads?: number;
  config?: string;
  set?: string[];
  gpuHourPrice?: number;
  force?: boolean;
  quiet?: boolean;
}

/** Settings that all runs have in common, the planner's as an object. @throws {InputError} */
export function commonSettings(command: Command, files: readonly string[], flags: RunsFlags): GivenSettings {
  const given =
    flags.config === undefined && flags.set === undefined
      ? flagSettings(command, files)
      : configuredSettings(command, files, flags.config, flags.set ?? []);
  const planner = given.json.get('planner_config');
  if (planner === undefined) return given;
  const json: JsonObject = new Map(given.json);
  json.set('planner_config', plannerJson(planner, '--planner-config').json);
  return { ...given, json };
}

/** As many as there are cores, unless told otherwise. */
export function threadsOf({ threads }: RunsFlags, runs: number): number {
  return Math.max(1, Math.min(threads ?? availableParallelism(), runs));
}

type Cell = number | string | null | undefined;

/** Rows under the names of their columns; the names say units. */
export function runsTable(rows: readonly Readonly<Record<string, Cell>>[], isColored: boolean): string {
  const color = pc.createColors(isColored);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const table = new Table({
    head: columns.map((column) => color.bold(column.replaceAll('_', ' '))),
    style: { head: [], border: [], compact: true },
    wordWrap: true,
    colAligns: columns.map(() => 'right' as const),
  });
  for (const row of rows) table.push(columns.map((column) => cellText(column, row[column])));
  return `${table.toString()}\n`;
}

function cellText(column: string, value: Cell): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'string') return value;
  const digits = column.endsWith('_ms') ? 1 : column.includes('attainment') || column === 'gpu_hours' ? 4 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** The files that are asked for. */
export function outputTargets({ json, csv }: RunsFlags): Target[] {
  return [
    ...(json === undefined ? [] : [{ option: '--json', path: json }]),
    ...(csv === undefined ? [] : [{ option: '--csv', path: csv }]),
  ];
}

/** Rows with what their GPUs cost. */
export function withCost(rows: readonly GridRow[], gpuHourPrice: number | undefined): GridRow[] {
  if (gpuHourPrice === undefined) return [...rows];
  const priced = ([key, value]: [string, GridRow[string]]): [string, GridRow[string]][] =>
    key === 'gpu_hours'
      ? [
          [key, value],
          ['cost', Number(value) * gpuHourPrice],
        ]
      : [[key, value]];
  return rows.map((row) => Object.fromEntries(Object.entries(row).flatMap(priced)));
}

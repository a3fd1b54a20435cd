import type { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { readScenario } from '../setup/scenario.js';
import { type Cliff, cliffsOf, type Grid, type GridRow, gridRows, runGrid } from '../sweep/planner/grid.js';
import { plannedPool } from '../sweep/planner/planned-pool.js';
import { gridOf, readAxis } from '../sweep/planner/vary.js';
import { csvText } from '../sweep/table-files.js';
import { columnPlot } from './bars.js';
import { OutputFiles } from './output.js';
import {
  commonSettings,
  outputTargets,
  type RunsFlags,
  runsTable,
  threadsOf,
  withCost,
} from './planner-runs.js';
import { ReplayCounter } from './progress.js';

export interface SweepFlags extends RunsFlags {
  vary: string[];
  plot?: boolean;
}

const PLOTTED = [
  ['attainment', 'attainment'],
  ['GPU hours', 'gpu_hours'],
  ['scaling events', 'scaling_events'],
  ['p90 TTFT (ms)', 'p90_ttft_ms'],
  ['p90 ITL (ms)', 'p90_itl_ms'],
] as const;

/** Runs a planner over a grid of settings, and says where the goals break. @throws {InputError} */
export async function runPlannerSweep(
  command: Command,
  files: readonly string[],
  flags: SweepFlags,
): Promise<void> {
  const { json, names } = commonSettings(command, files, flags);
  const axes = flags.vary.map(readAxis);
  const points = gridOf(json, axes);
  const { control } = readScenario(points[0].settings, names);
  if (!control.planner)
    throw new InputError(`${names.of('planner')}: needed, or ${names.short('planner_config')}`);
  const outputs = OutputFiles.open(outputTargets(flags), { force: flags.force === true, inputs: files });
  let done = 0;
  const progress = new ReplayCounter(flags.quiet === true, points.length);
  const pool = plannedPool(threadsOf(flags, points.length));
  let grid: Grid;
  try {
    grid = await runGrid(pool, axes, points, () => progress.callback(++done));
    const rows = withCost(gridRows(grid), flags.gpuHourPrice);
    const cliffs = cliffsOf(grid, control.attainment);
    if (flags.json !== undefined) await outputs.write(flags.json, [`${sweepJson(grid, rows, cliffs)}\n`]);
    if (flags.csv !== undefined) await outputs.write(flags.csv, [csvText(rows)]);
    outputs.commit();
    progress.stop();
    if (!flags.quiet) process.stdout.write(sweepText(grid, rows, cliffs, flags));
  } finally {
    outputs.discard();
    progress.stop();
    await pool.close();
  }
}

function sweepJson({ axes, outcomes }: Grid, rows: readonly GridRow[], cliffs: readonly Cliff[]): string {
  const measures = outcomes.map((outcome) => ('failure' in outcome ? null : outcome.measures));
  const runs = rows.map((row, index) => ({ ...row, measures: measures[index] }));
  return JSON.stringify({ axes, runs, cliffs }, null, 1);
}

function sweepText(
  grid: Grid,
  rows: readonly GridRow[],
  cliffs: readonly Cliff[],
  { plot }: SweepFlags,
): string {
  const lines = [runsTable(rows, process.stdout.isTTY === true)];
  const { axes } = grid;
  if (plot !== false && axes.length === 1 && axes[0].values.length > 1)
    lines.push(...plots(rows, axes[0]), '');
  lines.push(...(cliffs.length > 0 ? cliffs.map(cliffText) : ['no cliff: attainment does not break']));
  return `${lines.join('\n')}\n`;
}

function plots(rows: readonly GridRow[], { name, values }: Grid['axes'][number]): string[] {
  const ends = [`${name} ${values[0]}`, String(values[values.length - 1])] as const;
  return PLOTTED.flatMap(([title, key]) => {
    const drawn = rows.map((row) => row[key]).map((value) => (typeof value === 'number' ? value : 0));
    return drawn.some((value) => value > 0) ? ['', ...columnPlot(title, drawn, ends)] : [];
  });
}

function cliffText({ axis, at, isBreak, from, to, attainment: [before, after] }: Cliff): string {
  const others = Object.entries(at).map(([name, value]) => `${name} ${value}`);
  const where = others.length > 0 ? ` (${others.join(', ')})` : '';
  const what = isBreak ? 'attainment breaks' : 'attainment, never enough, falls most';
  return `${axis}${where}: ${what} between ${from} and ${to}: ${share(before)} before, ${share(after)} after`;
}

const share = (part: number) => `${(part * 100).toFixed(1)} %`;

import { jsonText } from '../../config/json.js';
import type { PlannedOutcome, PlannedPool, PlannedRun } from './planned-job.js';
import type { Axis, GridPoint } from './vary.js';

/** A row of the table of a grid: varied values by name, then what the run came to. */
export type GridRow = Record<string, number | string | null>;

/** Where attainment breaks along an axis. */
export interface Cliff {
  readonly axis: string;
  /** The values of the other axes. */
  readonly at: Readonly<Record<string, number | string>>;
  /** Whether attainment falls below what is wanted there; otherwise it falls most there, and was never enough before. */
  readonly isBreak: boolean;
  /** The last value before the fall, and the first after it. */
  readonly from: number | string;
  readonly to: number | string;
  readonly attainment: readonly [before: number, after: number];
}

export interface Grid {
  readonly axes: readonly Axis[];
  readonly points: readonly GridPoint[];
  readonly outcomes: readonly PlannedOutcome[];
}

/** A fall of attainment to speak of. */
const LEAST_FALL = 0.1;
const DISTRIBUTIONS = ['ttft_ms', 'itl_ms'];
const STATISTICS: readonly (readonly [column: string, key: string])[] = [
  ['p50', 'median'],
  ['p90', 'p90'],
  ['p99', 'p99'],
];

/** Runs every point of a grid. @param onDone told of each, in any order */
export async function runGrid(
  pool: PlannedPool,
  axes: readonly Axis[],
  points: readonly GridPoint[],
  onDone: (outcome: PlannedOutcome) => void = () => {},
): Promise<Grid> {
  const outcomes = await Promise.all(
    points.map(async ({ settings }) => {
      const outcome = await pool.run(jsonText(settings));
      onDone(outcome);
      return outcome;
    }),
  );
  return { axes, points, outcomes };
}

/** The table of a grid, a row a point; nothing but the error where there is one. */
export function gridRows({ axes, points, outcomes }: Grid): GridRow[] {
  return points.map(({ values }, index) => {
    const outcome = outcomes[index];
    const varied = Object.fromEntries(axes.map(({ name }, axis) => [name, values[axis]]));
    return { ...varied, ...('failure' in outcome ? { error: outcome.failure } : measured(outcome)) };
  });
}

/** What is compared of runs with planners. */
export function measured({ metrics, measures }: PlannedRun): GridRow {
  const latencies = DISTRIBUTIONS.flatMap((name) =>
    STATISTICS.map(([column, key]) => [`${column}_${name}`, metrics[`${key}_${name}`]] as const),
  );
  return {
    gpu_hours: metrics.gpu_hours,
    attainment: measures.attainment ?? null,
    worst_window_attainment: measures.worst_window_attainment ?? null,
    broken_seconds: measures.broken_seconds ?? null,
    scaling_events: measures.scale_ups + measures.scale_downs,
    flaps: measures.flaps,
    ...Object.fromEntries(latencies),
  };
}

/**
 * Where attainment falls below what is wanted along each axis of numbers, first to last, for all values of the others. Where it
 * is never enough it is the steepest fall, if that is one to speak of.
 */
export function cliffsOf(grid: Grid, wanted: number): Cliff[] {
  return grid.axes.flatMap(({ name, values }, axis) =>
    values.length < 2 || values.some((value) => typeof value !== 'number')
      ? []
      : linesAlong(grid, axis).flatMap((line) => cliffOn(line, name, wanted) ?? []),
  );
}

interface Line {
  readonly at: Readonly<Record<string, number | string>>;
  readonly points: { readonly value: number | string; readonly attainment: number }[];
}

/** The points along an axis, for each combination of the other values. */
function linesAlong({ axes, points, outcomes }: Grid, axis: number): Line[] {
  const lines = new Map<string, Line>();
  points.forEach(({ values }, index) => {
    const outcome = outcomes[index];
    const others = axes.flatMap(({ name }, other) =>
      other === axis ? [] : [[name, values[other]] as const],
    );
    const key = JSON.stringify(others);
    const line = lines.get(key) ?? { at: Object.fromEntries(others), points: [] };
    lines.set(key, line);
    if ('failure' in outcome || outcome.measures.attainment === undefined) return;
    line.points.push({ value: values[axis], attainment: outcome.measures.attainment });
  });
  return [...lines.values()];
}

function cliffOn({ at, points }: Line, axis: string, wanted: number): Cliff | undefined {
  const broken = points.findIndex(
    ({ attainment }, index) => index > 0 && attainment < wanted && points[index - 1].attainment >= wanted,
  );
  const isBreak = broken > 0;
  const fallAt = isBreak ? broken : steepestFall(points.map(({ attainment }) => attainment));
  if (fallAt < 0) return undefined;
  const [before, after] = [points[fallAt - 1], points[fallAt]];
  const attainment = [before.attainment, after.attainment] as const;
  return { axis, at, isBreak, from: before.value, to: after.value, attainment };
}

/** @returns the index after the fall; -1 when nothing falls by much, or it was enough all the time */
function steepestFall(values: readonly number[]): number {
  let steepest = -1;
  for (let index = 1; index < values.length; index++) {
    const fall = values[index - 1] - values[index];
    if (fall >= LEAST_FALL && (steepest < 0 || fall > values[steepest - 1] - values[steepest]))
      steepest = index;
  }
  return steepest;
}

import { type Columns, readColumns } from './parquet.js';
import type { TableSource } from './sources.js';
import { readStored, type Slice, type Slices, storeName, writeStored } from './store.js';
import type { TableDefinition } from './tables.js';

/** Rows of one slice in the order in which the sources have them: axis by axis, and the latency. */
interface Gathered {
  axes: number[][];
  latencyMs: number[];
}

/**
 * Reads slices of a table from its sources, or from where they were kept the last time.
 * @param wanted beginnings of the keys of those that are needed
 */
export function readSlices(
  definition: TableDefinition,
  sources: readonly TableSource[],
  wanted: readonly string[],
): Slices {
  const name = storeName(definition.file, sources, wanted);
  const stored = readStored(name);
  if (stored) return stored;
  const gathered = new Map<string, Gathered | null>();
  for (const source of sources) {
    gather(definition, readColumns(source.path), source, wanted, gathered);
  }
  const slices: Slices = new Map();
  for (const [key, rows] of gathered) if (rows) slices.set(key, sorted(rows, definition));
  writeStored(name, slices);
  return slices;
}

/** Adds the rows of one source to their slices; those that nobody wants are null. */
function gather(
  definition: TableDefinition,
  columns: Columns,
  { kernels }: TableSource,
  wanted: readonly string[],
  gathered: Map<string, Gathered | null>,
): void {
  const sliceOf = definition.slices(columns);
  const axes = definition.axes(columns);
  const latency = columns.number('latency', Number.NaN);
  const kernelOf = columns.text('kernel_source');
  for (let row = 0; row < columns.rows; row++) {
    if (kernels && !kernels.has(kernelOf(row))) continue;
    const key = sliceOf(row);
    if (key === undefined) continue;
    let rows = gathered.get(key);
    if (rows === undefined) {
      const isWanted = wanted.some((start) => key.startsWith(start));
      rows = isWanted ? { axes: axes.map(() => []), latencyMs: [] } : null;
      gathered.set(key, rows);
    }
    if (!rows) continue;
    for (let axis = 0; axis < axes.length; axis++) rows.axes[axis].push(axes[axis](row));
    rows.latencyMs.push(latency(row));
  }
}

/** Sorts rows by their axes and keeps the winner of each key. */
function sorted({ axes: values, latencyMs }: Gathered, { winner }: TableDefinition): Slice {
  const width = values.length;
  const compare = (a: number, b: number) => {
    for (let axis = 0; axis < width; axis++) {
      const difference = values[axis][a] - values[axis][b];
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const order = Int32Array.from({ length: latencyMs.length }, (_, index) => index);
  order.sort((a, b) => compare(a, b) || (winner === 'first' ? a - b : b - a));
  const kept = order.filter((row, index) => index === 0 || compare(order[index - 1], row) !== 0);
  const coordinates = new Float64Array(kept.length * width);
  for (let index = 0, at = 0; index < kept.length; index++)
    for (let axis = 0; axis < width; axis++) coordinates[at++] = values[axis][kept[index]];
  return { coordinates, latencyMs: Float64Array.from(kept, (row) => latencyMs[row]) };
}

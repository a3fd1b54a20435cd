import { type Columns, readColumns } from './parquet.js';
import type { TableSource } from './sources.js';
import { readStored, type Slice, type Slices, storeName, writeStored } from './store.js';
import type { TableDefinition } from './tables.js';

interface Gathered {
  coordinates: number[];
  latencyMs: number[];
}

/**
 * Reads slices of a table from its sources, or from where they were kept the last time.
 * @param wanted beginnings of the keys of those that are needed
 */
export async function readSlices(
  definition: TableDefinition,
  sources: readonly TableSource[],
  wanted: readonly string[],
): Promise<Slices> {
  const name = storeName(definition.file, sources, wanted);
  const stored = readStored(name);
  if (stored) return stored;
  const gathered = new Map<string, Gathered>();
  for (const source of sources) {
    const names = source.kernels ? [...definition.columns, 'kernel_source'] : definition.columns;
    gather(definition, await readColumns(source.path, names), source, wanted, gathered);
  }
  const slices: Slices = new Map();
  for (const [key, rows] of gathered) slices.set(key, sorted(rows, definition));
  writeStored(name, slices);
  return slices;
}

function gather(
  definition: TableDefinition,
  columns: Columns,
  { kernels }: TableSource,
  wanted: readonly string[],
  gathered: Map<string, Gathered>,
): void {
  const sliceOf = definition.slices(columns);
  const axes = definition.axes(columns);
  const latency = columns.numbers('latency', Number.NaN);
  const kernelOf = kernels && columns.texts('kernel_source');
  for (let row = 0; row < columns.rows; row++) {
    if (kernels && !kernels.has(kernelOf![row])) continue;
    const key = sliceOf(row);
    if (key === undefined) continue;
    let rows = gathered.get(key);
    if (!rows) {
      if (!wanted.some((start) => key.startsWith(start))) continue;
      rows = { coordinates: [], latencyMs: [] };
      gathered.set(key, rows);
    }
    for (const axis of axes) rows.coordinates.push(axis[row]);
    rows.latencyMs.push(latency[row]);
  }
}

/** Sorts rows by their axes and keeps the winner of each key. */
function sorted({ coordinates, latencyMs }: Gathered, { winner }: TableDefinition): Slice {
  const count = latencyMs.length;
  const width = coordinates.length / count;
  const compare = (a: number, b: number) => {
    for (let axis = 0; axis < width; axis++) {
      const difference = coordinates[a * width + axis] - coordinates[b * width + axis];
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const order = Int32Array.from({ length: count }, (_, index) => index);
  order.sort((a, b) => compare(a, b) || (winner === 'first' ? a - b : b - a));
  const kept = order.filter((row, index) => index === 0 || compare(order[index - 1], row) !== 0);
  const axes = new Float64Array(kept.length * width);
  kept.forEach((row, index) => {
    for (let axis = 0; axis < width; axis++) axes[index * width + axis] = coordinates[row * width + axis];
  });
  return { coordinates: axes, latencyMs: Float64Array.from(kept, (row) => latencyMs[row]) };
}

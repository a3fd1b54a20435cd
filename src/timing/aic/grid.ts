import type { Slice } from './store.js';

/** A time from first principles at a point of a grid, in milliseconds. */
export type SpeedOfLight = (point: readonly number[]) => number;

interface Node {
  keys: Float64Array;
  /** Inner nodes have children, leaves have values. */
  children: Node[] | undefined;
  values: Float64Array | undefined;
}

/** What a lookup finds outside the collected range. */
const OUT = Number.NaN;

/**
 * Latencies on a grid whose axes may be ragged, looked up by blending neighbours, and beyond the collected range by
 * keeping the nearest point's share of the speed of light.
 */
export class Grid {
  private readonly root: Node;

  /**
   * @param rootAxis axis that blends in square-root space; -1 for none
   * @param raise gives each collected latency its least value
   */
  constructor(
    slice: Slice,
    private readonly rootAxis: number,
    raise?: (point: readonly number[], latencyMs: number) => number,
  ) {
    const width = slice.coordinates.length / slice.latencyMs.length;
    const values = raise
      ? slice.latencyMs.map((latency, row) =>
          raise([...slice.coordinates.subarray(row * width, (row + 1) * width)], latency),
        )
      : slice.latencyMs;
    this.root = build(slice.coordinates, values, width, 0, 0, values.length);
  }

  /** Smallest and largest key of the first axis, and of the second over all of the first. */
  get bounds(): { first: [number, number]; second: [number, number] } {
    const { keys, children } = this.root;
    const inner = (children ?? []).map((child) => child.keys);
    return {
      first: [keys[0], keys[keys.length - 1]],
      second: [Math.min(...inner.map((k) => k[0])), Math.max(...inner.map((k) => k[k.length - 1]))],
    };
  }

  /** Latency at a point, or NaN when nothing can be said. */
  lookup(point: readonly number[], sol: SpeedOfLight): number {
    const inside = this.interior(this.root, 0, point, sol);
    if (!Number.isNaN(inside)) return inside;
    const nearest = this.nearest(point);
    const share = sol(nearest.point) / nearest.latencyMs;
    const asked = sol(point);
    return share > 0 && asked > 0 ? asked / share : OUT;
  }

  private interior(node: Node, depth: number, point: readonly number[], sol: SpeedOfLight): number {
    const { keys } = node;
    const at = point[depth];
    const high = firstNotBelow(keys, at);
    if (high < keys.length && keys[high] === at) return this.child(node, high, depth, point, sol);
    if (high === 0 || high === keys.length) return OUT;
    const low = high - 1;
    const a = this.child(node, low, depth, point, sol);
    const b = this.child(node, high, depth, point, sol);
    if (Number.isNaN(a)) return Number.isNaN(b) ? OUT : rescaled(b, keys[high], depth, point, sol);
    if (Number.isNaN(b)) return rescaled(a, keys[low], depth, point, sol);
    const part = (at - keys[low]) / (keys[high] - keys[low]);
    if (depth !== this.rootAxis) return a + (b - a) * part;
    const rootA = Math.sqrt(Math.max(a, 0));
    const root = rootA + (Math.sqrt(Math.max(b, 0)) - rootA) * part;
    return root * root;
  }

  private child(
    node: Node,
    index: number,
    depth: number,
    point: readonly number[],
    sol: SpeedOfLight,
  ): number {
    return node.values ? node.values[index] : this.interior(node.children![index], depth + 1, point, sol);
  }

  private nearest(point: readonly number[]): { point: number[]; latencyMs: number } {
    const found: number[] = [];
    let node = this.root;
    for (let depth = 0; ; depth++) {
      const index = nearestIndex(node.keys, point[depth]);
      found.push(node.keys[index]);
      if (node.values) return { point: found, latencyMs: node.values[index] };
      node = node.children![index];
    }
  }
}

function build(
  coordinates: Float64Array,
  values: Float64Array,
  width: number,
  depth: number,
  from: number,
  to: number,
): Node {
  if (depth === width - 1) {
    const keys = new Float64Array(to - from);
    for (let row = from; row < to; row++) keys[row - from] = coordinates[row * width + depth];
    return { keys, children: undefined, values: values.subarray(from, to) };
  }
  const keys: number[] = [];
  const children: Node[] = [];
  for (let start = from; start < to; ) {
    const key = coordinates[start * width + depth];
    let end = start + 1;
    while (end < to && coordinates[end * width + depth] === key) end++;
    keys.push(key);
    children.push(build(coordinates, values, width, depth + 1, start, end));
    start = end;
  }
  return { keys: Float64Array.from(keys), children, values: undefined };
}

/** Index of the first key that is not below a value; the number of keys when there is none. */
export function firstNotBelow(keys: Float64Array, value: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the key nearest to a value, the smaller one of two. */
function nearestIndex(keys: Float64Array, value: number): number {
  const high = firstNotBelow(keys, value);
  if (high === keys.length) return high - 1;
  if (high === 0) return 0;
  return value - keys[high - 1] <= keys[high] - value ? high - 1 : high;
}

function rescaled(
  latency: number,
  key: number,
  axis: number,
  point: readonly number[],
  sol: SpeedOfLight,
): number {
  const asked = sol(point);
  const known = sol(point.map((value, index) => (index === axis ? key : value)));
  const usable = Number.isFinite(asked) && asked > 0 && Number.isFinite(known) && known > 0;
  return usable ? latency * (asked / known) : latency;
}

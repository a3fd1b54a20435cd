/** Values of several objectives, more of each being better. */
export type Values = readonly number[];

/** Whether `a` is at least as good everywhere and better somewhere. */
export function dominates(a: Values, b: Values): boolean {
  let isBetter = false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] < b[i]) return false;
    if (a[i] > b[i]) isBetter = true;
  }
  return isBetter;
}

/** Positions of the values that no others dominate, equal ones once, ascending by the last objective. */
export function frontOf(values: readonly Values[]): number[] {
  const seen = new Set<string>();
  const isFirst = (value: Values) => {
    const key = value.join(',');
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  };
  return values
    .flatMap((value, index) => (values.some((other) => dominates(other, value)) ? [] : [index]))
    .filter((index) => isFirst(values[index]))
    .sort((a, b) => values[a].at(-1)! - values[b].at(-1)! || a - b);
}

/** Ranks by how many fronts have to be taken away first: 0 for the front itself. */
export function frontRanks(values: readonly Values[]): number[] {
  const ranks = new Array<number>(values.length).fill(-1);
  let left = values.map((_, index) => index);
  for (let rank = 0; left.length > 0; rank++) {
    const front = left.filter((index) => !left.some((other) => dominates(values[other], values[index])));
    for (const index of front) ranks[index] = rank;
    left = left.filter((index) => ranks[index] < 0);
  }
  return ranks;
}

/** How far apart the neighbours of each value lie, as the sum over objectives of a part of their span; ends are Infinity. */
export function crowding(values: readonly Values[]): number[] {
  const distances = new Array<number>(values.length).fill(0);
  const objectives = values[0]?.length ?? 0;
  for (let axis = 0; axis < objectives; axis++) {
    const order = values.map((_, index) => index).sort((a, b) => values[a][axis] - values[b][axis]);
    const span = values[order.at(-1)!][axis] - values[order[0]][axis];
    distances[order[0]] = Number.POSITIVE_INFINITY;
    distances[order.at(-1)!] = Number.POSITIVE_INFINITY;
    if (!(span > 0 && span < Number.POSITIVE_INFINITY)) continue;
    for (let at = 1; at < order.length - 1; at++)
      distances[order[at]] += (values[order[at + 1]][axis] - values[order[at - 1]][axis]) / span;
  }
  return distances;
}

/** Volume that values of two or three objectives dominate above a point that all of them exceed. */
export function hypervolume(values: readonly Values[], origin: Values): number {
  const above = values.filter((value) => value.every((part, axis) => part > origin[axis]));
  if (origin.length === 1) return Math.max(0, ...above.map(([value]) => value - origin[0]));
  const last = origin.length - 1;
  const sorted = [...above].sort((a, b) => b[last] - a[last]);
  let volume = 0;
  for (const [at, value] of sorted.entries()) {
    const lower = sorted[at + 1]?.[last] ?? origin[last];
    const slab = sorted.slice(0, at + 1).map((part) => part.slice(0, last));
    volume += (value[last] - lower) * hypervolume(slab, origin.slice(0, last));
  }
  return volume;
}

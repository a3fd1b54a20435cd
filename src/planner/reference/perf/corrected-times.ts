import type { PassTimes, SampleLimits } from './pass-times.js';
import { AXES, largest, type Work, type WorkKind } from './work.js';

/** Milliseconds of a pass by tables; `undefined` where they have no answer. */
export type TableTimes = (ranks: readonly Work[]) => number | undefined;

interface Ratio {
  readonly key: number;
  readonly value: number;
}

/**
 * Pass times asked of tables, times what was measured against them: the median of the ratios seen in passes of about the
 * same size.
 */
export class CorrectedTimes implements PassTimes {
  readonly isReady = true;
  private readonly ratios: Record<WorkKind, Ratio[]> = { prefill: [], decode: [], mixed: [] };

  /** @param most largest size of each kind, along its axes: larger passes correct nothing */
  constructor(
    private readonly table: TableTimes,
    private readonly limits: SampleLimits,
    private readonly most: Readonly<Record<WorkKind, readonly number[]>>,
  ) {}

  learn(ranks: readonly Work[], milliseconds: number): void {
    const size = largest(ranks);
    if (typeof size === 'string') return;
    const key = this.bucketOf(size.kind, size.x);
    const expected = key === undefined ? undefined : this.table(ranks);
    if (key === undefined || expected === undefined || !(expected > 0)) return;
    const ratios = this.ratios[size.kind];
    ratios.push({ key, value: milliseconds / expected });
    if (ratios.length > this.limits.maxSamples) dropOldestOfFullest(ratios);
  }

  milliseconds(ranks: readonly Work[]): number | undefined {
    const size = largest(ranks);
    if (size === 'idle') return 0;
    const expected = size === 'inconsistent' ? undefined : this.table(ranks);
    if (expected === undefined || size === 'inconsistent') return undefined;
    return expected * this.correction(size.kind, size.x);
  }

  private correction(kind: WorkKind, x: readonly number[]): number {
    const ratios = this.ratios[kind];
    const key = this.bucketOf(kind, x);
    if (key === undefined || ratios.length < this.limits.minSamples) return 1;
    const values = ratios.filter((ratio) => ratio.key === key).map(({ value }) => value);
    return values.length === 0 ? 1 : median(values);
  }

  /** @returns `undefined` outside of what corrections are kept for */
  private bucketOf(kind: WorkKind, x: readonly number[]): number | undefined {
    const { buckets } = this.limits;
    const perAxis = AXES[kind] === 1 ? buckets : Math.floor(Math.sqrt(buckets));
    let key = 0;
    for (let axis = 0; axis < x.length; axis++) {
      const most = this.most[kind][axis];
      if (!(x[axis] <= most)) return undefined;
      key = key * perAxis + Math.min(Math.trunc((x[axis] / most) * perAxis), perAxis - 1);
    }
    return key;
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function dropOldestOfFullest(ratios: Ratio[]): void {
  const counts = new Map<number, number>();
  for (const { key } of ratios) counts.set(key, (counts.get(key) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const fullest = Math.min(...[...counts].filter(([, count]) => count === most).map(([key]) => key));
  ratios.splice(
    ratios.findIndex(({ key }) => key === fullest),
    1,
  );
}

import { SeededRandom } from '../../random/std-rng.js';
import type { Share } from '../../workload/excerpt.js';
import type { Entry } from './ledger.js';
import { METRICS } from './metrics.js';
import type { Finding, Trials } from './trials.js';

/** Candidates that are run again on windows. */
const CONTENDERS = 3;
const RESAMPLES = 2000;
/** Ends of the interval that nine of ten resamples lie in. */
const [LOW, HIGH] = [0.05, 0.95];

/** How sure the order of the best candidates is. */
export interface Confirmation {
  /** The same windows for all of them. */
  windows: number;
  contenders: readonly {
    entry: Entry;
    /** The first target on each window; null where it failed. */
    values: readonly (number | null)[];
    /** Mean over windows, and what nine of ten resamples of windows lie between. */
    mean: number;
    low: number;
    high: number;
    /** Part of the resamples in which it is the best. */
    best: number;
  }[];
  /** The winner on the part of the workload that the search has not seen. */
  heldOut: Finding | undefined;
}

/** Runs the best candidates on parts of the workload, and the winner on what was held out. */
export async function confirm(trials: Trials, ranking: readonly Entry[]): Promise<Confirmation | undefined> {
  const { count, heldOut } = trials.spec.windows;
  if (count === 0 && heldOut === 0) return undefined;
  const [winner] = ranking;
  const onHeldOut = heldOut > 0 ? await rerun(trials, winner, { from: 1 - heldOut, to: 1 }) : undefined;
  const top = ranking.slice(0, CONTENDERS);
  const windows = Array.from(
    { length: count },
    (_, at): Share => ({
      from: ((1 - heldOut) * at) / count,
      to: ((1 - heldOut) * (at + 1)) / count,
    }),
  );
  const objectives = await Promise.all(
    top.map((entry) =>
      Promise.all(windows.map(async (window) => (await rerun(trials, entry, window)).objectives[0] ?? null)),
    ),
  );
  return {
    windows: count,
    contenders: count > 0 ? resampled(trials, top, objectives) : [],
    heldOut: onHeldOut,
  };
}

/** Runs what the numbers of an entry are of on another part of the workload, its load included. */
function rerun(trials: Trials, { candidate, job }: Entry, part: Share): Promise<Finding> {
  return trials.findingOf(candidate, { settings: job!.settings, part });
}

/** Bootstrap over windows: each resample draws the same windows for all candidates. */
function resampled(
  { spec }: Trials,
  entries: readonly Entry[],
  objectives: readonly (readonly (number | null)[])[],
): Confirmation['contenders'] {
  const random = new SeededRandom(spec.optimizer.seed);
  const windows = objectives[0].length;
  const means = entries.map((): number[] => []);
  const wins = entries.map(() => 0);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    const drawn = Array.from({ length: windows }, () => random.nextBelow(windows));
    const values = objectives.map((row) => meanOf(drawn.map((window) => row[window])));
    values.forEach((value, at) => {
      means[at].push(value);
    });
    wins[values.indexOf(Math.max(...values))]++;
  }
  return entries.map((entry, at) => {
    const sign = METRICS[spec.targets[0]].direction;
    const sorted = means[at].map((mean) => mean * sign).sort((a, b) => a - b);
    const row = objectives[at];
    return {
      entry,
      values: row.map((value) => (value === null ? null : value * sign)),
      mean: meanOf(row) * sign,
      low: sorted[Math.floor(LOW * RESAMPLES)],
      high: sorted[Math.floor(HIGH * RESAMPLES)],
      best: wins[at] / RESAMPLES,
    };
  });
}

/** A window that failed counts as worse than any other. */
function meanOf(values: readonly (number | null)[]): number {
  let sum = 0;
  for (const value of values) sum += value ?? Number.NEGATIVE_INFINITY;
  return sum / values.length;
}

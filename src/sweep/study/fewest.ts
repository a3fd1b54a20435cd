import { counted } from '../../report/words.js';
import type { Formulas } from './shortlist.js';
import type { Point } from './space.js';
import type { Finding, Trials } from './trials.js';

/** Fleets of one size that are simulated, the best by formula. */
const MOST_OF_SIZE = 16;

/** The smallest fleets that keep the goals: by growing size, until one of a size does. */
export async function fewest(
  trials: Trials,
  formulas: Formulas,
  points: readonly Point[],
  onPlan?: (candidates: number) => void,
): Promise<void> {
  const order = await formulas.order(points);
  const bySize = new Map<number, Finding[]>();
  for (const finding of order) {
    if (finding.status === 'unsupported') continue;
    const size = finding.candidate.gpus;
    bySize.set(size, [...(bySize.get(size) ?? []), finding]);
  }
  const sizes = [...bySize.keys()].sort((a, b) => a - b);
  onPlan?.(sizes.reduce((sum, size) => sum + Math.min(MOST_OF_SIZE, bySize.get(size)!.length), 0));
  let found: number | undefined;
  for (const size of sizes) {
    if (found !== undefined) break;
    const chosen = bySize.get(size)!.slice(0, MOST_OF_SIZE);
    const entries = await trials.measure(chosen.map(({ candidate }) => candidate.point));
    if (entries.some(({ status }) => status === 'feasible')) found = size;
  }
  for (const finding of order) {
    const { candidate, status } = finding;
    if (trials.has(candidate.point)) continue;
    const isLarger = found !== undefined && candidate.gpus > found && status !== 'unsupported';
    trials.note(
      isLarger
        ? { ...finding, reason: `${counted(found!, 'GPU')} are enough, this has ${candidate.gpus}` }
        : finding,
    );
  }
}

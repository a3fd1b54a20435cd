import type { LoadQuestion } from './spec.js';

/** Part of a load that is close enough. */
const PRECISION = 0.02;
/** Runs for one candidate, at most. */
const MOST_RUNS = 24;

/**
 * The highest load that keeps the goals, by growing brackets and bisection.
 * @param keeps whether a load does
 * @param guess where to begin, if there is any idea
 * @returns undefined where the least load does not
 */
export async function highestLoad(
  { setting, min, max }: LoadQuestion,
  guess: number | undefined,
  keeps: (load: number) => Promise<boolean>,
): Promise<number | undefined> {
  const isWhole = setting === 'replay_concurrency';
  const within = (load: number) => {
    const inside = Math.min(max, Math.max(min, load));
    return isWhole ? Math.round(inside) : Number(inside.toPrecision(4));
  };
  let low: number | undefined;
  let high: number | undefined;
  let next = within(guess ?? Math.sqrt(min * max));
  for (let run = 0; run < MOST_RUNS; run++) {
    if (await keeps(next)) low = next;
    else high = next;
    if (low !== undefined && (low >= max || (high !== undefined && isClose(low, high, isWhole)))) return low;
    if (high !== undefined && high <= min) return undefined;
    if (low === undefined) next = within(stepped(high!, run, -1));
    else if (high === undefined) next = within(stepped(low, run, 1));
    else next = within(isWhole ? (low + high) / 2 : Math.sqrt(low * high));
    if (next === low || next === high) {
      if (low !== undefined && high !== undefined) return low;
      next = next === low ? max : min;
    }
  }
  return low;
}

/** A load further away, by steps that grow. */
function stepped(from: number, run: number, direction: 1 | -1): number {
  const factor = run === 0 ? 1.25 : run === 1 ? 1.6 : 2.5;
  const moved = direction === 1 ? from * factor : from / factor;
  return Math.abs(moved - from) < 1 ? from + direction * Math.min(1, from / 2) : moved;
}

function isClose(low: number, high: number, isWhole: boolean): boolean {
  return isWhole ? high - low <= Math.max(1, Math.floor(low * PRECISION)) : high / low <= 1 + PRECISION;
}

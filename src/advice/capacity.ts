import type { Scenario } from '../config/scenario/scenario.js';
import { UserError } from '../config/user-error.js';
import { replay } from '../replay.js';
import type { Capacity } from '../report/congestion.js';
import type { FlowRequest } from '../report/flow.js';
import type { ReplayResult } from '../report/result.js';
import { worstClimb } from '../report/verdict.js';
import { withSettings } from '../setup/scenario.js';

/** Sessions in flight that are tried, for each started eight workers. */
const IN_FLIGHT = [8, 32, 128, 512];
const WORKERS = 8;
/** Sessions of a trial at most, and those that are served alone. */
const MOST_SESSIONS = 2000;
const ALONE = 16;
/** Sessions in a stretch from which on it stands for itself; with fewer the whole run is taken. */
const ENOUGH = 200;
/** Growth of the delay, in services, from which on an overload is possible. */
const SUSPICIOUS = 0.3;

/** Requests that the trials of a capacity take, at most. */
export function capacityCost(arrived: number): number {
  return IN_FLIGHT.length * Math.min(arrived, MOST_SESSIONS) + ALONE;
}

/**
 * Measures what a fleet can serve at most of the requests that came in the worst stretch: in closed loops of growing
 * width, the best of them. undefined where nothing grew, or where the workload cannot be run in part.
 */
export async function measureCapacity(
  scenario: Scenario,
  { course }: ReplayResult,
  workers: number,
): Promise<Capacity | undefined> {
  const climb = worstClimb(course);
  if (!climb) return undefined;
  const starts = course.requests.filter(({ isFirstTurn }) => isFirstTurn);
  const inside = starts.filter(({ comingMs }) => comingMs >= climb.fromMs && comingMs <= climb.toMs);
  const [first, last] = inside.length >= ENOUGH ? [climb.fromMs, climb.toMs] : [0, Number.POSITIVE_INFINITY];
  const endless = withSettings(scenario, { max_sim_time_seconds: undefined, check: undefined }, 'capacity');
  const trial = async (most: number, inFlight: number) =>
    (await replay(endless, { excerpt: { fromMs: first, toMs: last, most, inFlight } })).course;
  const alone = await trial(ALONE, 1).catch(ifUsers);
  if (!alone) return undefined;
  const serviceMs = alone.endMs / Math.max(1, sessionsOf(alone.requests));
  if (climb.growthMs < SUSPICIOUS * serviceMs) return undefined;
  let perMs = 0;
  for (const width of IN_FLIGHT) {
    const inFlight = width * Math.ceil(workers / WORKERS);
    perMs = Math.max(perMs, servedPerMs((await trial(MOST_SESSIONS, inFlight)).requests, inFlight));
    if (inFlight >= inside.length && inFlight >= ENOUGH) break;
  }
  return perMs > 0 ? { perMs, serviceMs } : undefined;
}

/** Nothing, where something cannot be run. */
function ifUsers(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error;
}

function sessionsOf(requests: readonly FlowRequest[]): number {
  return requests.filter(({ isFirstTurn }) => isFirstTurn).length;
}

/** Sessions served a millisecond, beginning and end left out where enough lies between. */
function servedPerMs(requests: readonly FlowRequest[], inFlight: number): number {
  const gone = Float64Array.from(requests, ({ goneMs }) => goneMs)
    .filter((ms) => !Number.isNaN(ms))
    .sort();
  const n = gone.length;
  if (n === 0) return 0;
  const turns = requests.length / Math.max(1, sessionsOf(requests));
  const isLong = n >= 4 * inFlight;
  const from = isLong ? inFlight : 0;
  const to = isLong ? n - 1 - inFlight : n - 1;
  const tookMs = gone[to] - (isLong ? gone[from] : 0);
  return tookMs > 0 ? (to - from + (isLong ? 0 : 1)) / turns / tookMs : 0;
}

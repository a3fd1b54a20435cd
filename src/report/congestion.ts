import type { FlowRequest } from './flow.js';

/** What a fleet can serve at most, found by experiment. */
export interface Capacity {
  /** Sessions (requests, where there are no sessions) served a millisecond. */
  perMs: number;
  /** What one takes when it is alone, in milliseconds. */
  serviceMs: number;
}

/** The stretch of arrivals in which most piled up in a stage. */
export interface Congestion {
  /** Arrivals of the stretch, from the first to the last. */
  fromMs: number;
  toMs: number;
  arrivals: number;
  /** Offered over served, less one. */
  excess: number;
  /** How much longer the last one took than the first. */
  growthMs: number;
  /** Whether the stretch lasts, is no accident and was felt, so that it counts as overload. */
  isOverload: boolean;
}

/** Growth of the delay below which a stage counts as keeping up. */
const DRIFT = 0.02;
/** Excess from which on a stage counts as overloaded: a capacity is not known better. */
const LEAST_EXCESS = 0.05;
const LEAST_ARRIVALS = 10;
/** Standard deviations of the number of arrivals that chance is given. */
const CHANCE = 3;
/** Services that an overload lasts, or that it lasts and piles up. */
const LASTS = 5;
const LASTS_AT_LEAST = 2;
/** Part of the wait that the excess must add which the run has to show. */
const SHOWN = 0.3;
const ROUNDS = 3;
/** Fifths of an overload, at least, in which more comes than is served. */
const FULL_FIFTHS = 4;

/** Comings and goings of a stage, both ascending; what has not gone goes at `endMs` at the earliest. */
export interface Passage {
  comingMs: Float64Array;
  goneMs: Float64Array;
  /** How many have gone indeed. */
  ended: number;
}

/** The passage of requests through a whole fleet, or through one of its stages. */
export function passageOf(
  requests: readonly FlowRequest[],
  stage: '' | 'prefill' | 'decode',
  endMs: number,
): Passage {
  const coming = new Float64Array(requests.length);
  const gone = new Float64Array(requests.length);
  let count = 0;
  let ended = 0;
  for (const { comingMs, handedOverMs, goneMs } of requests) {
    if (stage === 'decode' && !(handedOverMs <= endMs)) continue;
    const comes = stage === 'decode' ? handedOverMs : comingMs;
    const goes = stage === 'prefill' ? handedOverMs : goneMs;
    coming[count] = comes;
    gone[count++] = Number.isNaN(goes) ? Math.max(endMs, comingMs) : goes;
    if (!Number.isNaN(goes)) ended++;
  }
  return { comingMs: coming.subarray(0, count).sort(), goneMs: gone.subarray(0, count).sort(), ended };
}

/** A run of arrivals, first and last. */
interface Stretch {
  first: number;
  last: number;
}

/** Where the delay rises most. */
export interface Climb extends Stretch {
  fromMs: number;
  toMs: number;
  /** By how much it does. */
  growthMs: number;
}

/**
 * The stretch over which the delay rises most, less a drift that counts as none. The k-th going less the k-th coming is
 * a delay that no order of service blurs: where it climbs for long, more comes than is served.
 */
export function steepestClimb({ comingMs, goneMs }: Passage): Climb | undefined {
  if (comingMs.length < LEAST_ARRIVALS) return undefined;
  let first = 0;
  let last = 0;
  let most = 0;
  let low = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (let k = 0; k < comingMs.length; k++) {
    const height = goneMs[k] - comingMs[k] - DRIFT * comingMs[k];
    if (height < lowest) {
      low = k;
      lowest = height;
    }
    const rise = height - lowest;
    if (rise <= most) continue;
    most = rise;
    first = low;
    last = k;
  }
  const delay = (k: number) => goneMs[k] - comingMs[k];
  const growthMs = delay(last) - delay(first);
  return growthMs > 0 ? { first, last, fromMs: comingMs[first], toMs: comingMs[last], growthMs } : undefined;
}

/**
 * Finds where arrivals ran furthest ahead of what a stage serves, and judges whether that was an overload. Without a
 * measured capacity the pace of the goings where the delay climbs most stands for it.
 * @param starts arrivals of sessions, in which a measured capacity is counted
 */
export function congestion(
  passage: Passage,
  starts: Float64Array,
  weight: number,
  serviceMs: number,
  capacity: Capacity | undefined,
): Congestion | undefined {
  const climb = steepestClimb(passage);
  if (!climb) return undefined;
  const { comingMs, goneMs } = passage;
  const arrivals = capacity && starts.length >= LEAST_ARRIVALS ? starts : comingMs;
  let perMs = capacity
    ? capacity.perMs / weight
    : (climb.last - climb.first) / (goneMs[climb.last] - goneMs[climb.first]);
  let window = mostAhead(arrivals, perMs);
  // Requests of the stretch may be cheaper than those that the capacity was measured with.
  for (let round = 0; capacity && arrivals.length === comingMs.length && round < ROUNDS; round++) {
    const served = window.last - window.first >= LEAST_ARRIVALS ? servedRate(passage, window) : 0;
    if (!(served > perMs)) break;
    perMs = served;
    window = mostAhead(arrivals, perMs);
  }
  const count = window.last - window.first;
  const lastsMs = arrivals[window.last] - arrivals[window.first];
  if (count < LEAST_ARRIVALS || !(lastsMs > 0)) return undefined;
  const excess = count / (perMs * lastsMs) - 1;
  const pileMs = count / perMs - lastsMs;
  // What the run itself shows may be more: capacity can fall as work piles up.
  const surplus = count * (1 - 1 / (1 + Math.max(excess, climb.growthMs / (climb.toMs - climb.fromMs))));
  const chance = CHANCE * gapVariation(arrivals, window) * Math.sqrt(count / weight);
  const isOverload =
    excess >= LEAST_EXCESS &&
    surplus >= chance &&
    (lastsMs >= LASTS * serviceMs ||
      (lastsMs >= LASTS_AT_LEAST * serviceMs && pileMs >= LASTS * serviceMs)) &&
    pileMs > serviceMs &&
    (climb.growthMs >= SHOWN * pileMs || climb.last >= passage.ended) &&
    fullFifths(arrivals, window, perMs) >= FULL_FIFTHS;
  return {
    fromMs: arrivals[window.first],
    toMs: arrivals[window.last],
    arrivals: count * weight,
    excess,
    growthMs: climb.growthMs,
    isOverload,
  };
}

/** As many goings as a stretch has arrivals, over the time from its first arrival to the last of them. */
function servedRate({ comingMs, goneMs, ended }: Passage, { first, last }: Stretch): number {
  if (last >= ended) return 0;
  return (last - first) / (goneMs[last] - comingMs[first]);
}

/** Where arrivals run furthest ahead of what is served at a pace. */
function mostAhead(arrivalMs: Float64Array, perMs: number): Stretch {
  let first = 0;
  let last = 0;
  let most = 0;
  let low = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < arrivalMs.length; k++) {
    const ahead = k - perMs * arrivalMs[k];
    if (ahead < least) {
      low = k;
      least = ahead;
    }
    if (ahead - least <= most) continue;
    most = ahead - least;
    first = low;
    last = k;
  }
  return { first, last };
}

/** Coefficient of variation of the gaps between arrivals. */
function gapVariation(arrivalMs: Float64Array, { first, last }: Stretch): number {
  const mean = (arrivalMs[last] - arrivalMs[first]) / (last - first);
  let squares = 0;
  for (let k = first; k < last; k++) squares += (arrivalMs[k + 1] - arrivalMs[k] - mean) ** 2;
  return Math.sqrt(squares / (last - first)) / mean;
}

/** In how many fifths of a stretch more came than is served. */
function fullFifths(arrivalMs: Float64Array, { first, last }: Stretch, perMs: number): number {
  const fifthMs = (arrivalMs[last] - arrivalMs[first]) / 5;
  const counts = [0, 0, 0, 0, 0];
  for (let k = first; k < last; k++)
    counts[Math.min(4, Math.floor((arrivalMs[k] - arrivalMs[first]) / fifthMs))]++;
  return counts.filter((count) => count > perMs * fifthMs).length;
}

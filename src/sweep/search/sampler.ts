import type { SeededRandom } from '../../random/std-rng.js';
import { type Point, pointKey, type Space } from '../study/space.js';
import { crowding, frontRanks, type Values } from './pareto.js';

/** What is known of a point once it has been evaluated. */
export interface Trial {
  point: Point;
  /** Objectives, more being better. Of a point that failed, -Infinity. */
  values: Values;
  /** How far goals are missed, as the sum of parts; 0 where all are met, Infinity of a point that failed. */
  violation: number;
}

/**
 * Chooses what to evaluate next. Points are asked for in batches of a fixed size and answered in the order asked, so that
 * a search is the same however many simulations run at once.
 */
export interface Sampler {
  /** Up to `count` points that have not been asked for before; none when there is nothing left to try. */
  ask(count: number): Point[];
  tell(trials: readonly Trial[]): void;
}

/** Points that were asked for, so that none is evaluated twice. */
export class Asked {
  private readonly keys = new Set<string>();

  has(point: Point): boolean {
    return this.keys.has(pointKey(point));
  }

  /** Notes a point. @returns false where it was there already */
  add(point: Point): boolean {
    if (this.has(point)) return false;
    this.keys.add(pointKey(point));
    return true;
  }
}

const MOST_MISSES = 200;

/** A point of the space that was not asked for yet, by chance; the next free one where chance finds none. */
export function freshPoint(space: Space, random: SeededRandom, asked: Asked): Point | undefined {
  for (let miss = 0; miss < MOST_MISSES; miss++) {
    const point = space.parameters.map(({ options }) => random.nextBelow(options.length));
    if (asked.add(point)) return point;
  }
  for (const point of space.points()) if (asked.add(point)) return point;
  return undefined;
}

/** A trial among others. */
export interface Ranked extends Trial {
  /** How many fronts have to be taken away before it lies on one. */
  rank: number;
  /** How far its neighbours on the front are. */
  distance: number;
}

/**
 * Trials from best to worst: those that keep the goals before those that miss them by less, then by fronts, then the
 * lonelier ones of a front, then in the order in which they came.
 */
export function ranked(trials: readonly Trial[]): Ranked[] {
  const ranks = frontRanks(trials.map(({ values }) => values));
  const all = trials.map((trial, at): Ranked => ({ ...trial, rank: ranks[at], distance: 0 }));
  for (const rank of new Set(ranks)) {
    const front = all.filter((trial) => trial.rank === rank);
    const distances = crowding(front.map(({ values }) => values));
    front.forEach((trial, at) => {
      trial.distance = distances[at];
    });
  }
  return all.sort(byMerit);
}

/** Order of two trials, negative where the first is to be preferred. */
export function byMerit(a: Ranked, b: Ranked): number {
  if (a.violation !== b.violation) return a.violation < b.violation ? -1 : 1;
  if (a.rank !== b.rank) return a.rank - b.rank;
  return a.distance === b.distance ? 0 : b.distance > a.distance ? 1 : -1;
}

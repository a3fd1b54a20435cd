import type { SeededRandom } from '../../random/std-rng.js';
import type { Point, Space } from '../study/space.js';
import { dominates } from './pareto.js';
import { Asked, freshPoint, type Sampler, type Trial } from './sampler.js';

/** Every candidate, in order. */
export class Exhaustive implements Sampler {
  private readonly left: Iterator<Point>;

  constructor(space: Space) {
    this.left = space.points();
  }

  ask(count: number): Point[] {
    const points: Point[] = [];
    while (points.length < count) {
      const { value, done } = this.left.next();
      if (done) break;
      points.push(value);
    }
    return points;
  }

  tell(): void {}
}

/** Candidates by chance, none twice. */
export class RandomSearch implements Sampler {
  private readonly asked = new Asked();

  constructor(
    private readonly space: Space,
    private readonly random: SeededRandom,
  ) {}

  ask(count: number): Point[] {
    return freshPoints(count, this.space, this.random, this.asked);
  }

  tell(): void {}
}

function freshPoints(count: number, space: Space, random: SeededRandom, asked: Asked): Point[] {
  const points: Point[] = [];
  while (points.length < count) {
    const point = freshPoint(space, random, asked);
    if (!point) break;
    points.push(point);
  }
  return points;
}

/**
 * One parameter after the other, the others held at the best point so far, until a round changes nothing; then again from
 * a point by chance.
 */
export class CoordinateDescent implements Sampler {
  private readonly asked = new Asked();
  private waiting: Point[] = [];
  private best: Trial | undefined;
  private axis = 0;
  /** Parameters that were gone through since the best point changed. */
  private unchanged = 0;
  /** Points that were asked and not answered: a line is judged as a whole. */
  private open = 0;

  constructor(
    private readonly space: Space,
    private readonly random: SeededRandom,
  ) {}

  ask(count: number): Point[] {
    if (this.waiting.length === 0 && this.open === 0) this.waiting = this.nextLine();
    const points = this.waiting.splice(0, count);
    this.open += points.length;
    return points;
  }

  private nextLine(): Point[] {
    const { parameters } = this.space;
    while (this.best && this.unchanged < parameters.length) {
      const line = this.line(this.best.point, this.axis);
      this.axis = (this.axis + 1) % parameters.length;
      this.unchanged++;
      if (line.length > 0) return line;
    }
    this.best = undefined;
    this.unchanged = 0;
    return freshPoints(1, this.space, this.random, this.asked);
  }

  private line(from: Point, moved: number): Point[] {
    return this.space.parameters[moved].options
      .map((_, option) => from.map((value, axis) => (axis === moved ? option : value)))
      .filter((point) => this.asked.add(point));
  }

  tell(trials: readonly Trial[]): void {
    this.open -= trials.length;
    for (const trial of trials) {
      if (this.best && !isBetter(trial, this.best)) continue;
      this.best = trial;
      this.unchanged = 0;
    }
  }
}

/** By goals, then by objectives, the first of them where none dominates. */
function isBetter(a: Trial, b: Trial): boolean {
  if (a.violation !== b.violation) return a.violation < b.violation;
  if (dominates(a.values, b.values)) return true;
  return !dominates(b.values, a.values) && a.values[0] > b.values[0];
}

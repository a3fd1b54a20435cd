import type { SeededRandom } from '../../random/std-rng.js';
import type { Point, Space } from '../study/space.js';
import { Asked, byMerit, freshPoint, type Ranked, ranked, type Sampler, type Trial } from './sampler.js';

const POPULATION = 16;
/** Attempts at a child that is new, before chance takes over. */
const ATTEMPTS = 30;

/** NSGA-II (Deb et al., IEEE TEC 2002) over options: tournaments, uniform crossover, one mutation a child on average. */
export class Nsga2 implements Sampler {
  private readonly asked = new Asked();
  private members: Ranked[] = [];

  constructor(
    private readonly space: Space,
    private readonly random: SeededRandom,
  ) {}

  ask(count: number): Point[] {
    const points: Point[] = [];
    while (points.length < count) {
      const point = this.child() ?? freshPoint(this.space, this.random, this.asked);
      if (!point) break;
      points.push(point);
    }
    return points;
  }

  tell(trials: readonly Trial[]): void {
    this.members = ranked([...this.members, ...trials]).slice(0, POPULATION);
  }

  private child(): Point | undefined {
    if (this.members.length < POPULATION / 2) return undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [left, right] = [this.parent(), this.parent()];
      const point = left.point.map((option, axis) =>
        this.mutated(axis, this.random.nextFloat() < 0.5 ? option : right.point[axis]),
      );
      if (this.asked.add(point)) return point;
    }
    return undefined;
  }

  private mutated(axis: number, option: number): number {
    const { options, isOrdered } = this.space.parameters[axis];
    if (this.random.nextFloat() * this.space.parameters.length >= 1) return option;
    if (!isOrdered) return this.random.nextBelow(options.length);
    const step = 1 + this.random.nextBelow(Math.max(1, Math.ceil(options.length / 4)));
    const moved = this.random.nextFloat() < 0.5 ? option - step : option + step;
    return Math.min(options.length - 1, Math.max(0, moved));
  }

  /** The better of two by chance. */
  private parent(): Ranked {
    const pick = () => this.members[this.random.nextBelow(this.members.length)];
    const [a, b] = [pick(), pick()];
    return byMerit(a, b) <= 0 ? a : b;
  }
}

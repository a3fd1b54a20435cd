import type { SeededRandom } from '../../random/std-rng.js';
import type { Parameter, Point, Space } from '../study/space.js';
import { Asked, freshPoint, ranked, type Sampler, type Trial } from './sampler.js';

/** Points by chance before the estimators know anything. */
const STARTING_POINTS = 10;
/** Part of the trials that counts as good, and the most of them. */
const GOOD_PART = 0.15;
const MOST_GOOD = 25;
/** Candidates drawn for each point that is asked. */
const DRAWS = 24;
/** Weight of the uniform prior, in observations. */
const PRIOR = 1;

/**
 * Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), over options: what good trials chose is drawn again,
 * and kept where it is likely among good ones and unlikely among others. Several objectives are ordered by fronts, then
 * by how lonely a trial is on its front (Ozaki et al., GECCO 2020, take its hypervolume).
 */
export class Tpe implements Sampler {
  private readonly asked = new Asked();
  private readonly trials: Trial[] = [];

  constructor(
    private readonly space: Space,
    private readonly random: SeededRandom,
  ) {}

  ask(count: number): Point[] {
    const points: Point[] = [];
    while (points.length < count) {
      const point =
        this.trials.length < STARTING_POINTS
          ? freshPoint(this.space, this.random, this.asked)
          : (this.drawn() ?? freshPoint(this.space, this.random, this.asked));
      if (!point) break;
      points.push(point);
    }
    return points;
  }

  tell(trials: readonly Trial[]): void {
    this.trials.push(...trials);
  }

  private drawn(): Point | undefined {
    const order = ranked(this.trials);
    const good = Math.max(2, Math.min(MOST_GOOD, Math.ceil(GOOD_PART * order.length)));
    const likely = this.densities(order.slice(0, good));
    const unlikely = this.densities(order.slice(good));
    let best: Point | undefined;
    let bestRatio = Number.NEGATIVE_INFINITY;
    for (let draw = 0; draw < DRAWS; draw++) {
      const point = likely.map((density) => this.choice(density));
      if (this.asked.has(point)) continue;
      const ratio = point.reduce(
        (sum, option, axis) => sum + Math.log(likely[axis][option] / unlikely[axis][option]),
        0,
      );
      if (ratio > bestRatio) {
        best = point;
        bestRatio = ratio;
      }
    }
    if (best) this.asked.add(best);
    return best;
  }

  private densities(trials: readonly Trial[]): number[][] {
    return this.space.parameters.map((parameter, axis) =>
      density(
        parameter,
        trials.map(({ point }) => point[axis]),
      ),
    );
  }

  private choice(density: readonly number[]): number {
    let left = this.random.nextFloat();
    for (let option = 0; option < density.length - 1; option++) {
      left -= density[option];
      if (left < 0) return option;
    }
    return density.length - 1;
  }
}

/** How likely each option is, by those observed; options next to an observed one gain where order means something. */
function density({ options, isOrdered }: Parameter, observed: readonly number[]): number[] {
  const { length } = options;
  const weights = new Array<number>(length).fill(PRIOR / length);
  const width = Math.max(0.5, length / 8);
  for (const at of observed) {
    if (!isOrdered) {
      weights[at] += 1;
      continue;
    }
    const kernel = options.map((_, option) => Math.exp(-0.5 * ((option - at) / width) ** 2));
    const sum = kernel.reduce((a, b) => a + b, 0);
    for (let option = 0; option < length; option++) weights[option] += kernel[option] / sum;
  }
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

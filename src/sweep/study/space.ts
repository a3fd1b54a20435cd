import type { JsonValue } from '../../config/json.js';

/** Settings of a scenario by key; a point reaches into an object, as in `extra_engine_args.max_num_seqs`. */
type Changes = ReadonlyMap<string, JsonValue>;

/** One value of a parameter. */
export interface Option {
  /** How tables name it. */
  label: string;
  changes: Changes;
  /** A number that orders options, where they have one. */
  rank?: number;
}

/** One thing that a search decides: a setting with its values, or a choice between several settings at once. */
export interface Parameter {
  name: string;
  options: readonly Option[];
  /** Whether neighbouring options are alike, as numbers are. */
  isOrdered: boolean;
}

/** Positions of the chosen options, one a parameter. */
export type Point = readonly number[];

/** All candidates of a search: the points of a grid of parameters. */
export class Space {
  readonly size: number;
  /** Those with a choice. */
  readonly parameters: readonly Parameter[];

  /** @param all in the order in which they are set; those of one option are the same for all candidates */
  constructor(private readonly all: readonly Parameter[]) {
    this.parameters = all.filter(({ options }) => options.length !== 1);
    this.size = all.reduce((product, { options }) => product * options.length, 1);
  }

  /** All candidates, the last parameter changing fastest. */
  *points(): Generator<Point> {
    for (let rank = 0; rank < this.size; rank++) yield this.pointAt(rank);
  }

  pointAt(rank: number): Point {
    const point = new Array<number>(this.parameters.length);
    let rest = rank;
    for (let axis = point.length - 1; axis >= 0; axis--) {
      const { length } = this.parameters[axis].options;
      point[axis] = rest % length;
      rest = Math.floor(rest / length);
    }
    return point;
  }

  /** What a candidate sets, in order. */
  optionsOf(point: Point): Option[] {
    let axis = 0;
    return this.all.map(({ options }) => (options.length === 1 ? options[0] : options[point[axis++]]));
  }

  /** The chosen values by parameter, as tables name them. */
  labelsOf(point: Point): Record<string, string> {
    return Object.fromEntries(
      this.parameters.map(({ name, options }, axis) => [name, options[point[axis]].label]),
    );
  }
}

/** A point as text. */
export function pointKey(point: Point): string {
  return point.join(',');
}

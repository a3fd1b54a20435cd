/** What the ranks of a worker share, whose passes begin and end together. Whoever drives them tells of those passes. */
export interface Lockstep {
  /**
   * A pass of all ranks with requests has been settled.
   * @returns whether the next one may do what this one could not
   */
  passed(): boolean;
  /** A pass is over, and no rank has a request left that another one could serve. */
  rested(): void;
}

/** What the page of a search draws. */
export interface SweepPicture {
  title: string;
  /** The answer in sentences. */
  answer: string[];
  /** Numbers that candidates are compared by: the targets first. */
  axes: SweepAxis[];
  parameters: { name: string; options: string[] }[];
  /** Simulated candidates, in order of evaluation. */
  candidates: SweepCandidate[];
  /** Ids, best first. */
  ranking: number[];
  front: number[];
  winner: number | null;
  sensitivity: { parameter: string; options: { label: string; id: number }[] }[];
  /** How many candidates were looked at in all, and how many of them by formula alone. */
  looked_at: number;
  by_formula: number;
}

export interface SweepAxis {
  key: string;
  title: string;
  unit: string;
  /** 1 where more is better, -1 where less is. */
  direction: 1 | -1;
  isTarget: boolean;
}

export interface SweepCandidate {
  id: number;
  name: string;
  status: 'feasible' | 'infeasible' | 'stopped' | 'failed' | 'unsupported' | 'skipped';
  reason: string;
  /** Positions of the chosen options by parameter. */
  point: readonly number[];
  /** By the keys of axes; null where nothing is known. */
  values: Record<string, number | null>;
  /** Other numbers of the report. */
  numbers: Record<string, number>;
  /** A configuration that repeats the run; empty where nothing was run. */
  config: string;
}

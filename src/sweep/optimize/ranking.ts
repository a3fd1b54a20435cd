import type { Objective, SlaSpec } from './spec.js';

/** One evaluated state: report, state and judgement side by side, under the reference's column names. */
export interface SweepRecord {
  [column: string]: number | string | boolean | null;
}

/** The judgement that is added to the numbers of a run. */
export interface Judgement {
  score: number;
  feasible: boolean;
  violation_penalty: number;
}

/** Which metric a bound is on, in the order in which bounds are checked. */
const BOUNDED: readonly (readonly [keyof SlaSpec, string])[] = [
  ['ttft', 'mean_ttft_ms'],
  ['itl', 'mean_tpot_ms'],
  ['e2eLatency', 'mean_e2e_latency_ms'],
  ['p95Ttft', 'p95_ttft_ms'],
  ['p95Itl', 'p95_tpot_ms'],
  ['p95E2eLatency', 'p95_e2e_latency_ms'],
];

/**
 * Judges the numbers of a run. The penalty is the sum of how far each goal is missed, as a part of the goal; a goal of 0
 * or less counts as none.
 */
export function judge(
  metrics: SweepRecord,
  sla: SlaSpec,
  objective: Objective,
  gpus: number,
  totalGpus: number,
): Judgement {
  let missed = 0;
  for (const [field, metric] of BOUNDED) {
    const bound = sla[field];
    if (bound === null || !(bound > 0)) continue;
    const value = metrics[metric];
    missed += typeof value === 'number' ? Math.max(value / bound - 1, 0) : Number.POSITIVE_INFINITY;
  }
  const isWithinBudget = gpus <= totalGpus;
  return {
    score: scoreOf(metrics, objective),
    feasible: missed === 0 && isWithinBudget,
    violation_penalty: missed + (isWithinBudget ? 0 : 1),
  };
}

function scoreOf(metrics: SweepRecord, objective: Objective): number {
  switch (objective) {
    case 'throughput':
      return orNaN(metrics.output_throughput_tok_s);
    case 'mean_ttft':
      return -orNaN(metrics.mean_ttft_ms);
    case 'mean_e2e_latency':
      return -orNaN(metrics.mean_e2e_latency_ms);
  }
}

/** A column and whether more of it is better. */
type SortKey = readonly [column: string, isDescending: boolean];

const FEASIBLE_ORDER: readonly SortKey[] = [
  ['score', true],
  ['output_throughput_tok_s', true],
  ['mean_e2e_latency_ms', false],
  ['total_gpus_used', false],
];
const INFEASIBLE_ORDER: readonly SortKey[] = [
  ['violation_penalty', false],
  ['output_throughput_tok_s', true],
  ['mean_e2e_latency_ms', false],
];

/** Positions of the feasible records, best first; equal ones in the order in which they were visited. */
export function feasibleOrder(records: readonly SweepRecord[]): number[] {
  return sorted(records, (record) => record.feasible === true, FEASIBLE_ORDER);
}

/** Position of the infeasible record that misses the goals least; undefined when there is none. */
export function bestInfeasible(records: readonly SweepRecord[]): number | undefined {
  return sorted(records, (record) => record.feasible !== true, INFEASIBLE_ORDER)[0];
}

/** The position that a search goes on from: the best feasible record, else the one that misses the goals least. */
export function bestOf(records: readonly SweepRecord[]): number {
  return feasibleOrder(records)[0] ?? bestInfeasible(records) ?? 0;
}

function sorted(
  records: readonly SweepRecord[],
  isKept: (record: SweepRecord) => boolean,
  keys: readonly SortKey[],
): number[] {
  return records
    .flatMap((record, index) => (isKept(record) ? [index] : []))
    .sort((a, b) => compare(records[a], records[b], keys));
}

function compare(a: SweepRecord, b: SweepRecord, keys: readonly SortKey[]): number {
  for (const [column, isDescending] of keys) {
    const left = orNaN(a[column]);
    const right = orNaN(b[column]);
    if (left === right) continue;
    if (Number.isNaN(left) || Number.isNaN(right)) {
      if (Number.isNaN(left) && Number.isNaN(right)) continue;
      return Number.isNaN(left) ? 1 : -1;
    }
    return left < right === isDescending ? 1 : -1;
  }
  return 0;
}

function orNaN(value: SweepRecord[string] | undefined): number {
  return typeof value === 'number' ? value : Number.NaN;
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A stored answer of the reference: the command line it was given, its input files, and what it reported. */
export interface ReferenceCase {
  name: string;
  args: string[];
  files?: Record<string, string>;
  files_b64?: Record<string, string>;
  exit: number;
  /** Answered by the build whose choices among equal workers are seeded. */
  seeded?: boolean;
  /** false where two runs of the reference differ. */
  stable?: boolean;
  report?: Record<string, number>;
  /** How a planner scaled the fleet. */
  scaling_events?: Record<string, unknown>[];
  per_request_records?: Record<string, unknown>[];
}

const SKETCHED = /^(median|p75|p90|p95|p99)_(itl_ms|output_token_throughput_per_user)$/;
const TOLERANCE = 1e-9;
/** Twice the error of the sketch that the reference uses for these percentiles. */
const SKETCH_TOLERANCE = 0.0021;

/** Writes the input files of a case to a scratch folder and returns its arguments with paths filled in. */
export function prepareCase(test: ReferenceCase): { args: string[]; folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'dynosim-case-'));
  mkdirSync(join(folder, 'files'));
  for (const [name, text] of Object.entries(test.files ?? {}))
    writeFileSync(join(folder, 'files', name), text);
  for (const [name, base64] of Object.entries(test.files_b64 ?? {}))
    writeFileSync(join(folder, 'files', name), Buffer.from(base64, 'base64'));
  const args = test.args.map((arg) => arg.replaceAll('@files/', `${folder}/files/`));
  return { args, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Where a report differs from the reference's, by key. */
export function reportDifferences(
  expected: Record<string, unknown>,
  actual: Record<string, unknown>,
): string[] {
  const isHostTime = (key: string) => /^(wall_time_ms|processed_.*_per_s)$/.test(key);
  return Object.entries(expected)
    .filter(([key]) => !isHostTime(key))
    .filter(([key, value]) => {
      const slack = key.startsWith('std_')
        ? TOLERANCE * Math.abs(expected[key.replace('std_', 'mean_')] as number)
        : 0;
      return differs(value, actual[key], SKETCHED.test(key) ? SKETCH_TOLERANCE : TOLERANCE, slack);
    })
    .map(([key, value]) => `${key}: expected ${JSON.stringify(value)}, got ${JSON.stringify(actual[key])}`);
}

function differs(expected: unknown, actual: unknown, tolerance: number, slack: number): boolean {
  if (isSection(expected) && isSection(actual))
    return Object.keys(expected).some((key) => differs(expected[key], actual[key], tolerance, slack));
  if (typeof expected !== 'number' || typeof actual !== 'number')
    return (expected ?? null) !== (actual ?? null);
  const scale = Math.max(Math.abs(expected), Math.abs(actual));
  return Math.abs(expected - actual) > tolerance * scale + TOLERANCE + slack;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Where per-request records differ; ids are ignored and equal arrivals may come in any order.
 * @param renames whether workers are numbered by first appearance, for the reference picks among equals at random
 */
export function recordDifferences(
  expected: Record<string, unknown>[],
  actual: Record<string, unknown>[],
  renames: boolean,
): string[] {
  if (expected.length !== actual.length) return [`expected ${expected.length} records, got ${actual.length}`];
  const keys = Object.keys(expected[0] ?? {}).filter((key) => key !== 'uuid');
  const compared = keys.filter((key) => !(renames && key.endsWith('_worker_idx')));
  const sort = (records: Record<string, unknown>[]) => {
    const sorted = records
      .map((record) => ({ record, text: compared.map((key) => stable(record[key])).join() }))
      .sort((a, b) => arrival(a.record) - arrival(b.record) || (a.text < b.text ? -1 : 1))
      .map(({ record }) => record);
    return renames ? renamed(sorted) : sorted;
  };
  const actualSorted = sort(actual);
  return sort(expected).flatMap((record, index) =>
    keys
      .filter((key) => differs(record[key], actualSorted[index][key], TOLERANCE, 0))
      .map((key) => `record ${index}, ${key}: expected ${record[key]}, got ${actualSorted[index][key]}`),
  );
}

/** Numbers the workers of each pool by first appearance. */
function renamed(records: Record<string, unknown>[]): Record<string, unknown>[] {
  const numbers = new Map<string, number>();
  const numberOf = (pool: string, worker: unknown) => {
    if (worker === null || worker === undefined) return worker;
    const name = `${pool} ${worker}`;
    const others = [...numbers.keys()].filter((known) => known.startsWith(pool)).length;
    if (!numbers.has(name)) numbers.set(name, others);
    return numbers.get(name);
  };
  return records.map((record) => ({
    ...record,
    prefill_worker_idx: numberOf('prefill', record.prefill_worker_idx),
    decode_worker_idx: numberOf('decode', record.decode_worker_idx),
  }));
}

function arrival(record: Record<string, unknown>): number {
  return record.arrival_time_ms as number;
}

function stable(value: unknown): string {
  return typeof value === 'number' ? value.toPrecision(10) : String(value);
}

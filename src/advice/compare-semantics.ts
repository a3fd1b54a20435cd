import type { Semantics } from '../config/rules.js';
import type { Scenario } from '../config/scenario/scenario.js';
import { UserError } from '../config/user-error.js';
import { replay } from '../replay.js';
import type { RequestOutcome } from '../report/outcome.js';
import type { Report } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import type { Verdict } from '../report/verdict.js';

/** A number under the rules of the one release and of the other; null where it is none. */
export interface Shift {
  name: string;
  before: number | null;
  after: number | null;
}

/** One workload on one fleet, under the rules of two releases. */
export interface SemanticsComparison {
  releases: readonly [Semantics, Semantics];
  /** Keys of the report. */
  numbers: Shift[];
  /** What the mean latency went to, in milliseconds, what moved most first. */
  parts: Shift[];
  verdicts: readonly [Verdict['state'], Verdict['state']];
  /** Requests that completed under both, and those of them whose latency moved by more than a tenth. */
  requests: { both: number; moved: number };
  /** What the rules differ in where this fleet is concerned, a sentence each. */
  because: string[];
}

const NUMBERS = [
  'completed_requests',
  'rejected_requests',
  'failed_requests',
  'preemptions',
  'mean_ttft_ms',
  'p90_ttft_ms',
  'p99_ttft_ms',
  'mean_tpot_ms',
  'p90_tpot_ms',
  'p99_itl_ms',
  'mean_e2e_latency_ms',
  'p99_e2e_latency_ms',
  'output_throughput_tok_s',
  'request_throughput_rps',
  'goodput_request_throughput_rps',
  'prefix_cache_reused_ratio',
  'gpu_hours',
];

/** A change of a latency that counts. */
const MOVED = 0.1;

/**
 * Runs a scenario under the rules of two releases.
 * @param read reads it under the rules of one
 * @throws {UserError} what one of the releases refuses, or its dead end, with its name
 */
export async function compareSemantics(
  read: (semantics: Semantics) => Scenario,
  onProgress?: (ended: number, total: number) => void,
): Promise<SemanticsComparison> {
  const kept = { records: 'ended' as const, onProgress };
  const run = (semantics: Semantics) =>
    naming(semantics, async () => {
      const scenario = read(semantics);
      return { scenario, result: await replay(scenario, kept) };
    });
  const releases = ['dynamo-1.4.2', 'dynamo-1.6'] as const;
  const [old, current] = [await run(releases[0]), await run(releases[1])];
  const [before, after] = [old.result, current.result];
  return {
    releases,
    numbers: shifts(NUMBERS, before.report, after.report),
    parts: movedParts(before.report, after.report),
    verdicts: [verdictOf(before.report), verdictOf(after.report)],
    requests: movedRequests(before, after),
    because: differences(current.scenario),
  };
}

/** Says under whose rules something of the user's goes wrong. */
async function naming<T>(semantics: Semantics, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UserError) error.message = `under ${semantics}: ${error.message}`;
    throw error;
  }
}

function shifts(names: readonly string[], before: Report, after: Report): Shift[] {
  const numberOf = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
  return names
    .map((name) => ({ name, before: numberOf(before[name]), after: numberOf(after[name]) }))
    .filter((shift) => shift.before !== null || shift.after !== null)
    .filter((shift) => !isCountOfNothing(shift));
}

/** Rejections and the like are told only where there are some. */
function isCountOfNothing({ before, after }: Shift): boolean {
  return before === 0 && after === 0;
}

function movedParts(before: Report, after: Report): Shift[] {
  const [old, current] = [before, after].map(
    ({ latency_parts_ms: parts }) => (parts ?? {}) as Record<string, number>,
  );
  const names = [...new Set([...Object.keys(old), ...Object.keys(current)])];
  const parts = names.map((name) => ({ name, before: old[name] ?? 0, after: current[name] ?? 0 }));
  return parts.sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before));
}

function verdictOf({ verdict }: Report): Verdict['state'] {
  return (verdict as unknown as Verdict).state;
}

function movedRequests(old: ReplayResult, current: ReplayResult): SemanticsComparison['requests'] {
  const latency = ({ arrivalMs, terminalMs }: RequestOutcome) => terminalMs - arrivalMs;
  const isDone = ({ status }: RequestOutcome) => status === 'completed';
  const known = new Map(old.records.filter(isDone).map((record) => [record.row, latency(record)]));
  let both = 0;
  let moved = 0;
  for (const record of current.records.filter(isDone)) {
    const before = known.get(record.row);
    if (before === undefined) continue;
    both++;
    if (Math.abs(latency(record) - before) > MOVED * before) moved++;
  }
  return { both, moved };
}

/** What release 1.6 does otherwise on a fleet. */
function differences({ stages, router, workload }: Scenario): string[] {
  const [{ engine }] = stages;
  const isSplit = stages.length > 1;
  const isSglang = engine.type.traits.hasRadixTree;
  const readsTokens = engine.aic === undefined && engine.timing?.type !== 'fixed';
  const told: [boolean, string][] = [
    [isSplit && !workload.isSynthetic, 'a prefill worker generates one token, and not the whole output'],
    [
      isSglang,
      'a pass prefills or decodes: first tokens come without a decode step, and what runs stands still meanwhile',
    ],
    [
      isSglang,
      'cached prompts cost no budget of a pass, and a retracted request goes to the back of the queue',
    ],
    [isSglang && engine.ranks > 1, 'ranks share the chunk size, and keep less room for output'],
    [!isSglang && !isSplit, 'the pass that computes a prompt emits its first token'],
    [
      !isSglang && readsTokens,
      'a decode step takes time by the tokens of its requests, and not by the blocks in use',
    ],
    [router.looks, 'the router hears of cached blocks when their pass ends'],
    [isSplit, 'actions of handoffs come before the arrivals of the same time'],
  ];
  return told.flatMap(([holds, text]) => (holds ? [text] : []));
}

import type { Scenario } from '../config/scenario/scenario.js';
import { UserError } from '../config/user-error.js';
import { replay } from '../replay.js';
import { type Anomaly, cacheChurn, mayChurn } from '../report/anomalies.js';
import { type Bottleneck, bottleneckMs, type Remedy } from '../report/bottlenecks.js';
import type { Findings } from '../report/findings.js';
import { type Pool, poolsOf, sumOf } from '../report/numbers.js';
import type { Report } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import { type Verdict, verdictOf } from '../report/verdict.js';
import { duration, percent } from '../report/words.js';
import { type Candidate, candidates, type Kind } from './candidates.js';
import { capacityCost, measureCapacity } from './capacity.js';
import { changed } from './change.js';
import { type Gains, gainsOf, harms, helps, trades, worth } from './trial.js';

/** Requests that all trials together may take: about two seconds, and the same on every machine. */
const BUDGET = 60_000;
/** Trials without which advice is not worth beginning. */
const LEAST_TRIALS = 3;
const MOST_REMEDIES: Record<Kind, number> = { setting: 2, memory: 1, hardware: 1 };
const KINDS = ['setting', 'memory', 'hardware'] as const;
/** More of the input that a larger pool must let be reused for a pool to be called too small. */
const CHURN = 0.02;
const CHURN_TIMES = 4;
/** Part of the requests that keep the goals from which on they are met. */
const GOOD_ATTAINMENT = 0.99;

/** A change that was run. */
interface Trial {
  candidate: Candidate;
  report: Report;
  gains: Gains;
}

/** Families of settings that are worth trying first where something is short. */
const FIRST: Record<string, readonly string[]> = {
  max_num_seqs: ['max_num_seqs', 'router_mode'],
  num_gpu_blocks: ['max_num_seqs', 'num_gpu_blocks', 'kv_offload', 'router_mode'],
  max_num_batched_tokens: [
    'max_num_batched_tokens',
    'chunked_prefill_size',
    'enable_prefix_caching',
    'router_mode',
  ],
  pass_under_way: ['max_num_batched_tokens', 'chunked_prefill_size', 'max_num_seqs'],
  chunk_wait: ['max_num_batched_tokens', 'chunked_prefill_size'],
  prefill: ['enable_prefix_caching', 'router_mode', 'schedule_policy', 'max_num_batched_tokens'],
  decode: ['max_num_seqs', 'max_num_batched_tokens'],
  decode_room: ['move_to_decode', 'max_num_seqs', 'num_gpu_blocks'],
  preemption: ['max_num_seqs', 'num_gpu_blocks'],
  router_queue: ['router_queue_threshold', 'router_mode'],
  kv_transfer: ['kv_transfer_bandwidth'],
};

/** What was found, and how many changes were run for it. */
export interface Advice extends Findings {
  advice: { tried_changes: number };
}

/** Whether a run is small enough for its remedies to be tried without being asked for. */
export function isCheap(report: Report): boolean {
  return LEAST_TRIALS * (report.num_requests as number) <= BUDGET;
}

/**
 * Finds out what would help: what the fleet can serve is measured, settings are changed one at a time and the run is
 * made again with each. What is printed has been measured on this workload.
 * @param result of a replay of it
 * @returns the report's findings, with a confirmed verdict and remedies
 */
export async function advise(scenario: Scenario, result: ReplayResult): Promise<Advice> {
  const { report, course } = result;
  const arrived = report.num_requests as number;
  const pools = poolsOf(report);
  const workers = scenario.stages.reduce((sum, stage) => sum + stage.workers, 0);
  const capacity = course.isOpenLoop ? await measureCapacity(scenario, result, workers) : undefined;
  const verdict = verdictOf(course, capacity);
  const bottlenecks = report.bottlenecks as Bottleneck[];
  const anomalies = [...(report.anomalies as Anomaly[])];
  if (!needsAdvice(report, verdict, bottlenecks, anomalies, pools))
    return { verdict, bottlenecks, anomalies, advice: { tried_changes: 0 } };
  const budget = Math.max(LEAST_TRIALS * arrived, BUDGET - capacityCost(arrived));
  const trials = await tryAll(scenario, report, worthTrying(scenario, bottlenecks, anomalies, pools), budget);
  const good = trials.filter(({ gains }) => !harms(gains));
  for (const pool of mayChurn(pools)) anomalies.push(...churn(pool, report, trials));
  return {
    verdict,
    bottlenecks: bottlenecks.map((one) => ({
      ...one,
      remedies: remediesOf(one, bottlenecks, trials, report, pools),
    })),
    anomalies: anomalies.map((one) => ({ ...one, remedies: cures(one, trials, good, report, pools) })),
    advice: { tried_changes: trials.length },
  };
}

/** Whether anything is worth changing: requests wait, goals are missed, or something is odd. */
function needsAdvice(
  report: Report,
  { state }: Verdict,
  bottlenecks: readonly Bottleneck[],
  anomalies: readonly Anomaly[],
  pools: readonly Pool[],
): boolean {
  const attained = (report.sla as { attainment: number } | undefined)?.attainment ?? 1;
  return (
    state === 'overloaded' ||
    state === 'backlogged' ||
    attained < GOOD_ATTAINMENT ||
    anomalies.length > 0 ||
    bottlenecks.some(isWait) ||
    mayChurn(pools).length > 0
  );
}

function isWait({ limit }: Bottleneck): boolean {
  return limit !== 'decode' && limit !== 'prefill';
}

/** Candidates, those first that fit what holds the run back. */
function worthTrying(
  scenario: Scenario,
  bottlenecks: readonly Bottleneck[],
  anomalies: readonly Anomaly[],
  pools: readonly Pool[],
): Candidate[] {
  const limits = bottlenecks.map(({ limit }) => limit);
  const lacksBlocks =
    limits.some((limit) => ['num_gpu_blocks', 'preemption', 'decode_room'].includes(limit)) ||
    anomalies.some(({ name }) => name !== 'imbalance') ||
    mayChurn(pools).length > 0;
  const waits = bottlenecks.some(isWait);
  const first = limits.flatMap((limit) => FIRST[limit] ?? []);
  const rank = ({ family }: Candidate) => {
    const at = first.findIndex((name) => family.endsWith(name));
    return at < 0 ? first.length : at;
  };
  return candidates(scenario, lacksBlocks)
    .filter(({ kind, family }) => kind !== 'memory' || lacksBlocks || family === 'kv_offload')
    .filter(({ family }) => waits || !/^num_.*workers$/.test(family))
    .map((candidate) => ({ candidate, rank: rank(candidate) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ candidate }) => candidate);
}

/** Runs changes as far as the budget goes; a family is not followed further in a direction that does no good. */
async function tryAll(
  scenario: Scenario,
  base: Report,
  list: readonly Candidate[],
  budget: number,
): Promise<Trial[]> {
  const trials: Trial[] = [];
  const given = new Set<string>();
  const cost = Math.max(1, base.num_requests as number);
  let left = budget;
  for (const candidate of list) {
    const direction = directionOf(candidate);
    if (left < cost) break;
    if (given.has(direction)) continue;
    left -= cost;
    const report = await tried(scenario, candidate);
    if (!report) continue;
    const gains = gainsOf(base, report);
    trials.push({ candidate, report, gains });
    if (worth(gains) <= 0 && gains.completed <= 0) given.add(direction);
  }
  return trials;
}

/** A family and whether its value goes up or down in it. */
function directionOf({ family, text }: Candidate): string {
  const [, to, from] = /(\d+) instead of (\d+)/.exec(text) ?? [];
  return to === undefined ? `${family} ${text}` : `${family} ${Number(to) > Number(from) ? 'up' : 'down'}`;
}

async function tried(scenario: Scenario, { change }: Candidate): Promise<Report | undefined> {
  try {
    return (await replay(changed(scenario, { check: null, ...change }))).report;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Changes that make the latency shorter which a bottleneck makes long, and that bottleneck more than all others. */
function remediesOf(
  bottleneck: Bottleneck,
  all: readonly Bottleneck[],
  trials: readonly Trial[],
  report: Report,
  pools: readonly Pool[],
): Remedy[] {
  const eased = (one: Bottleneck, trial: Trial) =>
    bottleneckMs(one, report, pools) - bottleneckMs(one, trial.report, poolsOf(trial.report));
  const mine = trials.filter((trial) => {
    if (!helps(trial.gains, bottleneck.latency)) return false;
    const most = all
      .filter((one) => helps(trial.gains, one.latency))
      .sort((a, b) => eased(b, trial) - eased(a, trial));
    return most[0] === bottleneck;
  });
  const harmless = mine.filter(({ gains }) => !harms(gains));
  const isSetting = ({ candidate }: Trial) => candidate.kind === 'setting';
  if (bottleneck.latency === 'ttft' || harmless.some(isSetting)) return best(harmless, report);
  return best([...harmless, ...mine.filter((trial) => isSetting(trial) && trades(trial.gains))], report);
}

/** The best of each family, then the best families of each kind; what costs nothing first. */
function best(trials: readonly Trial[], base: Report): Remedy[] {
  const ordered = trials.toSorted((a, b) => worth(b.gains) - worth(a.gains));
  const families = new Set<string>();
  const unique = ordered.filter(({ candidate: { family } }) => !families.has(family) && families.add(family));
  return KINDS.flatMap((kind) =>
    unique.filter(({ candidate }) => candidate.kind === kind).slice(0, MOST_REMEDIES[kind]),
  ).map((trial) => remedy(trial, base));
}

function remedy({ candidate, gains, report }: Trial, base: Report): Remedy {
  return {
    change: candidate.change,
    gain: roundedGains(gains),
    text: `${candidate.text}: ${moved(base, report)}`,
  };
}

function roundedGains({ completed, ...gains }: Gains): Record<string, number> {
  const rounded = Object.entries(gains).map(([name, gain]) => [name, Math.round(gain * 1e4) / 1e4]);
  return Object.fromEntries(rounded) as Record<string, number>;
}

const SHOWN = [
  ['mean TTFT', 'mean_ttft_ms'],
  ['p99 TTFT', 'p99_ttft_ms'],
  ['mean latency', 'mean_e2e_latency_ms'],
  ['p99 latency', 'p99_e2e_latency_ms'],
] as const;

/** The means, or tails where those move more, before and after a change. */
function moved(base: Report, report: Report): string {
  const words = SHOWN.filter((_, index) => {
    const change = (at: number) => 1 - (report[SHOWN[at][1]] as number) / (base[SHOWN[at][1]] as number);
    const partner = index % 2 === 0 ? index + 1 : index - 1;
    return index % 2 === 0 ? change(index) >= 0.05 : change(index) >= 0.05 && change(partner) < 0.05;
  }).map(([name, key]) => `${name} ${duration(base[key] as number)} → ${duration(report[key] as number)}`);
  const [first, firstAfter] = [base.mean_ttft_ms as number, report.mean_ttft_ms as number];
  if (firstAfter > 1.05 * first) words.push(`but mean TTFT ${duration(first)} → ${duration(firstAfter)}`);
  const attained = (from: Report) => (from.sla as { attainment: number } | undefined)?.attainment;
  const [before, after] = [attained(base), attained(report)];
  if (before !== undefined && after !== undefined && Math.abs(after - before) >= 0.01)
    words.push(`goals kept ${percent(before)} → ${percent(after)}`);
  const [done, more] = [base.completed_requests as number, report.completed_requests as number];
  if (more > done) words.push(`${more} instead of ${done} requests complete`);
  return words.join(', ');
}

/** A pool is too small when a larger one lets more be reused. */
function churn(pool: Pool, base: Report, trials: readonly Trial[]): Anomaly[] {
  const key = pool.stage === '' ? 'extra_engine_args' : `${pool.stage}_engine_args`;
  const isLarger = ({ family, text }: Candidate) =>
    family === `${key}.num_gpu_blocks` && text.includes(`${text.match(/instead of (\d+)/)?.[1]}`);
  const larger = trials.filter(({ candidate }) => isLarger(candidate)).at(-1);
  if (!larger) return [];
  const reuse = (report: Report) => report.first_admission_prefix_cache_reused_ratio as number;
  if (reuse(larger.report) - reuse(base) < CHURN) return [];
  return [cacheChurn(pool, reuse(base), reuse(larger.report), CHURN_TIMES)];
}

/** What helps against an anomaly, of all that was tried. */
function cures(
  { name, stage }: Anomaly,
  trials: readonly Trial[],
  good: readonly Trial[],
  base: Report,
  pools: readonly Pool[],
): Remedy[] {
  if (name === 'unservable_requests') {
    const serving = trials.filter(({ gains }) => gains.completed > 0);
    const most = serving.toSorted((a, b) => b.gains.completed - a.gains.completed)[0];
    return most ? [remedy(most, base)] : [];
  }
  const helpful = good.filter(({ gains }) => helps(gains, 'ttft') || helps(gains, 'e2e'));
  const of = (report: Report, key: string) =>
    poolsOf(report)
      .filter((pool) => pool.stage === (stage ?? '') || pools.length !== poolsOf(report).length)
      .reduce((sum, { workers }) => sum + sumOf(workers, key), 0);
  const eases: Record<Exclude<Anomaly['name'], 'unservable_requests'>, (trial: Trial) => boolean> = {
    preemption_thrash: ({ report }) => (report.preemptions as number) < 0.5 * (base.preemptions as number),
    head_of_line_blocking: ({ report }) => of(report, 'blocked_heads') < 0.5 * of(base, 'blocked_heads'),
    cache_churn: ({ report }) =>
      (report.first_admission_prefix_cache_reused_ratio as number) >
      (base.first_admission_prefix_cache_reused_ratio as number) + CHURN / 2,
    imbalance: ({ candidate }) => /^(router_mode|overlap_score_credit)$/.test(candidate.family),
  };
  return best(helpful.filter(eases[name]), base);
}

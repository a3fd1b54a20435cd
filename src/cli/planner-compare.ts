import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { JsonNumber, type JsonObject, type JsonValue } from '../config/json.js';
import { plannerJson } from '../setup/planner/config-source.js';
import { referenceGoals } from '../setup/planner/reference-goals.js';
import { readScenario } from '../setup/scenario.js';
import {
  besideOf,
  type Candidate,
  comparePlanners,
  comparisonRows,
  type PlannerComparison,
  timetableJson,
  withPlanner,
} from '../sweep/planner/compare.js';
import type { GridRow } from '../sweep/planner/grid.js';
import { plannedPool } from '../sweep/planner/planned-pool.js';
import { csvText } from '../sweep/table-files.js';
import { OutputFiles } from './output.js';
import {
  commonSettings,
  outputTargets,
  type RunsFlags,
  runsTable,
  threadsOf,
  withCost,
} from './planner-runs.js';
import { ReplayCounter } from './progress.js';

export interface CompareFlags extends RunsFlags {
  with?: string[];
  oracleRuns: number;
  oracleMostWorkers?: number;
}

const BASELINES = ['none', 'hpa', 'keda', 'saturation'];
/** Columns of files that a terminal has no room for. */
const UNSHOWN = ['worst_window_attainment', 'p50_ttft_ms', 'p50_itl_ms', 'p99_itl_ms', 'error'];
/** A comparison has no other planner. */
const PLANNER_KEYS = ['planner', 'planner_config'];

/** Runs planners side by side on one workload. @throws {InputError} */
export async function runPlannerCompare(
  command: Command,
  files: readonly string[],
  flags: CompareFlags,
): Promise<void> {
  const { json, names } = commonSettings(command, files, flags);
  const settings = json.get('planner_config');
  const candidates = candidatesOf(json.get('planner'), settings, flags.with);
  const base = withGoals(withoutKeys(json, PLANNER_KEYS), settings);
  const { control } = readScenario(withPlanner(base, candidates[0]), names);
  const outputs = OutputFiles.open(outputTargets(flags), { force: flags.force === true, inputs: files });
  let done = 0;
  const progress = new ReplayCounter(flags.quiet === true);
  const pool = plannedPool(threadsOf(flags, Number.POSITIVE_INFINITY));
  try {
    const comparison = await comparePlanners(
      pool,
      {
        ...{ base, candidates, wanted: control.attainment },
        ...{ mostWorkers: flags.oracleMostWorkers, oracleRuns: flags.oracleRuns },
      },
      () => progress.callback(++done),
    );
    const rows = withCost(comparisonRows(comparison), flags.gpuHourPrice);
    if (flags.json !== undefined) await outputs.write(flags.json, [`${comparisonJson(comparison, rows)}\n`]);
    if (flags.csv !== undefined) await outputs.write(flags.csv, [csvText(rows)]);
    outputs.commit();
    progress.stop();
    if (!flags.quiet) process.stdout.write(comparisonText(comparison, rows, control.attainment));
  } finally {
    outputs.discard();
    progress.stop();
    await pool.close();
  }
}

/** What is compared: planners by name, `name=settings` for others than the usual; without any, the baselines and the reference's. */
function candidatesOf(
  policy: JsonValue | undefined,
  settings: JsonValue | undefined,
  asked: readonly string[] | undefined,
): Candidate[] {
  const named = typeof policy === 'string' ? policy : settings === undefined ? undefined : 'reference';
  const own = named === undefined ? [] : [{ label: named, policy: named, settings }];
  const texts = asked ?? BASELINES;
  const others = texts.map((text): Candidate => {
    const at = text.indexOf('=');
    const isFile = existsSync(text);
    const name = at < 0 || isFile ? text : text.slice(0, at);
    const given = at < 0 || isFile ? undefined : plannerJson(text.slice(at + 1), '--with').json;
    if (name === 'reference' && given === undefined)
      return { label: text, policy: name, settings: settings ?? null };
    return { label: text, policy: name, settings: given };
  });
  const labels = new Set(others.map(({ label }) => label));
  return [...own.filter(({ label }) => !labels.has(label)), ...others];
}

function withoutKeys(json: JsonObject, keys: readonly string[]): JsonObject {
  return new Map([...json].filter(([key]) => !keys.includes(key)));
}

/** All are measured by the same goals: those that are given, or those of the reference's planner. */
function withGoals(json: JsonObject, settings: JsonValue | undefined): JsonObject {
  if (['sla_ttft_ms', 'sla_itl_ms', 'sla_e2e_ms'].some((key) => json.has(key))) return json;
  const goals = settings instanceof Map ? referenceGoals(settings) : undefined;
  if (!goals)
    throw new InputError(
      'planners are compared by goals: --sla-ttft-ms, --sla-itl-ms or --sla-e2e-ms, or a planner of the reference with target sla',
    );
  const number = (value: number) => new JsonNumber(String(value));
  return new Map([...json, ['sla_ttft_ms', number(goals.ttftMs)], ['sla_itl_ms', number(goals.itlMs)]]);
}

function comparisonJson({ outcomes, oracle }: PlannerComparison, rows: readonly GridRow[]): string {
  const planners = outcomes.map(({ candidate, outcome }, index) => ({
    ...rows[index],
    policy: candidate.policy,
    ...('failure' in outcome
      ? {}
      : { measures: { ...outcome.measures, ...(oracle && { oracle: besideOf(outcome, oracle) }) } }),
  }));
  const found = oracle && {
    ...rows[rows.length - 1],
    is_exact: oracle.isExact,
    is_enough: oracle.isEnough,
    runs: oracle.runs,
    ...timetableJson(oracle.plan),
  };
  return JSON.stringify({ planners, oracle: found ?? null }, null, 1);
}

function comparisonText(
  { outcomes, oracle }: PlannerComparison,
  rows: readonly GridRow[],
  wanted: number,
): string {
  const shown = rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([column]) => !UNSHOWN.includes(column))),
  );
  const lines = [runsTable(shown, process.stdout.isTTY === true)];
  for (const { candidate, outcome } of outcomes)
    if ('failure' in outcome) lines.push(`${candidate.label} failed: ${outcome.failure}`);
  if (oracle) lines.push(oracleText(oracle, wanted));
  return `${lines.join('\n')}\n`;
}

function oracleText(
  { isExact, isEnough, runs, gpuHours }: NonNullable<PlannerComparison['oracle']>,
  wanted: number,
) {
  const share = `${(wanted * 100).toLocaleString('en-US', { maximumFractionDigits: 1 })} %`;
  const what = isEnough
    ? `The fewest GPU hours that keep the goals of ${share} of the requests: ${gpuHours.toFixed(4)}`
    : `No fleet keeps the goals of ${share} of the requests; the oracle keeps them best with ${gpuHours.toFixed(4)} GPU hours`;
  return `${what} (${isExact ? 'every fleet was tried' : 'the least found'}, ${runs} runs)`;
}

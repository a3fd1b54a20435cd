import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError } from '../config/input-error.js';
import { replay } from '../replay.js';
import type { FleetPlan } from '../report/fleet-plan.js';
import { matchPlans, type StageMatch } from '../report/plan-match.js';
import { planOf } from '../report/planner-measures.js';
import { readScenario } from '../setup/scenario.js';
import { writeOutputs } from './output.js';
import { commonSettings, type RunsFlags, runsTable } from './planner-runs.js';

interface RecordedChange {
  readonly at_s: number;
  readonly component: string;
  readonly to: number;
}

/**
 * What a planner decided in production, against what ours decides on the same traffic.
 * @param path lines of `at,stage,replicas`, the time in seconds since the trace begins
 * @throws {InputError}
 */
export async function checkDecisions(
  path: string,
  command: Command,
  traces: readonly string[],
  flags: RunsFlags,
): Promise<void> {
  const { json, names } = commonSettings(command, traces, flags);
  const scenario = readScenario(json, names);
  if (!scenario.control.planner)
    throw new InputError(
      `${path} holds decisions: they are compared with those of ${names.short('planner')} or ${names.short('planner_config')} on a trace`,
    );
  const stages = scenario.stages.map(({ name }) => name || 'agg');
  const changes = readDecisions(path, stages);
  const { planner, report } = await replay(scenario);
  const ours = planOf(planner!);
  // Before its first decision a stage is taken to be as it was in the simulation.
  const recorded = { stages: ours.stages, changes };
  const seconds = Math.max((report.duration_ms as number) / 1000, changes[changes.length - 1].at_s);
  const matches = matchPlans(recorded, ours, seconds);
  if (flags.json !== undefined)
    await writeOutputs(new Map([[flags.json, [`${resultJson(matches, recorded, ours)}\n`]]]), '--json', {
      force: flags.force === true,
      inputs: [path, ...traces],
    });
  process.stdout.write(summary(matches));
}

function readDecisions(path: string, stages: readonly string[]): RecordedChange[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${path} (${(error as Error).message})`);
  }
  const changes: RecordedChange[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#') || (index === 0 && /^\s*at\s*,/.test(line))) return;
    changes.push(readDecision(line, stages, `${path}:${index + 1}`));
  });
  if (changes.length === 0) throw new InputError(`${path}: holds no decisions`);
  return changes.sort((a, b) => a.at_s - b.at_s);
}

function readDecision(line: string, stages: readonly string[], where: string): RecordedChange {
  const cells = line.split(',').map((cell) => cell.trim());
  if (cells.length !== 3)
    throw new InputError(`${where}: expected at,stage,replicas, found ${cells.length} values`);
  const [at, component, replicas] = cells;
  if (!stages.includes(component))
    throw new InputError(`${where}: stage: found "${component}", allowed are ${stages.join(', ')}`);
  const [at_s, to] = [Number(at), Number(replicas)];
  if (at === '' || !(at_s >= 0 && Number.isFinite(at_s)))
    throw new InputError(`${where}: at: expected seconds from 0, found "${at}"`);
  if (replicas === '' || !(Number.isInteger(to) && to >= 0))
    throw new InputError(`${where}: replicas: expected a whole number from 0, found "${replicas}"`);
  return { at_s, component, to };
}

function resultJson(matches: readonly StageMatch[], recorded: FleetPlan, ours: FleetPlan): string {
  const rate = matches.reduce((sum, { match_rate }) => sum + match_rate, 0) / matches.length;
  const result = { match_rate: rate, stages: matches, recorded: recorded.changes, ours: ours.changes };
  return JSON.stringify(result, null, 1);
}

function summary(matches: readonly StageMatch[]): string {
  return runsTable(
    matches.map((match) => ({ ...match })),
    process.stdout.isTTY === true,
  );
}

import { SeededRandom } from '../../random/std-rng.js';
import type { Evaluator } from '../job.js';
import { Nsga2 } from '../search/nsga2.js';
import { CoordinateDescent, Exhaustive, RandomSearch } from '../search/plain.js';
import type { Sampler } from '../search/sampler.js';
import { Tpe } from '../search/tpe.js';
import { type Candidate, candidateOf } from './candidate.js';
import { type Confirmation, confirm } from './confirm.js';
import { fewest } from './fewest.js';
import { halve } from './halving.js';
import { type Entry, feasibleOrder, frontEntries, leastMissing, trialOf } from './ledger.js';
import { type Sensitivity, sensitivityOf } from './sensitivity.js';
import { Formulas } from './shortlist.js';
import { type Point, pointKey } from './space.js';
import type { Algorithm, StudySpec } from './spec.js';
import { type TrialHooks, Trials } from './trials.js';

/** Candidates that are simulated after all were judged by formula. */
const SHORTLIST = 24;
/** Candidates that are judged by formula at most. */
const MOST_FORMULAS = 20_000;
/** Runs that it takes to find the highest load of a candidate, about. */
const RUNS_OF_LOAD = 8;
/** Points that a sampler is asked for at once: part of what a search is, and not of how it is run. */
const BATCHES: Record<string, number> = { exhaustive: 64, random: 64, coordinate: 64, tpe: 4, nsga2: 8 };

export interface StudyHooks extends TrialHooks {
  /** Told once it is known how many candidates will be measured at most. */
  onPlan?: ((candidates: number) => void) | undefined;
}

/** The answer to a study. */
export interface StudyResult {
  spec: StudySpec;
  algorithm: Algorithm;
  /** Whether every candidate was simulated. */
  isComplete: boolean;
  /** All candidates that were looked at, in order of evaluation. */
  entries: readonly Entry[];
  /** Feasible ones, best first; of several targets, the front first. */
  ranking: readonly Entry[];
  /** Those that no other is better than everywhere; the best one where there is one target. */
  front: readonly Entry[];
  /** The best one; the one that misses the goals least where none keeps them. */
  winner: Entry | undefined;
  sensitivity: readonly Sensitivity[];
  confirmation: Confirmation | undefined;
}

/** Answers a study. @throws {InputError} when the workload cannot be read */
export async function runStudy(
  spec: StudySpec,
  evaluator: Evaluator,
  hooks: StudyHooks = {},
): Promise<StudyResult> {
  const algorithm = algorithmOf(spec);
  const formulas = new Formulas(spec);
  const guesses = new Map<string, number>();
  if (spec.load && algorithm !== 'shortlist')
    for (const point of firstPoints(spec)) {
      const { load } = await formulas.find(candidateOf(spec, point));
      if (load !== undefined) guesses.set(pointKey(point), load);
    }
  const guess = ({ point }: Candidate) => guesses.get(pointKey(point));
  const trials = new Trials(spec, evaluator, hooks, guess);
  const asksForSize = spec.targets.length === 1 && spec.targets[0] === 'gpus' && spec.goals.length > 0;
  if (asksForSize && (algorithm === 'shortlist' || algorithm === 'exhaustive'))
    await fewest(trials, formulas, firstPoints(spec), hooks.onPlan);
  else if (algorithm === 'shortlist') await shortlist(trials, formulas, guesses, hooks);
  else if (algorithm === 'halving') await halve(trials, firstPoints(spec), hooks.onPlan);
  else await sample(trials, algorithm, hooks);
  const { winner } = answerOf(trials);
  const sensitivity = winner ? await sensitivityOf(trials, winner) : [];
  // What was tried around the winner may be better than it.
  const after = answerOf(trials);
  return {
    ...{ spec, algorithm, entries: trials.entries, sensitivity },
    isComplete: trials.entries.filter(({ isEstimate }) => !isEstimate).length === spec.space.size,
    ...after,
    confirmation:
      after.winner && (await confirm(trials, after.ranking.length > 0 ? after.ranking : [after.winner])),
  };
}

/** The algorithm that is asked for, or that fits the size of the search. */
function algorithmOf({ space, targets, load, optimizer }: StudySpec): Algorithm {
  if (optimizer.algorithm !== undefined) return optimizer.algorithm;
  const runs = space.size * (load ? RUNS_OF_LOAD : 1);
  if (runs <= optimizer.maxTrials) return 'exhaustive';
  if (space.parameters.some(({ name }) => name === 'fleet') && space.size <= MOST_FORMULAS)
    return 'shortlist';
  return targets.length > 1 ? 'nsga2' : 'tpe';
}

function firstPoints({ space }: StudySpec): Point[] {
  const points: Point[] = [];
  for (const point of space.points()) if (points.push(point) >= MOST_FORMULAS) break;
  return points;
}

async function sample(trials: Trials, algorithm: Algorithm, hooks: StudyHooks): Promise<void> {
  const { spec } = trials;
  const { maxTrials } = spec.optimizer;
  const sampler = samplerOf(spec, algorithm);
  const most = algorithm === 'exhaustive' ? spec.space.size : Math.min(maxTrials, spec.space.size);
  hooks.onPlan?.(most);
  for (let done = 0; done < most; ) {
    const points = sampler.ask(Math.min(BATCHES[algorithm], most - done));
    if (points.length === 0) break;
    sampler.tell((await trials.measure(points)).map(trialOf));
    done += points.length;
  }
}

function samplerOf({ space, optimizer }: StudySpec, algorithm: Algorithm): Sampler {
  const random = new SeededRandom(optimizer.seed);
  if (algorithm === 'exhaustive') return new Exhaustive(space);
  if (algorithm === 'coordinate') return new CoordinateDescent(space, random);
  if (algorithm === 'random') return new RandomSearch(space, random);
  return algorithm === 'tpe' ? new Tpe(space, random) : new Nsga2(space, random);
}

/** All candidates by formula, then the best of them by simulation. */
async function shortlist(
  trials: Trials,
  formulas: Formulas,
  guesses: Map<string, number>,
  hooks: StudyHooks,
): Promise<void> {
  const { spec } = trials;
  const order = await formulas.order(firstPoints(spec));
  for (const { candidate, load } of order)
    if (load !== undefined) guesses.set(pointKey(candidate.point), load);
  const most = Math.min(SHORTLIST, spec.optimizer.maxTrials);
  const chosen = order.filter(({ status }) => status !== 'unsupported').slice(0, most);
  hooks.onPlan?.(chosen.length);
  await trials.measure(chosen.map(({ candidate }) => candidate.point));
  for (const finding of order) if (!trials.has(finding.candidate.point)) trials.note(finding);
}

function answerOf({ entries, spec }: Trials): Pick<StudyResult, 'ranking' | 'front' | 'winner'> {
  const feasible = feasibleOrder(entries);
  const front = spec.targets.length > 1 ? frontEntries(entries) : feasible.slice(0, 1);
  const rest = feasible.filter((entry) => !front.includes(entry));
  const ranking = spec.targets.length > 1 ? [...front, ...rest] : feasible;
  return { ranking, front, winner: feasible[0] ?? leastMissing(entries) };
}

import type { Scenario } from '../config/scenario/scenario.js';
import { replay } from '../replay.js';
import type { Report } from '../report/report.js';
import { resolveEngines } from '../setup/engines.js';
import type { Pair } from './errors.js';
import { costOf, type PassLogs, rowsOf } from './explain.js';
import { bestStep } from './linear.js';
import { type Match, matchRequests } from './match.js';
import type { Measured } from './measured.js';
import {
  type Adjustments,
  type Group,
  PARAMETERS,
  type Parameter,
  scenarioUnder,
  unchanged,
  withParameters,
} from './parameters.js';
import { PassLog } from './pass-log.js';

const MOST_STEPS = 40;
/** Least gain of a step that counts, as a part of the cost, and how many in a row may gain less. */
const LEAST_GAIN = 1e-3;
const MOST_FRUITLESS = 6;
/** Parts of a parameter by which it is moved last of all, alone. */
const LAST_STEPS = [0.04, 0.02, 0.01];
/** How much dearer than the best a place may be for steps to go on from there. */
const MOST_LOSS = 1.5;
/** How steps are damped after ones that gained nothing, in turn. */
const DAMPINGS = [0, 0, 1, 0, 10, 0];
/** Gain from which on speeds of the timing model, or another cache size, are changed, as a part of the cost. */
const CLEAR_GAIN = 0.1;
/** Loss at which a term is left out, as a part of the cost. */
const SMALL_LOSS = 0.01;
/** Logarithms of factors on the cache size: the first step of the search, and the last. */
const FIRST_KV_STEP = 0.16;
const LAST_KV_STEP = 0.02;

export interface Calibration {
  settings: Adjustments;
  /** Options of the calibrated run. */
  scenario: Scenario;
  /** Blocks of the KV pool of each engine. */
  kvBlocks: number[];
  /** All requests by arrival, before and after; those from `heldOut` on were not fitted. */
  before: Pair[];
  after: Pair[];
  heldOut: number;
  replays: number;
}

/** A run under some settings, and how far its fitted half is from what was measured. */
interface Trial {
  settings: Adjustments;
  pairs: Pair[];
  logs: PassLogs;
  cost: number;
  /** Whether requests waited for KV blocks, so that their number matters. */
  isShortOfBlocks: boolean;
}

/**
 * Fits settings of a run to what was measured of the same requests: the first half of them by arrival, so that the
 * second half tells how good the fit is. Each iteration replays the trace and solves for the settings that would
 * explain the difference, given how many passes, sequences and tokens went into each latency (Gauss and Newton's
 * method, damped where it overshoots). Speeds of the timing model and the cache are left alone unless the fit is
 * clearly better with them.
 * @throws {InputError} when trace and measurement do not belong together
 */
export async function calibrate(
  base: Scenario,
  measured: readonly Measured[],
  groups: readonly Group[],
  onReplay: (replays: number) => void,
): Promise<Calibration> {
  const engines = resolveEngines(base, []).stages.map(({ args }) => args);
  const blocks = engines.map(({ gpuBlocks }) => gpuBlocks);
  const heldOut = Math.ceil(measured.length / 2);
  let replays = 0;
  let matching: Match[] | undefined;
  const tryOut: TryOut = async (settings) => {
    onReplay(++replays);
    const logs: PassLogs = new Map();
    const { records, report } = await replay(scenarioUnder(base, blocks, settings), {
      records: 'all',
      watchStage: (stage) => {
        const log = new PassLog(engines[0].ranks);
        logs.set(stage, log);
        return log;
      },
    });
    matching ??= matchRequests(measured, records);
    const byRow = new Map(records.map((record) => [record.row, record]));
    const pairs = matching.map(({ row, measured }) => ({ measured, simulated: byRow.get(row)! }));
    return {
      settings,
      pairs,
      logs,
      cost: costOf(pairs.slice(0, heldOut)),
      isShortOfBlocks: isShortOfBlocks(report),
    };
  };
  // Speculation allows no speed of its own for decoding.
  const isSpeculating = engines.some(({ acceptRates }) => acceptRates !== undefined);
  const start = await tryOut(unchanged(base.overheads));
  const best = await bestFit(start, groups, heldOut, tryOut, isSpeculating);
  const scenario = scenarioUnder(base, blocks, best.settings);
  const kvBlocks = resolveEngines(scenario, []).stages.map(({ args }) => args.gpuBlocks);
  return {
    settings: best.settings,
    scenario,
    kvBlocks,
    before: start.pairs,
    after: best.pairs,
    heldOut,
    replays,
  };
}

type TryOut = (settings: Adjustments) => Promise<Trial>;

const SHORT_PART = 0.01;

function isShortOfBlocks(report: Report): boolean {
  const pools = ['workers', 'prefill_workers', 'decode_workers'].map((name) => report[name] ?? []);
  const workers = pools.flat() as Record<string, number>[];
  return workers.some((worker) => worker.passes_short_of_kv_blocks > SHORT_PART * worker.passes);
}

async function bestFit(
  start: Trial,
  groups: readonly Group[],
  heldOut: number,
  tryOut: TryOut,
  isSpeculating: boolean,
): Promise<Trial> {
  const asked = PARAMETERS.filter(
    ({ group, name }) => groups.includes(group) && !(isSpeculating && name === 'decodeSpeed'),
  );
  const small = asked.filter(({ group }) => group !== 'timing');
  let parameters = small;
  let best = await descend(start, small, heldOut, tryOut);
  if (small.length < asked.length) {
    const larger = await descend(start, asked, heldOut, tryOut);
    const again = await tryOut({ ...larger.settings, prefillSpeed: 1, decodeSpeed: 1 });
    const smaller = await descend(again, small, heldOut, tryOut);
    if (smaller.cost < best.cost) best = smaller;
    if (small.length === 0 || larger.cost < (1 - CLEAR_GAIN) * best.cost) {
      best = larger;
      parameters = asked;
    }
  }
  if (groups.includes('kv') && (start.isShortOfBlocks || best.isShortOfBlocks)) {
    // From what was fitted with another cache, and from the beginning, for the first may be far off.
    const refit = async (kvBlocks: number) => {
      const trials: Trial[] = [];
      for (const { settings } of [best, start])
        trials.push(await descend(await tryOut({ ...settings, kvBlocks }), asked, heldOut, tryOut));
      return trials.sort((a, b) => a.cost - b.cost)[0];
    };
    const resized = await searchCache(best, refit);
    if (resized.cost < (1 - CLEAR_GAIN) * best.cost) {
      best = resized;
      parameters = asked;
    }
  }
  return prune(best, parameters, heldOut, tryOut);
}

/**
 * Makes steps as long as they gain. Since a request that just misses a pass waits for the next, the cost is rugged near
 * its least; a few steps that gain nothing lead past that.
 */
async function descend(
  start: Trial,
  parameters: readonly Parameter[],
  heldOut: number,
  tryOut: TryOut,
): Promise<Trial> {
  const least = parameters.map((parameter) => parameter.least);
  const stepFrom = ({ settings, pairs, logs }: Trial, damping: number): Promise<Trial> => {
    const rows = rowsOf(pairs.slice(0, heldOut), logs, parameters, settings);
    const at = parameters.map((parameter) => parameter.get(settings));
    const step = bestStep(rows, at, least, damping);
    return tryOut(
      withParameters(
        settings,
        parameters,
        at.map((value, i) => value + step[i]),
      ),
    );
  };
  let best = start;
  let at = start;
  let fruitless = 0;
  for (let steps = 0; steps < MOST_STEPS && fruitless < MOST_FRUITLESS && parameters.length > 0; steps++) {
    // Steps that overshoot are damped, the first ones apart from those that wander around the least.
    at = await stepFrom(at, steps === 0 ? 0 : DAMPINGS[fruitless % DAMPINGS.length]);
    if (at.cost < (1 - LEAST_GAIN) * best.cost) fruitless = 0;
    else fruitless++;
    if (at.cost < best.cost) best = at;
    if (at.cost > MOST_LOSS * best.cost) at = best;
  }
  return best;
}

/** Looks for a better cache size in ever smaller steps, all else being fitted anew for each. */
async function searchCache(start: Trial, refit: (kvBlocks: number) => Promise<Trial>): Promise<Trial> {
  let best = start;
  for (let step = FIRST_KV_STEP; step >= LAST_KV_STEP; ) {
    const before = best;
    for (const direction of [step, -step]) {
      const kvBlocks = best.settings.kvBlocks * Math.exp(direction);
      const trial = await refit(kvBlocks);
      if (trial.cost < best.cost) best = trial;
    }
    if (best === before) step /= 2;
  }
  return best;
}

/** Leaves out terms that hardly matter. */
async function prune(
  start: Trial,
  parameters: readonly Parameter[],
  heldOut: number,
  tryOut: TryOut,
): Promise<Trial> {
  let best = start;
  let kept = parameters;
  for (const parameter of parameters) {
    if (parameter.group !== 'overheads' || parameter.get(best.settings) === 0) continue;
    const without = kept.filter((other) => other !== parameter);
    const cut = await tryOut(withParameters(best.settings, [parameter], [0]));
    const trial = await descend(cut, without, heldOut, tryOut);
    if (trial.cost > (1 + SMALL_LOSS) * best.cost) continue;
    best = trial;
    kept = without;
  }
  return polish(best, kept, (trial) => descend(trial, kept, heldOut, tryOut), tryOut);
}

/** Moves one parameter at a time by a little, and all from where that gains. */
async function polish(
  start: Trial,
  parameters: readonly Parameter[],
  refit: (trial: Trial) => Promise<Trial>,
  tryOut: TryOut,
): Promise<Trial> {
  let best = start;
  for (const part of LAST_STEPS) {
    const before = best;
    for (const parameter of parameters)
      for (const direction of [part, -part]) {
        const value = parameter.get(best.settings);
        const by = parameter.group === 'overheads' ? value * direction : direction;
        if (by === 0) continue;
        const trial = await tryOut(withParameters(best.settings, [parameter], [value + by]));
        if (trial.cost < (1 - LEAST_GAIN) * best.cost) best = trial;
      }
    if (best !== before) best = await refit(best);
  }
  return best;
}

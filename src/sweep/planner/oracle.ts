import { JsonNumber, type JsonObject, type JsonValue, jsonText } from '../../config/json.js';
import type { FleetPlan } from '../../report/fleet-plan.js';
import type { PlannedPool } from './planned-job.js';

/** A fleet over time that was tried, and what it came to. */
export interface Tried {
  readonly plan: FleetPlan;
  readonly gpuHours: number;
  readonly attainment: number;
}

/** What an oracle looks for. */
export interface OracleTask {
  /** Settings of the workload and the fleet, with goals and without a planner. */
  readonly base: JsonObject;
  readonly stages: FleetPlan['stages'];
  /** Part of the requests that shall keep the goals. */
  readonly wanted: number;
  /** Fleets change at multiples of this only. */
  readonly windowSeconds: number;
  readonly windows: number;
  readonly leastWorkers: number;
  readonly mostWorkers: number;
  /** Fleets that are known already, of other planners; none of them is better than what is found. */
  readonly known: readonly Tried[];
  /** After so many runs it stops improving. */
  readonly mostRuns: number;
}

export interface Oracle extends Tried {
  /** Whether every fleet of the grid was tried, so that none is better. */
  readonly isExact: boolean;
  /** Whether the goals can be kept at all; otherwise it keeps them as well as the largest fleet. */
  readonly isEnough: boolean;
  readonly runs: number;
}

/** Workers by stage and window. */
type Table = readonly (readonly number[])[];

/** Every fleet is tried where there are no more of them than this. */
const MOST_EXACT = 256;
const SAME = 1e-9;

/**
 * The fleet that keeps the goals with the fewest GPU hours, knowing what comes: all fleets that change between windows where these are
 * few; otherwise the smallest fixed fleet, from which workers are taken away, for half of the time, a quarter and so on down to a
 * window, as long as the goals are kept.
 * @param onRun told of each run
 */
export async function findOracle(
  pool: PlannedPool,
  task: OracleTask,
  onRun: () => void = () => {},
): Promise<Oracle> {
  const search = new OracleSearch(pool, task, onRun);
  const { leastWorkers, mostWorkers, windows, stages } = task;
  const isExact = (mostWorkers - leastWorkers + 1) ** (windows * stages.length) <= MOST_EXACT;
  return isExact ? search.all() : search.descend();
}

class OracleSearch {
  private runs = 0;
  private readonly tried = new Map<string, Promise<Tried>>();

  constructor(
    private readonly pool: PlannedPool,
    private readonly task: OracleTask,
    private readonly onRun: () => void,
  ) {}

  async all(): Promise<Oracle> {
    const { stages, windows, leastWorkers, mostWorkers } = this.task;
    let tables: number[][] = [[]];
    for (let cell = 0; cell < stages.length * windows; cell++)
      tables = tables.flatMap((cells) =>
        Array.from({ length: mostWorkers - leastWorkers + 1 }, (_, more) => [...cells, leastWorkers + more]),
      );
    const tried = await Promise.all(
      tables.map((cells) =>
        this.try(stages.map((_, stage) => cells.slice(stage * windows, (stage + 1) * windows))),
      ),
    );
    return this.answer(tried, true);
  }

  async descend(): Promise<Oracle> {
    const { task } = this;
    let table = await this.smallestFixed();
    let best = await this.try(table);
    const wanted = Math.min(task.wanted, best.attainment);
    for (let length = task.windows; length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
      while (this.runs < task.mostRuns) {
        const lowered = await this.lowered(table, length, best, wanted);
        if (!lowered) break;
        table = lowered.table;
        best = lowered.tried;
      }
    }
    return this.answer([best], false);
  }

  /** The smallest fleet that never changes and keeps the goals, all stages of a size; the largest if none does. */
  private async smallestFixed(): Promise<Table> {
    const { stages, windows, leastWorkers, mostWorkers, wanted } = this.task;
    const fixed = (workers: number) => stages.map(() => new Array<number>(windows).fill(workers));
    let [low, high] = [leastWorkers, mostWorkers];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { attainment } = await this.try(fixed(middle));
      if (attainment >= wanted) high = middle;
      else low = middle + 1;
    }
    return fixed(low);
  }

  /**
   * Takes a worker away from stretches of windows, as many of them as keep the goals together, those first that save most for what
   * attainment they cost.
   */
  private async lowered(table: Table, length: number, best: Tried, wanted: number) {
    const moves = this.movesOf(table, length);
    const alone = await Promise.all(
      moves.map(async (move) => ({ move, tried: await this.try(applied(table, [move])) })),
    );
    const worth = ({ gpuHours, attainment }: Tried) =>
      (best.gpuHours - gpuHours) / (Math.max(0, best.attainment - attainment) + SAME);
    const good = alone
      .filter(({ tried }) => tried.attainment >= wanted && tried.gpuHours < best.gpuHours - SAME)
      .sort((a, b) => worth(b.tried) - worth(a.tried));
    for (let count = good.length; count >= 1; count = Math.floor(count / 2)) {
      const together = applied(
        table,
        good.slice(0, count).map(({ move }) => move),
      );
      const tried = await this.try(together);
      if (tried.attainment >= wanted && tried.gpuHours < best.gpuHours - SAME)
        return { table: together, tried };
    }
    return undefined;
  }

  private movesOf(table: Table, length: number): Move[] {
    const { leastWorkers, windows } = this.task;
    return table.flatMap((workers, stage) => {
      const moves: Move[] = [];
      for (let from = 0; from < windows; from += length) {
        const to = Math.min(windows, from + length);
        if (workers.slice(from, to).some((count) => count > leastWorkers))
          moves.push({ stage, from, to, least: leastWorkers });
      }
      return moves;
    });
  }

  private try(table: Table): Promise<Tried> {
    const key = JSON.stringify(table);
    const before = this.tried.get(key);
    if (before) return before;
    const tried = this.run(planOfTable(table, this.task));
    this.tried.set(key, tried);
    return tried;
  }

  private async run(plan: FleetPlan): Promise<Tried> {
    this.runs++;
    const outcome = await this.pool.run(jsonText(scheduledSettings(this.task.base, plan)));
    this.onRun();
    // A fleet that comes to a dead end keeps no goals.
    if ('failure' in outcome) return { plan, gpuHours: Number.POSITIVE_INFINITY, attainment: 0 };
    return { plan, gpuHours: outcome.metrics.gpu_hours, attainment: outcome.measures.attainment ?? 0 };
  }

  private answer(found: readonly Tried[], isExact: boolean): Oracle {
    const { known, wanted } = this.task;
    const { best, isEnough } = cheapest([...found, ...known], wanted);
    return { ...best, isExact, isEnough, runs: this.runs };
  }
}

/** The fewest GPU hours that keep the goals, or else what keeps them best. */
function cheapest(tried: readonly Tried[], wanted: number): { best: Tried; isEnough: boolean } {
  const enough = tried.filter(({ attainment }) => attainment >= wanted);
  const most = Math.max(...tried.map(({ attainment }) => attainment));
  const among = enough.length > 0 ? enough : tried.filter(({ attainment }) => attainment === most);
  const best = among.reduce((least, other) => (other.gpuHours < least.gpuHours ? other : least));
  return { best, isEnough: enough.length > 0 };
}

interface Move {
  readonly stage: number;
  readonly from: number;
  readonly to: number;
  readonly least: number;
}

function applied(table: Table, moves: readonly Move[]): Table {
  const copy = table.map((workers) => [...workers]);
  for (const { stage, from, to, least } of moves)
    for (let at = from; at < to; at++) copy[stage][at] = Math.max(least, copy[stage][at] - 1);
  return copy;
}

function planOfTable(table: Table, { stages, windows, windowSeconds }: OracleTask): FleetPlan {
  const changes: { at_s: number; component: string; to: number }[] = [];
  for (let window = 1; window < windows; window++)
    table.forEach((workers, stage) => {
      if (workers[window] !== workers[window - 1])
        changes.push({ at_s: window * windowSeconds, component: stages[stage].name, to: workers[window] });
    });
  return { stages: stages.map((stage, index) => ({ ...stage, workers: table[index][0] })), changes };
}

const SIZES: Readonly<Record<string, string>> = {
  agg: 'num_workers',
  prefill: 'num_prefill_workers',
  decode: 'num_decode_workers',
};

/** Settings of a run whose fleet follows a plan. */
function scheduledSettings(base: JsonObject, { stages, changes }: FleetPlan): JsonObject {
  const json: JsonObject = new Map(base);
  for (const { name, workers } of stages) json.set(SIZES[name], new JsonNumber(String(workers)));
  const byTime = new Map<number, JsonObject>();
  for (const { at_s, component, to } of changes) {
    const entry = byTime.get(at_s) ?? new Map<string, JsonValue>([['at_s', new JsonNumber(String(at_s))]]);
    byTime.set(at_s, entry.set(component, new JsonNumber(String(to))));
  }
  json.set('planner', 'schedule');
  json.set('planner_config', new Map([['changes', [...byTime.values()]]]));
  return json;
}

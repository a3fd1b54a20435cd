import type { ReplayOptions } from '../../config/scenario/options.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import type { Planner, PlannerView, Targets, WorkerCapacity } from '../../planner/planner.js';
import { GoalSeries } from '../../report/goal-series.js';
import { plannerMeasures } from '../../report/planner-measures.js';
import type { PlannerOutcome, PlannerTick } from '../../report/planner-outcome.js';
import type { ReplayResult } from '../../report/result.js';
import type { Run } from '../../simulation/run.js';
import { RunError } from '../../simulation/run-error.js';
import { openFleet, type RunSettings, serviceLevel } from '../open-run.js';
import { messageOf } from './error-text.js';
import { capacityOf, plannerName, runName, viewOf } from './fleet-view.js';
import type { PlannedFleet } from './planned-fleet.js';
import { World } from './unkind-world.js';

/** A planner with what the report wants to know of it. */
export interface Policy {
  readonly name: string;
  readonly planner: Planner;
  /** Latencies that it keeps, if it knows any. */
  readonly goals?: { readonly ttftMs: number; readonly itlMs: number } | undefined;
  /** Whether the last tick is one of those that the reference's page tells of. */
  readonly isRecorded?: () => boolean;
  /** Where the page of the planner goes, if it asks for one. */
  readonly page?: PlannerOutcome['page'];
  /** What the planner believed at its last tick, under the names of the reference's files. */
  readonly beliefs?: () => Record<string, number | string>;
}

/** Makes the planner of a run. @throws {InputError} when its settings are wrong */
export type MakePolicy = (fleet: PlannedFleet) => Policy | Promise<Policy>;

/** Ticks in a row at which a run may stand still. */
const MOST_STILL_TICKS = 1000;
const MOST_TICKS = 10_000_000;
const MOST_LOSSES = 100_000;
const MS_PER_SECOND = 1000;

/**
 * Runs a simulation whose fleet a planner scales.
 * @throws {InputError} when an option, the trace or the planner's settings are wrong
 * @throws {RunError} when the run comes to a dead end, or the planner fails
 */
export async function runPlanned(
  described: ReplayOptions | Scenario,
  makePolicy: MakePolicy,
  settings: RunSettings = {},
): Promise<ReplayResult> {
  const series = new GoalSeries();
  const { run, stages, scenario } = await openFleet(described, {
    ...settings,
    observesPasses: true,
    scales: true,
    onOutcome: (outcome) => series.add(outcome),
  });
  try {
    const fleet: PlannedFleet = {
      scenario,
      stages: stages.map((stage, index) => {
        const { name, workers } = scenario.stages[index];
        const startupSeconds = (stage.args.given.startup_time as number | undefined) ?? 0;
        return {
          ...{ name: plannerName(name), workers, startupMs: Math.max(0, startupSeconds) * MS_PER_SECOND },
          ...{ args: stage.args, timing: stage.timing, capacity: capacityOf(stage.args) },
        };
      }),
    };
    const policy = await makePolicy(fleet);
    series.goals = serviceLevel(scenario.goals) ?? (policy.goals && { ...policy.goals, e2eMs: undefined });
    const world = new World(fleet, run, scenario.control.disturbances);
    const loop = new PlannerLoop(run, policy, fleet, world);
    loop.run();
    const result = run.result();
    result.planner = loop.outcome;
    result.report.scaling_events = loop.outcome.events;
    result.report.planner_ticks = loop.outcome.ticks.length;
    if (!world.isKind)
      result.report.disturbances = {
        lost_workers: world.lost.length,
        resent_requests: world.lost.reduce((sum, { requests }) => sum + requests, 0),
        boot_failures: world.bootFailures,
        losses: world.lost,
      };
    result.report.planner = plannerMeasures(loop.outcome, series, scenario.control.attainment);
    return result;
  } finally {
    run.close();
  }
}

/** Calls a planner at its times and applies what it says, as long as the run lasts. */
class PlannerLoop {
  readonly outcome: PlannerOutcome;
  private readonly capacities: readonly WorkerCapacity[];
  private stillTicks = 0;
  private hasScaled = false;

  constructor(
    private readonly simulation: Run,
    private readonly policy: Policy,
    fleet: PlannedFleet,
    private readonly world: World,
  ) {
    this.capacities = fleet.stages.map(({ capacity }) => capacity);
    this.outcome = {
      policy: policy.name,
      events: [],
      ticks: [],
      goals: policy.goals,
      ...(policy.page && { page: policy.page }),
      stages: fleet.stages.map(({ name, workers, capacity: { gpus, kvTokens } }) => ({
        ...{ name, workers, gpus, kvTokens },
      })),
    };
  }

  run(): void {
    const { simulation, policy } = this;
    const { planner } = policy;
    for (let lastMs = Number.NEGATIVE_INFINITY; ; ) {
      const tickMs = planner.nextTickMs;
      if (!(tickMs > lastMs))
        throw this.fault(`nextTickMs must be later than the last tick at ${lastMs} ms, found ${tickMs}`);
      if (this.outcome.ticks.length >= MOST_TICKS)
        throw this.fault(`has been called ${MOST_TICKS} times by ${lastMs} ms and asks for more`);
      this.advance(Math.max(tickMs, simulation.nowMs));
      if (simulation.isDone) return;
      lastMs = tickMs;
      this.tick(tickMs);
    }
  }

  /** Lets everything happen up to a time, losses of workers too. */
  private advance(ms: number): void {
    const { simulation, world } = this;
    for (let loss = world.next(); loss.atMs <= ms && !simulation.isDone; loss = world.next()) {
      simulation.until(Math.max(loss.atMs, simulation.nowMs));
      world.strike(loss);
      if (world.lost.length > MOST_LOSSES)
        throw new RunError(`more than ${MOST_LOSSES} workers were lost by ${simulation.nowMs} ms`);
    }
    if (!simulation.isDone) simulation.until(ms);
  }

  private tick(tickMs: number): void {
    const { simulation } = this;
    const view = viewOf(simulation, this.capacities);
    this.watch(view);
    const targets = this.ask(view);
    const tick = this.noted(view, targets);
    this.outcome.ticks.push(tick);
    if (this.policy.isRecorded?.()) this.outcome.recordedMs = tickMs;
    this.hasScaled = this.apply(tickMs, view, targets);
  }

  /** Ends a run in which nothing happens, however often the fleet is scaled. */
  private watch({ traffic, stages }: PlannerView): void {
    const { simulation } = this;
    const hasMoved =
      traffic.requests > 0 ||
      traffic.inputTokens.count > 0 ||
      stages.some(({ passes }) => passes.some((pass) => pass.prefillRequests + pass.decodeRequests > 0));
    if (hasMoved) this.stillTicks = 0;
    else if (simulation.isStuck || this.hasScaled) this.stillTicks++;
    if (this.stillTicks <= MOST_STILL_TICKS) return;
    // Says what cannot go on.
    if (simulation.isStuck && !this.hasScaled) simulation.until(Number.POSITIVE_INFINITY);
    throw this.fault(`keeps scaling the fleet while nothing happens, until ${simulation.nowMs} ms`);
  }

  private ask(view: PlannerView): Targets | undefined {
    let targets: Targets | undefined;
    try {
      targets = this.policy.planner.tick(view);
    } catch (error) {
      if (error instanceof RunError) throw error;
      throw this.fault(`failed at ${view.nowMs} ms: ${messageOf(error)}`);
    }
    if (targets === undefined || targets === null) return undefined;
    const names = view.stages.map(({ name }) => name);
    if (typeof targets !== 'object' || Array.isArray(targets) || 'then' in targets)
      throw this.fault(`tick must return workers by stage, found ${describe(targets)}`);
    for (const [name, workers] of Object.entries(targets)) {
      if (!names.some((known) => known === name))
        throw this.fault(`tick returned workers of stage "${name}", the fleet has ${names.join(' and ')}`);
      if (workers !== undefined && !(Number.isInteger(workers) && workers >= 0))
        throw this.fault(`tick returned ${String(workers)} ${name} workers, expected a whole number from 0`);
    }
    return targets;
  }

  /** @returns whether the fleet changes */
  private apply(tickMs: number, view: PlannerView, targets: Targets | undefined): boolean {
    if (!targets) return false;
    let isChange = false;
    view.stages.forEach(({ name, active, starting }, index) => {
      const to = targets[name];
      if (to === undefined) return;
      const from = active.length + starting.length;
      this.simulation.scale(runName(name), to, this.world.startupOf(index));
      if (to === from) return;
      isChange = true;
      const reason = to > from ? 'scale_up' : 'scale_down';
      this.outcome.events.push({ at_s: tickMs / MS_PER_SECOND, component: name, from, to, reason });
    });
    return isChange;
  }

  private noted({ nowMs, traffic, stages }: PlannerView, targets: Targets | undefined): PlannerTick {
    const { planner, beliefs } = this.policy;
    const known = ({ value, count }: { value: number; count: number }) => (count > 0 ? value : undefined);
    return withoutUndefined({
      atMs: nowMs,
      requests: traffic.requests,
      seconds: traffic.seconds,
      ttftMs: known(traffic.ttftMs),
      itlMs: known(traffic.itlMs),
      inputTokens: known(traffic.inputTokens),
      outputTokens: known(traffic.outputTokens),
      reason: planner.reason,
      beliefs: beliefs?.(),
      stages: stages.map(({ name, active, starting, draining, passes }) =>
        withoutUndefined({
          name,
          active: active.length,
          starting: starting.length,
          draining: draining.length,
          target: targets?.[name],
          ranks: passes.map(({ worker, rank, queuedPrefillTokens, queuedDecodeTokens, decodeTokens }) => ({
            worker,
            rank,
            queuedPrefillTokens,
            queuedDecodeTokens,
            decodeTokens,
          })),
        }),
      ),
    });
  }

  private fault(problem: string): RunError {
    return new RunError(`planner ${this.policy.name}: ${problem}`);
  }
}

function describe(targets: unknown): string {
  if (typeof targets !== 'object') return String(targets);
  return Array.isArray(targets) ? 'a list' : 'a promise; a policy cannot wait';
}

type Known<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Leaves out what is not known, so that it is not written either. */
function withoutUndefined<T extends object>(values: T): Known<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Known<T>;
}

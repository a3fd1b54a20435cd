import type { EngineArgs } from '../../config/engine-type.js';
import type { ReplayOptions } from '../../config/scenario/options.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import type { Planner, PlannerView, Targets, WorkerCapacity } from '../../planner/planner.js';
import type { PlannerOutcome, PlannerTick } from '../../report/planner-outcome.js';
import type { ReplayResult } from '../../report/result.js';
import type { Run } from '../../simulation/run.js';
import { RunError } from '../../simulation/run-error.js';
import type { TimingModel } from '../../timing/timing-model.js';
import { openFleet, type RunSettings } from '../open-run.js';
import { capacityOf, runName, viewOf } from './fleet-view.js';

/** The fleet that a planner is made for. */
export interface PlannedFleet {
  readonly scenario: Scenario;
  readonly stages: readonly {
    readonly args: EngineArgs;
    readonly timing: TimingModel;
    readonly capacity: WorkerCapacity;
  }[];
}

/** A planner with what the report wants to know of it. */
export interface Policy {
  readonly name: string;
  readonly planner: Planner;
  /** Latencies that it keeps, if it knows any. */
  readonly goals?: { readonly ttftMs: number; readonly itlMs: number } | undefined;
  /** What the planner believed at its last tick, under the names of the reference's files. */
  readonly beliefs?: () => Record<string, number | string>;
}

/** Makes the planner of a run. @throws {InputError} when its settings are wrong */
export type MakePolicy = (fleet: PlannedFleet) => Policy | Promise<Policy>;

/** Ticks that a planner may let a run stand still in which nothing can happen without it. */
const MOST_STUCK_TICKS = 1000;
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
  const { run, stages, scenario } = await openFleet(described, {
    ...settings,
    observesPasses: true,
    scales: true,
  });
  try {
    const fleet = {
      scenario,
      stages: stages.map((stage) => ({ ...stage, capacity: capacityOf(stage.args) })),
    };
    const policy = await makePolicy(fleet);
    const loop = new PlannerLoop(run, policy, fleet);
    loop.run();
    const result = run.result();
    result.planner = loop.outcome;
    result.report.scaling_events = loop.outcome.events;
    result.report.planner_ticks = loop.outcome.ticks.length;
    return result;
  } finally {
    run.close();
  }
}

/** Calls a planner at its times and applies what it says, as long as the run lasts. */
class PlannerLoop {
  readonly outcome: PlannerOutcome;
  private readonly capacities: readonly WorkerCapacity[];
  private readonly startupMs: readonly number[];
  private stuckTicks = 0;

  constructor(
    private readonly simulation: Run,
    private readonly policy: Policy,
    { stages }: PlannedFleet,
  ) {
    this.capacities = stages.map(({ capacity }) => capacity);
    this.startupMs = stages.map(
      ({ args }) => ((args.given.startup_time as number | undefined) ?? 0) * MS_PER_SECOND,
    );
    this.outcome = {
      policy: policy.name,
      events: [],
      ticks: [],
      goals: policy.goals,
      stages: simulation.stages().map(({ name }, index) => ({
        name: name || 'agg',
        gpus: this.capacities[index].gpus,
        kvTokens: this.capacities[index].kvTokens,
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
      simulation.until(Math.max(tickMs, simulation.nowMs));
      if (simulation.isDone) return;
      lastMs = tickMs;
      this.tick(tickMs);
    }
  }

  private tick(tickMs: number): void {
    const { simulation } = this;
    const view = viewOf(simulation, this.capacities);
    const targets = this.ask(view);
    const tick = this.noted(view, targets);
    this.outcome.ticks.push(tick);
    const isScaled = this.apply(tickMs, view, targets);
    this.stuckTicks = simulation.isStuck && !isScaled ? this.stuckTicks + 1 : 0;
    // Says what cannot go on.
    if (this.stuckTicks > MOST_STUCK_TICKS) simulation.until(Number.POSITIVE_INFINITY);
  }

  private ask(view: PlannerView): Targets | undefined {
    let targets: Targets | undefined;
    try {
      targets = this.policy.planner.tick(view);
    } catch (error) {
      if (error instanceof RunError) throw error;
      throw this.fault(`failed at ${view.nowMs} ms: ${(error as Error)?.message ?? String(error)}`);
    }
    if (targets === undefined || targets === null) return undefined;
    const names = view.stages.map(({ name }) => name);
    if (typeof targets !== 'object')
      throw this.fault(`tick must return workers by stage, found ${String(targets)}`);
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
      this.simulation.scale(runName(name), to, this.startupMs[index]);
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

type Known<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Leaves out what is not known, so that it is not written either. */
function withoutUndefined<T extends object>(values: T): Known<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Known<T>;
}

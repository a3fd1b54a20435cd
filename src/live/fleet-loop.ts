import type { Scenario } from '../config/scenario/scenario.js';
import { type GapSink, RequestLog } from '../engine/request-log.js';
import { Collector } from '../report/collector.js';
import { GapSamples } from '../report/gap-samples.js';
import type { RequestOutcome } from '../report/outcome.js';
import type { WorkerUse } from '../report/report.js';
import type { ResolvedEngines } from '../setup/engines.js';
import type { CacheWatch } from '../simulation/engine-pool.js';
import { fleetRun, splitRun } from '../simulation/fleet-runs.js';
import type { FleetRun } from '../simulation/run.js';
import type { StageName, StageView } from '../simulation/views.js';
import type { LiveSource } from './live-source.js';

/** The event loop of a fleet, stepped by whoever owns the clock. Times in milliseconds. */
export interface FleetLoop {
  readonly nowMs: number;
  /** When something happens next; Infinity when nothing will unless a request comes. */
  readonly nextMs: number;
  /** Lets everything happen that happens up to and at a time, if that is still to come. */
  until(ms: number): void;
  /** Takes a request out, wherever it is. */
  cancel(ticket: number): void;
  /** Requests on the worker that serves one of them. */
  neighbours(ticket: number): readonly number[];
  /** The worker of a request breaks down with all that it has; a new one takes its place. */
  loseWorkerOf(ticket: number): void;
  /** The fleet as it is now. */
  stages(): readonly StageView[];
  /** What the workers did so far. */
  use(): WorkerUse;
  /** Sets how many workers a stage has; those that go finish what they have. */
  scale(stage: StageName, workers: number, startupMs: number): void;
}

export interface FleetListener {
  /** A pass that is decided, and ends at `endMs`, gives a request a token. */
  token(ticket: number, endMs: number): void;
  /** A request has left the fleet. */
  outcome(outcome: RequestOutcome): void;
}

/** Tells of every token. */
class ToldLog extends RequestLog {
  constructor(private readonly told: (slot: number, timeMs: number) => void) {
    super();
  }

  override token(slot: number, timeMs: number, gaps: GapSink): void {
    super.token(slot, timeMs, gaps);
    this.told(slot, timeMs);
  }
}

/** Counts nothing, so that a fleet can serve without an end. */
class NoGaps extends GapSamples {
  override add(): void {}
}

/** Hands outcomes on and keeps none. */
class OutcomeRelay extends Collector {
  override readonly gaps = new NoGaps();

  constructor(private readonly relay: (outcome: RequestOutcome) => void) {
    super(undefined, { ended: false, unfinished: false });
  }

  override ended(outcome: RequestOutcome): void {
    this.relay(outcome);
  }
}

/**
 * Builds the fleet of a scenario around requests that come from outside, with an event loop that executes every pass.
 * @param cacheWatches who hears of the caches, by stage
 */
export function openFleetLoop(
  scenario: Scenario,
  { stages, routing }: ResolvedEngines,
  source: LiveSource,
  listener: FleetListener,
  cacheWatches: readonly CacheWatch[] = [],
): FleetLoop {
  const { liberties, router } = scenario;
  const [first, second] = scenario.stages;
  const [firstCaches, secondCaches] = cacheWatches;
  const log = new ToldLog((slot, ms) => listener.token(run.rowOf(slot), ms));
  const common = {
    overheads: scenario.overheads,
    rules: scenario.rules,
    routing,
    source,
    collector: new OutcomeRelay((outcome) => listener.outcome(outcome)),
    checks: scenario.checks,
    namesSessions: false,
    onProgress: undefined,
    isOpenLoop: true,
    capMs: Number.POSITIVE_INFINITY,
    metersPasses: false,
    countsTraffic: false,
    scales: true,
    executesAll: true,
    refuses: true,
    resultOf: (): never => {
      throw new Error('a fleet without an end has no result');
    },
    close: () => undefined,
  };
  const run: FleetRun =
    second === undefined
      ? fleetRun({ ...common, ...stages[0], workers: first.workers, log, cacheWatch: firstCaches })
      : splitRun({
          ...common,
          prefill: { ...stages[0], workers: first.workers, cacheWatch: firstCaches },
          decode: { ...stages[1], workers: second.workers, log, cacheWatch: secondCaches },
          prefillsAllOutput: false,
          bypass: liberties.bypasses ? router.settings.bypass : undefined,
        });
  return {
    get nowMs() {
      return run.lastEventMs;
    },
    get nextMs() {
      return run.nextMs;
    },
    until: (ms) => run.until(Math.max(ms, run.nowMs)),
    cancel: (ticket) => run.cancel(ticket),
    neighbours: (ticket) => run.neighbours(ticket),
    loseWorkerOf: (ticket) => run.loseWorkerOf(ticket),
    stages: () => run.stages(),
    use: () => run.use(),
    scale: (stage, workers, startupMs) => run.scale(stage, workers, startupMs),
  };
}

import type { ReplayPlan } from '../config/replay-options.js';
import { type GapSink, RequestLog } from '../engine/request-log.js';
import { Collector } from '../report/collector.js';
import { GapSamples } from '../report/gap-samples.js';
import type { RequestOutcome } from '../report/outcome.js';
import type { ResolvedEngines } from '../setup/engines.js';
import { Fleet } from '../simulation/fleet.js';
import { HarnessRun } from '../simulation/harness.js';
import { SplitFleet } from '../simulation/split-fleet.js';
import { SplitRun } from '../simulation/split-run.js';
import type { LiveSource } from './live-source.js';

/** The event loop of a fleet, stepped by whoever owns the clock. Times in milliseconds. */
export interface FleetLoop {
  readonly nowMs: number;
  /** When something happens next; Infinity when nothing will unless a request comes. */
  readonly nextMs: number;
  /** Lets everything happen that happens up to and at a time. */
  until(ms: number): void;
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
    super(undefined, false);
  }

  override ended(outcome: RequestOutcome): void {
    this.relay(outcome);
  }
}

/** Builds the fleet of a plan around requests that come from outside, with an event loop that executes every pass. */
export function openFleetLoop(
  plan: ReplayPlan,
  { stages, routing }: ResolvedEngines,
  source: LiveSource,
  listener: FleetListener,
): FleetLoop {
  const { topology, options } = plan;
  const common = {
    overheads: plan.overheads,
    rules: plan.rules,
    routing,
    source,
    collector: new OutcomeRelay((outcome) => listener.outcome(outcome)),
    isCapped: true,
    checks: options.check ?? false,
    namesSessions: false,
    onProgress: undefined,
  };
  if (topology.kind === 'aggregated') {
    const log = new ToldLog((slot, ms) => listener.token(fleet.slots.row[slot], ms));
    const fleet = new Fleet({ ...common, ...stages[0], workers: topology.workers, namesWorkers: true, log });
    return tokenwise(new HarnessRun(fleet, Number.POSITIVE_INFINITY));
  }
  const log = new ToldLog((slot, ms) => listener.token(fleet.ledger.slots.row[slot], ms));
  const fleet = new SplitFleet({
    ...common,
    prefill: { ...stages[0], workers: topology.prefillWorkers },
    decode: { ...stages[1], workers: topology.decodeWorkers, log },
    prefillsAllOutput: false,
    bypass: options.beyondReference ? plan.bypass : undefined,
  });
  return tokenwise(new SplitRun(fleet, Number.POSITIVE_INFINITY));
}

function tokenwise<Loop extends FleetLoop & { stopPlanning(): void }>(loop: Loop): Loop {
  loop.stopPlanning();
  return loop;
}

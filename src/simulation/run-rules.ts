import type { Rules, Semantics } from '../config/rules.js';

/** Where releases of the reference differ in how they run a fleet. Each member is one difference. */
export interface RunRules {
  /** Whether a worker that is alone, without a router, has a loop of its own. */
  readonly hasLoneLoop: boolean;
  /** Whether prefill workers generate the whole output where it is planned. */
  readonly prefillsAllOutput: boolean;
  /** Whether actions of handoffs come before the arrivals of the same time, whose own then wait for the next round. */
  readonly actsBeforeArrivals: boolean;
  /**
   * Whether events of equal time come by their kind, then by worker or request, rather than in the order of their causes.
   */
  readonly ordersByKind: boolean;
  /** Whether what is left of a request that cannot go on is cleaned up among other actions, rather than after them. */
  readonly cleansUpInTurn: boolean;
  /** Whether the workload hears of a request that cannot go on before stages have cleaned up after it. */
  readonly tellsFailuresAtOnce: boolean;
  /** Whether a request that fails between stages takes the rest of its session with it. */
  readonly failuresEndSessions: boolean;
  /** Whether the events of all ranks of a worker are heard before any of their signals. */
  readonly hearsEventsFirst: boolean;
  /** Whether engines that change when they are tried in vain are tried whenever others do something. */
  readonly retriesIdle: boolean;
  /** Whether an engine of that kind that can do nothing ends the run, unless prompts can still arrive for it. */
  readonly failsIdle: boolean;
}

/** Whether records tell of decisions of routers and of admissions, as those of release 1.6 do. */
export function tellsHistory({ semantics }: Rules, { keepsRecords }: { keepsRecords: boolean }): boolean {
  return semantics === 'dynamo-1.6' && keepsRecords;
}

export const RUN_RULES: Record<Semantics, RunRules> = {
  'dynamo-1.4.2': {
    hasLoneLoop: true,
    prefillsAllOutput: true,
    actsBeforeArrivals: false,
    ordersByKind: false,
    cleansUpInTurn: false,
    tellsFailuresAtOnce: false,
    failuresEndSessions: false,
    hearsEventsFirst: false,
    retriesIdle: true,
    failsIdle: false,
  },
  'dynamo-1.6': {
    hasLoneLoop: false,
    prefillsAllOutput: false,
    actsBeforeArrivals: true,
    ordersByKind: true,
    cleansUpInTurn: true,
    tellsFailuresAtOnce: true,
    failuresEndSessions: true,
    hearsEventsFirst: true,
    retriesIdle: false,
    failsIdle: true,
  },
};

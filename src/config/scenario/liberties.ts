import type { Rules } from '../rules.js';

/** What a run may do that the reference refuses, or reads and ignores. */
export interface Liberties {
  /** Prefill and decode workers of engines that the reference runs aggregated only. */
  splitsAnyEngine: boolean;
  /** Prefill and decode workers with blocks of different sizes. */
  splitsUnequalBlocks: boolean;
  /** Traces of agents, and of growing prompts, on prefill and decode workers. */
  splitsAnyTrace: boolean;
  /** A router that looks at a single worker. */
  routesToOne: boolean;
  /** Traces of agents with a limit on what is in flight. */
  limitsAgents: boolean;
  /** A time cap on traces of dependent requests. */
  capsAgents: boolean;
  /** A planner on traces of any format. */
  plansAnyTrace: boolean;
  /** A time cap on runs with a planner. */
  capsPlanned: boolean;
  /** Conditional disaggregation. */
  bypasses: boolean;
  /** A transfer bandwidth of 0 for none, as the documentation of the reference says; its code fails. */
  transfersAtOnce: boolean;
  /** Times that tables have no row for, from other tables and formulas. */
  fillsTables: boolean;
}

/** @param isStrict whether tables must have every row all the same */
export function libertiesOf({ beyondReference }: Rules, isStrict: boolean): Liberties {
  return {
    splitsAnyEngine: beyondReference,
    splitsUnequalBlocks: beyondReference,
    splitsAnyTrace: beyondReference,
    routesToOne: beyondReference,
    limitsAgents: beyondReference,
    capsAgents: beyondReference,
    plansAnyTrace: beyondReference,
    capsPlanned: beyondReference,
    bypasses: beyondReference,
    transfersAtOnce: beyondReference,
    fillsTables: beyondReference && !isStrict,
  };
}

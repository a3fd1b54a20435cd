import type { Rules } from '../rules.js';

/** What a run may do that a release of the reference refuses, or reads and ignores. */
export interface Liberties {
  /** Prefill and decode workers of engines that the reference runs aggregated only. */
  splitsAnyEngine: boolean;
  /** Prefill and decode workers with blocks of different sizes. */
  splitsUnequalBlocks: boolean;
  /** Prefill and decode workers of several ranks. */
  splitsRanks: boolean;
  /** Traces of agents on prefill and decode workers. */
  splitsAgents: boolean;
  /** Traces of growing prompts on prefill and decode workers. */
  splitsGrowing: boolean;
  /** A router that looks at a single worker. */
  routesToOne: boolean;
  /** A router that hears of what workers cache some time later. */
  delaysEvents: boolean;
  /** A length limit on engines of any kind. */
  limitsAnyEngine: boolean;
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
  /** A transfer bandwidth of 0 for none, as the documentation of the reference says; its code of 1.4.2 fails. */
  transfersAtOnce: boolean;
  /** Values that have no meaning, which older releases took: bounds of 0, sizes of 0, grids of times that cannot be read. */
  takesAnyValue: boolean;
  /** Prompts that keep off some passes, so that others decode undisturbed. */
  spacesPrefills: boolean;
  /** Words and keys that only the newest release reads. */
  takesNewWords: boolean;
  /** Settings that contradict each other, the more exact of which counts. */
  contradicts: boolean;
  /** Times that tables have no row for, from other tables and formulas. */
  fillsTables: boolean;
}

/** @param isStrict whether tables must have every row all the same */
export function libertiesOf({ semantics, beyondReference }: Rules, isStrict: boolean): Liberties {
  const isCurrent = semantics === 'dynamo-1.6';
  return {
    splitsAnyEngine: beyondReference || isCurrent,
    splitsUnequalBlocks: beyondReference,
    splitsRanks: isCurrent,
    splitsAgents: beyondReference,
    splitsGrowing: beyondReference || isCurrent,
    routesToOne: beyondReference || isCurrent,
    delaysEvents: isCurrent,
    limitsAnyEngine: isCurrent,
    limitsAgents: beyondReference,
    capsAgents: beyondReference,
    plansAnyTrace: beyondReference,
    capsPlanned: beyondReference,
    bypasses: beyondReference,
    transfersAtOnce: beyondReference || isCurrent,
    takesAnyValue: !isCurrent,
    spacesPrefills: beyondReference || isCurrent,
    takesNewWords: isCurrent,
    contradicts: isCurrent,
    fillsTables: beyondReference && !isStrict,
  };
}

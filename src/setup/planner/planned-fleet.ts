import type { EngineArgs } from '../../config/engine-type.js';
import type { Scenario } from '../../config/scenario/scenario.js';
import type { StageName, WorkerCapacity } from '../../planner/planner.js';
import type { TimingModel } from '../../timing/timing-model.js';

/** The fleet that a planner is made for. */
export interface PlannedFleet {
  readonly scenario: Scenario;
  readonly stages: readonly PlannedStage[];
}

interface PlannedStage {
  readonly name: StageName;
  /** At the start. */
  readonly workers: number;
  /** How long workers that are added take until they serve. */
  readonly startupMs: number;
  readonly args: EngineArgs;
  readonly timing: TimingModel;
  readonly capacity: WorkerCapacity;
}

import type { Collector } from '../report/collector.js';
import type { WorkerUse } from '../report/report.js';
import type { ReplayResult } from '../report/result.js';
import type { FleetOptions } from './fleet.js';
import type { SplitFleetOptions } from './split-fleet.js';

/** What a run is told beside its fleet and its workload. */
export interface RunOptions {
  isOpenLoop: boolean;
  /** Infinity without a cap. */
  capMs: number;
  /** Whether the fleet will be scaled, so that no worker counts as alone. */
  scales: boolean;
  /** Whether what comes and goes is counted for windows. */
  countsTraffic: boolean;
  /** Whether every pass is executed by itself; otherwise those are foreseen in which nothing else happens. */
  executesAll: boolean;
  /** Makes a result of what was collected, which is a copy while the run goes on. */
  resultOf: (collector: Collector, use: WorkerUse) => ReplayResult;
  close: () => void;
}

/** What a run settles itself. */
type Settled = 'isCapped' | 'traffic';
export type FleetRunOptions = Omit<FleetOptions, Settled | 'namesWorkers'> & RunOptions;
export type SplitRunOptions = Omit<SplitFleetOptions, Settled> & RunOptions;
